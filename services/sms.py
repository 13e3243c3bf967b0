"""Messages: bulk, and premium from a short code."""

import re
from typing import Any

from app.models import Invocation
from app.statuses import SMS_CODES
from services.client import Client
from services.desk import place
from services.invocations import Order, Placed
from services.outcome import NotAnAnswer, Refusal, Result, result_of, word_or_none
from services.transport import Reply

# An answer that says so but names nobody contradicts itself.
_SAYS_SENT = re.compile(r"Sent to [1-9]", re.IGNORECASE)


def send_bulk(order: Order) -> Placed:
    """Send one message to one or many. order.details: message, sender_id or None, enqueue. Raises what place() raises."""
    details = order.details

    def call(client: Client, phones: list[str], _row: Invocation) -> Reply:
        return client.send_sms(phones, details["message"], details["sender_id"], details["enqueue"])

    return place(order, call, _entries)


def send_premium(order: Order) -> Placed:
    """Send from our short code. order.details: message, sender, link_id or None, keyword or None. Raises what place() raises."""
    details = order.details

    def call(client: Client, phones: list[str], _row: Invocation) -> Reply:
        return client.send_premium(phones, details["message"], details["sender"], details["link_id"], details["keyword"])

    return place(order, call, _entries)


def _entries(answer: Any) -> list[tuple[str, Result]]:
    data = answer["SMSMessageData"]
    recipients = data["Recipients"]
    if not isinstance(recipients, list):
        raise NotAnAnswer
    if not recipients and (said := word_or_none(data.get("Message"))) and not _SAYS_SENT.search(said):
        raise Refusal(said)
    return [(str(entry["number"]), _result(entry)) for entry in recipients]


def _result(entry: dict[str, Any]) -> Result:
    code, said = entry.get("statusCode"), entry.get("status")
    named = SMS_CODES.get(str(code))
    # The code counts: for 100 to 102 the word is Success all the same.
    word = said if code is None else named or code
    return result_of("sms", word, entry.get("cost"), entry.get("messageId"), shown=said)
