"""Checks of when a SIM card was swapped; a callback brings the date."""

from typing import Any

from app.models import Invocation
from services.client import Client
from services.desk import place
from services.invocations import Order, Placed
from services.outcome import NotAnAnswer, Refusal, Result, result_of
from services.transport import Reply


def check(order: Order) -> Placed:
    """Ask about one number. Raises what place() raises."""

    def call(client: Client, phones: list[str], _row: Invocation) -> Reply:
        return client.check_sim_swap(phones[0])

    return place(order, call, _entries)


def _entries(answer: Any) -> list[tuple[str, Result]]:
    responses = answer["responses"]
    if not isinstance(responses, list):
        raise NotAnAnswer
    if not responses and answer.get("status") not in (None, "Processed", "Queued"):
        raise Refusal(str(answer["status"]))
    return [
        (str(entry["phoneNumber"]["number"]), result_of("sim_swap", entry["status"], entry.get("cost"), entry.get("requestId")))
        for entry in responses
    ]
