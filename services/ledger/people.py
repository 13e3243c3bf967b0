"""Who opted out, who came back, and who subscribed to what: what was told last counts."""

from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import Connection, select, update
from ulid import ULID

from app.models import Callback, OptOut, Subscription
from services.ledger.readings import e164, key_of, phone_of
from services.ledger.rows import alone, changed, held, new_id
from services.slots import slot_of_alike

OPT_OUT = "sms.opt_out"
OUT, IN = "out", "in"
EVERY_SENDER = ""
UPDATES = ("addition", "deletion")


def opted_out(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add an opt-out."""
    opt_out(connection, data["phone_number"], key_of(data["sender_id"]) or EVERY_SENDER, "callback", now, callback.id, callback.received_at)


def subscription(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add what became of a subscription."""
    phone, word = phone_of(data["phone_number"]), data["update_type"].strip()
    if phone is None:
        return
    values = {"state": word.lower() if word.lower() in UPDATES else word, "callback_id": callback.id}
    key = {"phone": phone, "short_code": key_of(data["short_code"]) or "", "keyword": key_of(data.get("keyword")) or ""}
    new = {"id": new_id("sub", callback.received_at), "created_at": callback.received_at, "updated_at": now}
    row = held(connection, Subscription, key, new | values)
    since = {"created_at": min(row["created_at"], callback.received_at)}
    changed(connection, Subscription, row, since | values if callback.id >= row["callback_id"] else since, now)


def person_of(phone: str) -> str | None:
    """Return a person's number in E.164, whatever its spelling; what is no number as it was sent, None for nothing."""
    text = key_of(phone)
    return text and (e164(text, current_app.config["POKEA"].default_country) or phone_of(text))


def opt_out(
    connection: Connection, phone: str, sender: str, by: str, now: datetime, callback_id: str | None = None, told_at: datetime | None = None
) -> None:
    """Keep that a person wants no more messages of a sender, "" for every sender, unless something newer was told.

    phone: in any spelling. by: callback, keyword, or who does it by hand. callback_id: the callback that says so, and
    told_at when it came; none: said now.
    """
    person = person_of(phone)
    if person is None:
        return
    alone(connection, f"opt_outs {person}")
    mine = callback_id or _moment(now)
    came_back = select(OptOut.callback_id, OptOut.updated_at).where(OptOut.phone == person, OptOut.state == IN)
    if any(mark_of(*row) > mine for row in connection.execute(came_back)):
        return
    _write(connection, person, sender, OUT, by, now, callback_id, told_at)


def opt_in(connection: Connection, phone: str, by: str, now: datetime, callback_id: str | None = None) -> None:
    """Keep that a person takes messages again, of all senders, unless something newer was told. As opt_out."""
    person = person_of(phone)
    if person is None:
        return
    alone(connection, f"opt_outs {person}")
    senders = connection.scalars(select(OptOut.sender).where(OptOut.phone == person)).all()
    # Also where nothing is known: a callback that still waits may be older than this.
    for sender in {*senders, EVERY_SENDER}:
        _write(connection, person, sender, IN, by, now, callback_id)
    if callback_id is None:
        # Else the next opt-out would be a repeat of the last: no callback stands between them.
        slots = [slot_of_alike(OPT_OUT, spelled) for spelled in (person, person.removeprefix("+"))]
        connection.execute(update(Callback).where(Callback.slot.in_(slots)).values(slot=None))


def _write(
    connection: Connection,
    phone: str,
    sender: str,
    state: str,
    by: str,
    now: datetime,
    callback_id: str | None,
    told_at: datetime | None = None,
) -> None:
    since = told_at or now
    values = {"state": state, "by": by, "callback_id": callback_id}
    key = {"phone": phone, "sender": sender}
    row = held(connection, OptOut, key, {"id": new_id("out", since), "created_at": since, "updated_at": now, **values})
    told_since = {"created_at": min(row["created_at"], since)}
    is_newer = (callback_id or _moment(now)) >= mark_of(row["callback_id"], row["updated_at"])
    changed(connection, OptOut, row, values | told_since if is_newer else told_since, now)


def mark_of(callback_id: str | None, told_at: datetime) -> str:
    """Return what tells which of two rows, or callbacks, is newer: the callback's id, or the beginning of one of that time."""
    return callback_id or _moment(told_at)


def _moment(moment: datetime) -> str:
    return f"cb_{ULID.from_datetime(moment)}"[:13]
