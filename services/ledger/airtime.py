"""Top-ups: what orders and status callbacks say of each, and what it cost in the end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from app.models import Airtime, Callback, Invocation, Recipient
from app.schemas.fields import Amount
from services.ledger import costs
from services.ledger.readings import amount_of, key_of, larger, money, named, phone_of
from services.ledger.rows import Row, alone, changed, held, new_id, sources
from services.ledger.states import AIRTIME


def status(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add a status callback."""
    provider_id, word = key_of(data["request_id"]), named(data["status"])
    if provider_id is None or word is None:
        return
    row = _row(connection, provider_id, phone_of(data.get("phone_number")), callback.received_at, now)
    discount = amount_of(data.get("discount"))
    values = AIRTIME.risen(row, word, named(data.get("description"))) | money(row, amount_of(data.get("value")))
    values |= sources(row, callback.received_at) | {"discount": larger(row["discount"], discount and discount.value)}
    _write(connection, row, values, now)


def sent(connection: Connection, invocation: Invocation, recipients: Sequence[Recipient], now: datetime) -> None:
    """Add the top-ups of an order that were taken."""
    for recipient in recipients:
        row = _row(connection, str(recipient.provider_id), recipient.phone, invocation.called_at, now)
        told = Amount(recipient.amount, recipient.currency) if recipient.amount is not None else None
        values = AIRTIME.risen(row, "Sent", None) | money(row, told) | sources(row, invocation.called_at, invocation)
        _write(connection, row, values, now)


def _row(connection: Connection, provider_id: str, phone: str | None, since: datetime, now: datetime) -> Row:
    """Return the row of a request. An old form of the callback names no number: it is about the one that is known."""
    alone(connection, f"airtime {provider_id}")
    known = connection.scalars(select(Airtime.phone).where(Airtime.provider_id == provider_id).order_by(Airtime.phone)).all()
    if phone is None:
        phone = known[-1] if known else ""
    elif "" in known and phone not in known:
        connection.execute(update(Airtime).where(Airtime.provider_id == provider_id, Airtime.phone == "").values(phone=phone))
        costs.put_one(connection, "airtime", f"{provider_id}:", since, None, None, None)
    new = {"id": new_id("air", since), "state": "Queued", "created_at": since, "updated_at": now}
    return held(connection, Airtime, {"provider_id": provider_id, "phone": phone}, new)


def _write(connection: Connection, row: Row, values: Row, now: datetime) -> None:
    row = changed(connection, Airtime, row, values, now)
    if row["value"] is None:
        return
    paid = None if row["state"] == "Failed" else row["value"] - (row["discount"] or 0)
    name = f"{row['provider_id']}:{row['phone']}"
    costs.put_one(connection, "airtime", name, row["created_at"], row["phone"] or None, paid, row["currency"])
