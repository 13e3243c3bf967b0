"""Mobile checkouts: a person is asked to pay on the phone."""

from typing import Any

from app.models import Invocation
from app.statuses import REFUSED
from services.client import Client
from services.desk import place
from services.invocations import Order, Placed
from services.outcome import Result, refused_because, result_of
from services.transport import Reply


def checkout(order: Order) -> Placed:
    """Ask one person to pay. order.details: amount, currency, product_name, metadata. Raises what place() raises."""
    details = order.details

    def call(client: Client, phones: list[str], _row: Invocation) -> Reply:
        return client.checkout(phones[0], details["amount"], details["currency"], details["product_name"], details["metadata"])

    return place(order, call, lambda answer: [(order.phones[0], _result(answer))])


def _result(answer: dict[str, Any]) -> Result:
    result = result_of("payments", answer["status"], answer.get("transactionFee"), answer.get("transactionId"))
    said = answer.get("description")
    return refused_because("payments", result, str(said)) if said and result.state == REFUSED else result
