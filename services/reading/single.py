"""Single rows of the ledger, found by our id or Africa's Talking's, as far as they are known now."""

import logging
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import GatewayError, StorageUnavailable, first_line
from app.extensions import Base, db
from app.models import Callback, Message, Payment, Recording, Session, SimSwap
from services import archive, due
from services.ledger.states import MESSAGES
from services.reading import rows
from services.reading.waiting import wait_for
from services.slots import index_key

logger = logging.getLogger(__name__)
# Of the messages of one order so many are told together.
MOST_MESSAGES = 100
MOST_STEPS = 500
ENDS_OF_MESSAGES = ("received", *MESSAGES.steps[-1])
ENDS_OF_CHECKS = ("swapped", "not_swapped", "failed")
_STEPS = ("ussd.session", "ussd.session_end", "voice.instructions", "voice.event", "voice.recording")
_CAME = ("text", "dtmfDigits", "input", "recordingUrl", "callSessionState", "status")


class Unknown(GatewayError):
    """Nothing has this id."""

    status = 404


def bring_up_to_date(reference: str | None = None, phone: str | None = None) -> None:
    """Fold in what was kept just before; where the database is too busy for that, what is known already has to do."""
    try:
        due.catch_up(reference, phone)
    except (SQLAlchemyError, StorageUnavailable) as error:
        logger.warning("what was just kept is not folded in yet: %s", first_line(error))


def payment(payment_id: str) -> dict[str, Any]:
    """Return a payment by our id or its transactionId. Raises Unknown."""
    return rows.told_payment(_one(Payment, Payment.provider_id, payment_id, "payment"))


def recording(recording_id: str) -> dict[str, Any]:
    """Return a recording by its id, or of a call, by its session id, the newest with an address, else the one without. Raises Unknown."""
    return rows.told_recording(_one(Recording, Recording.session_id, recording_id, "recording", Recording.url != ""))


def sim_swap_check(request_id: str, wait_s: float) -> dict[str, Any]:
    """Return a SIM swap check by its requestId, now or when its state changes within wait_s. Raises Unknown."""

    def look() -> dict[str, Any]:
        return rows.told_check(_one(SimSwap, SimSwap.provider_id, request_id, "SIM swap check"))

    return wait_for(look, lambda check: [check["state"]], ENDS_OF_CHECKS, wait_s)


def message(message_id: str, wait_s: float) -> dict[str, Any]:
    """Return a message by our id, Africa's Talking's, its order's id or reference, now or when its state changes within wait_s.

    Where an order sent several, the newest, with the `others` beside it; a change of any of them counts. Raises Unknown.
    """
    seen = wait_for(lambda: _messages(message_id), lambda found: [one["state"] for one in found], ENDS_OF_MESSAGES, wait_s)
    return {**seen[0], "others": seen[1:]} if len(seen) > 1 else seen[0]


def session(session_id: str, hide_numbers: bool) -> dict[str, Any]:
    """Return a session by our id or Africa's Talking's, with its steps: what came, in order, and what was answered. Raises Unknown."""
    row, steps = session_with_steps(session_id)
    # Its number of steps gives way to the steps themselves.
    return rows.told_session(row) | {"steps": [_step(archive.shown(step, hide_numbers)) for step in steps]}


def session_with_steps(session_id: str) -> tuple[Any, list[Callback]]:
    """Return the row of a session, by our id or Africa's Talking's, and its callbacks in order, MOST_STEPS at most. Raises Unknown."""
    row = _one(Session, Session.provider_id, session_id, "session")
    query = select(Callback.__table__).where(
        Callback.reference == index_key(row["provider_id"]), Callback.kind.in_(_STEPS), Callback.has_effects
    )
    with db.engine.connect() as connection:
        return row, [Callback(**one._mapping) for one in connection.execute(query.order_by(Callback.id).limit(MOST_STEPS))]


def _step(shown: dict[str, Any]) -> dict[str, Any]:
    came = next((shown["fields"][name] for name in _CAME if shown["fields"].get(name) not in (None, "")), "")
    names = ("id", "kind", "state", "received_at")
    return {**{name: shown[name] for name in names}, "came": came, "answer": shown["answer"], "ms": shown["ms"], "flags": shown["flags"]}


def _messages(message_id: str) -> list[dict[str, Any]]:
    key = index_key(message_id)
    named = or_(Message.id == key, Message.provider_id == key, Message.invocation_id == key, Message.reference == key)
    bring_up_to_date(message_id)
    found = _rows(Message, named, MOST_MESSAGES)
    others = [row["provider_id"] for row in found if row["provider_id"] != message_id and row["state"] not in ENDS_OF_MESSAGES]
    for provider_id in others:
        bring_up_to_date(provider_id)
    if others:
        found = _rows(Message, named, MOST_MESSAGES)
    if not found:
        raise _unknown("message", message_id)
    return [rows.told(row) for row in found]


def _one(model: Any, provider_id: Any, wanted: str, name: str, *first: ColumnElement[bool]) -> Any:
    key = index_key(wanted)
    bring_up_to_date(wanted)
    found = _rows(model, or_(model.id == key, provider_id == key), 1, *first)
    if found and (theirs := found[0][provider_id.key]) != wanted:
        bring_up_to_date(theirs)
        found = _rows(model, model.id == key, 1)
    if not found:
        raise _unknown(name, wanted)
    return found[0]


def _rows(model: type[Base], condition: ColumnElement[bool], limit: int, *first: ColumnElement[bool]) -> list[Any]:
    """Return rows, newest first. first: what those have that come before the others."""
    table, order = model.__table__, [one.desc() for one in first]
    with db.engine.connect() as connection:
        return [row._mapping for row in connection.execute(select(table).where(condition).order_by(*order, table.c.id.desc()).limit(limit))]


def _unknown(name: str, wanted: str) -> Unknown:
    return Unknown(f"No {name} '{wanted[:60]}'.")
