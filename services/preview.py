"""What an order would be: who gets it, in how many parts, and what it may cost by what such orders cost before. Sends nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flask import current_app
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from app.deadline import within
from app.errors import GatewayError, StorageUnavailable
from app.extensions import PATIENCE_S, db
from app.models import Invocation, Recipient
from app.schemas.invokes import INVOKES
from app.schemas.orders import country_code
from services.desk import insist_on_readiness
from services.gsm7 import message_parts
from services.invocations import EVERYBODY_LEFT, Order
from services.opt_outs import opted_out
from services.spend_switch import insist_on_leave
from services.spending import check_caps

# Recipients that are looked at for what is usual.
MOST_COSTS = 200


def preview(order: Order) -> dict[str, Any]:
    """Return parts and encoding of a message, recipients, who is skipped, the estimated cost, and what would refuse it now.

    Raises StorageUnavailable.
    """
    try:
        return _previewed(order)
    except SQLAlchemyError as error:
        raise StorageUnavailable from error


def _previewed(order: Order) -> dict[str, Any]:
    row = INVOKES[order.kind]
    with within(PATIENCE_S), db.engine.connect() as connection:
        skipped = opted_out(connection, order.phones) if row.is_message and not order.force else set()
        wanted = [phone for phone in order.phones if phone not in skipped]
        refused = why_refused(connection, order, wanted)
    text = order.details.get("message")
    parts = message_parts(text) if text else None
    told: dict[str, Any] = {"recipients": wanted, "skipped": sorted(skipped)}
    if parts:
        told |= {"parts": parts.parts, "encoding": parts.encoding, "characters": parts.length, "unusual": parts.unusual}
    if order.amount is not None:
        told["estimated_cost"] = {order.currency: f"{order.amount * len(wanted):.4f}"}
    else:
        told["estimated_cost"] = _estimate(order, wanted, parts.parts if parts else 1)
    return told | {"refused": refused}


def why_refused(connection: Connection, order: Order, wanted: list[str]) -> str | None:
    """Return what would be said to the order now, None where nothing stands in its way."""
    settings = current_app.config["POKEA"]
    try:
        insist_on_readiness(order, settings)
        insist_on_leave(connection)
        check_caps(connection, settings, datetime.now(UTC), wanted, order.amount, order.currency)
    except GatewayError as error:
        return error.message
    return None if wanted else EVERYBODY_LEFT


def _estimate(order: Order, wanted: list[str], parts: int) -> dict[str, str] | None:
    """Return the sum by currency of what a part for such a number cost lately; None where one of them is not known."""
    usual = _usual_costs(order.kind)
    sums: dict[str, Decimal] = {}
    for phone in wanted:
        if (cost := usual.get(country_code(phone))) is None:
            return None
        sums[cost[0]] = sums.get(cost[0], Decimal(0)) + cost[1] * parts
    return {currency: f"{total:.4f}" for currency, total in sums.items()} or None


def _usual_costs(kind: str) -> dict[int, tuple[str, Decimal]]:
    """Return the mean cost of one part, by country code, of the newest recipients that cost something, in the newest currency."""
    joined = Recipient.__table__.join(Invocation.__table__, Invocation.id == Recipient.invocation_id)
    columns = (Recipient.phone, Recipient.cost, Recipient.cost_currency, Invocation.ordered)
    query = select(*columns).select_from(joined).where(Invocation.kind == kind, Recipient.cost.is_not(None))
    costs: dict[int, tuple[str, list[Decimal]]] = {}
    with db.engine.connect() as connection:
        for phone, cost, currency, ordered in connection.execute(query.order_by(Invocation.id.desc()).limit(MOST_COSTS)):
            known_currency, known = costs.setdefault(country_code(phone), (currency, []))
            if currency == known_currency:
                known.append(cost / message_parts(ordered.get("message", "")).parts)
    return {country: (currency, sum(known, Decimal(0)) / len(known)) for country, (currency, known) in costs.items()}
