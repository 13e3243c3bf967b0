"""Checks of SIM swaps: what was asked, and when the card was last swapped."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from app.models import Callback, Invocation, Recipient, SimSwap
from services.ledger import costs
from services.ledger.readings import key_of, larger, named
from services.ledger.rows import Row, changed, held, new_id, sources
from services.ledger.states import SIM_SWAPS

# Safaricom's word for: no swap in the time that it looks back. It comes with the status Swapped, too.
NONE_KNOWN = date(1900, 1, 1)
_BY_WORD = {"swapped": "swapped", "notswapped": "not_swapped", "failed": "failed"}


def answer_of(word: str, swapped_on: object) -> tuple[str, date | None]:
    """Return the state that a status and a date stand for, and the date of the swap where one is known."""
    if swapped_on == NONE_KNOWN:
        return "not_swapped", None
    state = _BY_WORD.get(word.lower(), "pending")
    if not isinstance(swapped_on, date):
        return state, None
    return (state if state == "not_swapped" else "swapped"), swapped_on


def status(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add the answer to a check. It names no number: that of the order counts."""
    provider_id, word = key_of(data.get("request_id")) or key_of(data.get("transaction_id")), named(data["status"])
    if provider_id is None or word is None:
        return
    row = _row(connection, provider_id, callback.received_at, now)
    state, swapped_on = answer_of(word, data.get("last_sim_swap_date"))
    values = _risen(row, state, word) | sources(row, callback.received_at)
    values["transaction_id"] = larger(row["transaction_id"], named(data.get("transaction_id")))
    values["swapped_on"] = larger(row["swapped_on"], swapped_on)
    changed(connection, SimSwap, row, values, now)


def asked(connection: Connection, invocation: Invocation, recipients: Sequence[Recipient], now: datetime) -> None:
    """Add the checks of an order that were taken."""
    answer = invocation.answer if isinstance(invocation.answer, dict) else {}
    for recipient in recipients:
        row = _row(connection, str(recipient.provider_id), invocation.called_at, now)
        values = _risen(row, "pending", recipient.status) | sources(row, invocation.called_at, invocation)
        values |= {"phone": recipient.phone, "transaction_id": larger(row["transaction_id"], named(answer.get("transactionId")))}
        row = changed(connection, SimSwap, row, values, now)
        if recipient.cost:
            paid = (recipient.cost, recipient.cost_currency)
            costs.put_one(connection, "sim_swap", row["provider_id"], row["created_at"], recipient.phone, *paid)


def _row(connection: Connection, provider_id: str, since: datetime, now: datetime) -> Row:
    new = {"id": new_id("swp", since), "state": "pending", "created_at": since, "updated_at": now}
    return held(connection, SimSwap, {"provider_id": provider_id}, new)


def _risen(row: Row, state: str, word: str | None) -> Row:
    """Return state, conflicts and Africa's Talking's own word for that state."""
    values = SIM_SWAPS.risen(row | {"reason": row["status"]}, state, word)
    return {"state": values["state"], "conflicts": values["conflicts"], "status": values["reason"]}
