"""Whether airtime that Africa's Talking asks about is an order of this app: each order is good for one transaction."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from app.models import Callback, Invocation, Recipient
from app.settings import Settings
from services.slots import hash_of, index_key
from services.spending import COUNTED, counting, day_of

# Of the two seconds in which a validation has to be answered.
PATIENCE_S = 1.0
# Africa's Talking tries an order again for some hours, and validates it each time.
OPEN_FOR = timedelta(hours=24)
AIRTIME = "airtime.send"
MOST_AMOUNT = Decimal(10) ** 8
_ORDERS = Recipient.__table__.join(Invocation.__table__, Invocation.id == Recipient.invocation_id)


def claim(order: dict[str, Any], fields: dict[str, Any], settings: Settings, now: datetime, takes: bool = True) -> str | None:
    """Take the order that a transaction is about, and return None; or return why there is none, as half a sentence.

    takes: False only looks, and changes nothing. order: transaction_id, phone_number, amount (Decimal) and currency of the
    callback. fields: the callback as sent; the same one may come again.
    Raises SQLAlchemyError or StorageUnavailable when the database does not answer in time.
    """
    with counting(PATIENCE_S) as connection:
        if _is_another_question(connection, order["transaction_id"], fields):
            return "this transaction was about something else before"
        found = _matching(connection, order, now)
        if found is None:
            return "no order of this app matches"
        if _is_over_cap(connection, settings, found, order["transaction_id"], now):
            return f"AIRTIME_DAILY_CAP is {settings.airtime_daily_cap} {settings.spend_currency} for one number"
        if takes:
            where = (Recipient.invocation_id == found.invocation_id) & (Recipient.position == found.position)
            connection.execute(update(Recipient).where(where).values(validated_for=order["transaction_id"]))
    return None


def _matching(connection: Connection, order: dict[str, Any], now: datetime) -> Row | None:
    """Return the recipient of the oldest order that fits and that no other transaction took."""
    amount: Decimal = order["amount"]
    if not 0 < amount < MOST_AMOUNT or amount != amount.quantize(Decimal("0.0001")):
        return None
    number = str(order["phone_number"]).lstrip("+")
    is_free = Recipient.validated_for.is_(None) | (Recipient.validated_for == order["transaction_id"])
    query = (
        select(Recipient.invocation_id, Recipient.position, Recipient.phone, Recipient.amount, Recipient.currency)
        .select_from(_ORDERS)
        .where(Recipient.phone == f"+{number}", Recipient.amount == amount, Recipient.currency == order["currency"])
        .where(COUNTED, is_free, Invocation.kind == AIRTIME, Invocation.called_at > now - OPEN_FOR)
        # The one that this transaction has already, if it asks again.
        .order_by(Recipient.validated_for.is_(None), Recipient.invocation_id)
    )
    return connection.execute(query).first()


def _is_another_question(connection: Connection, transaction_id: str, fields: dict[str, Any]) -> bool:
    """Whether this transaction was asked about before, in other words."""
    asked = select(Callback.fields_hash).where(
        Callback.reference == index_key(transaction_id), Callback.kind == "airtime.validation", Callback.state != "refused",
        Callback.replay_of.is_(None),
    )  # fmt: skip
    return any(bytes(known) != hash_of(fields) for known in connection.scalars(asked))


def _is_over_cap(connection: Connection, settings: Settings, found: Row, transaction_id: str, now: datetime) -> bool:
    cap = settings.airtime_daily_cap
    if cap is None:
        return False
    if found.currency != settings.spend_currency:
        return True
    others = (Recipient.validated_for.is_not(None)) & (Recipient.validated_for != transaction_id)
    query = (
        select(func.sum(Recipient.amount))
        .select_from(_ORDERS)
        .where(Invocation.kind == AIRTIME, COUNTED, others, Recipient.day == day_of(now))
        .where(Recipient.phone == found.phone, Recipient.currency == found.currency)
    )
    return (connection.scalar(query) or Decimal(0)) + found.amount > cap
