"""Top-ups."""

from typing import Any

from app.models import Invocation
from app.statuses import REFUSED
from services.client import Client
from services.desk import place
from services.invocations import Order, Placed
from services.outcome import NotAnAnswer, Refusal, Result, refused_because, result_of, word_or_none
from services.transport import Reply


def send(order: Order) -> Placed:
    """Top up one phone, once per key, which goes on to Africa's Talking. order.details: amount, currency.

    Raises what place() raises.
    """

    def call(client: Client, phones: list[str], row: Invocation) -> Reply:
        return client.send_airtime(phones[0], order.details["amount"], order.details["currency"], row.idempotency_key)

    return place(order, call, _entries)


def _entries(answer: Any) -> list[tuple[str, Result]]:
    responses, problem = answer["responses"], word_or_none(answer.get("errorMessage"))
    if not responses and problem:
        raise Refusal(problem)
    if not isinstance(responses, list):
        raise NotAnAnswer
    return [(str(entry["phoneNumber"]), _result(entry)) for entry in responses]


def _result(entry: dict[str, Any]) -> Result:
    result = result_of("airtime", entry["status"], entry.get("amount"), entry.get("requestId"))
    problem = word_or_none(entry.get("errorMessage"))
    return refused_because("airtime", result, problem) if problem and result.state == REFUSED else result
