"""Calls that we make."""

from typing import Any

from app.models import Invocation
from services.client import Client
from services.desk import place
from services.invocations import Order, Placed
from services.outcome import NotAnAnswer, Refusal, Result, result_of, word_or_none
from services.transport import Reply


def call(order: Order) -> Placed:
    """Call one or many numbers. order.details: own_number. Callbacks about the calls name the invocation's id.

    Raises what place() raises.
    """

    def call(client: Client, phones: list[str], row: Invocation) -> Reply:
        return client.call(phones, order.details["own_number"], row.id)

    return place(order, call, _entries)


def _entries(answer: Any) -> list[tuple[str, Result]]:
    entries, problem = answer["entries"], word_or_none(answer.get("errorMessage"))
    if not entries and problem:
        raise Refusal(problem)
    if not isinstance(entries, list):
        raise NotAnAnswer
    return [(str(entry["phoneNumber"]), result_of("voice", entry["status"], provider_id=entry.get("sessionId"))) for entry in entries]
