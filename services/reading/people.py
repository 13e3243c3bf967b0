"""Everything that is known of one number, in one line of time, and who was active lately."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from app.extensions import Base
from app.models import Callback, Invocation, Message, OptOut, Recipient, Session, Subscription
from app.operators import Operator, operator_of
from services.opt_outs import opted_out
from services.reading import costs
from services.reading.deeds import Deed, deed_of
from services.reading.filters import Filters, spellings
from services.reading.lists import page_of
from services.reading.paging import Stream, bare, merge, read
from services.reading.single import Unknown
from services.reading.tables import LISTS, column_of

_OF_LEDGER = ("messages", "sessions", "airtime", "payments", "sim-swap/checks", "optouts", "subscriptions")
# Who was active is looked for in so many of the newest callbacks, and of the newest orders' numbers.
MOST_LOOKED_AT = 1000
_SUMS = 50
_TABLES: dict[str, type[Base]] = {"cb": Callback, "ses": Session, "msg": Message}
_ID = re.compile(r"((?:cb|ses|msg)_[0-9A-Z]{26}|inv_[0-9A-Z]{26}(?=\.))(?:\.([0-9]{1,4}))?", re.ASCII)


@dataclass(frozen=True)
class Standing:
    """How one number stands with us. out: the opt-outs that hold. spent: sums of the last 31 days, by currency and product."""

    operator: Operator | None
    is_out: bool
    out: list[Row]
    subscriptions: list[Row]
    spent: dict[str, list[tuple[str, Decimal]]]


@dataclass(frozen=True)
class Person:
    """Somebody who was active lately: what they did last, or we did for them. id: names them without their number, see `named`."""

    phone: str
    id: str
    at: datetime
    kind: str
    is_ours: bool
    operator: Operator | None


def deeds(connection: Connection, phone: str, after: str | None, limit: int, country: str, hides: bool) -> tuple[list[Deed], str | None]:
    """Return a page of what a number did and what was done for it, newest first, and where the next begins: a bare ULID."""
    filters = Filters(phone=phone)
    pages = []
    for name in _OF_LEDGER:
        start = f"{LISTS[name].ids}{after}" if after else None
        pages.append(bare(page_of(connection, name, filters, start, limit, country)))
    pages += [bare(read(connection, stream, after and f"inv_{after}", limit)) for stream in _not_taken(phone, country)]
    found = merge(pages, limit)
    rows = [row for _, row in found.rows]
    about = _callbacks_of(connection, rows)
    return [deed_of(row, about.get(getattr(row, "provider_id", None) or ""), hides) for row in rows], found.next


def standing(connection: Connection, phone: str, now: datetime, country: str, network_code: str | None = None) -> Standing:
    """Return how a number stands. network_code: the newest that is known of it."""
    numbers = spellings(phone, country)
    outs = connection.execute(select(OptOut.__table__).where(OptOut.phone.in_(numbers), OptOut.state == "out").order_by(OptOut.id))
    subscribed = select(Subscription.__table__).where(Subscription.phone.in_(numbers)).order_by(Subscription.id)
    spent: dict[str, list[tuple[str, Decimal]]] = {}
    for one in costs.costs(connection, Filters(phone=phone), "product", _SUMS, now, country):
        if amount := Decimal(one["amount"]):
            spent.setdefault(one["currency"], []).append((one["product"], amount))
    is_out = bool(opted_out(connection, [numbers[0]]))
    return Standing(
        operator_of(network_code, numbers[0]), is_out, list(outs) if is_out else [], list(connection.execute(subscribed)), spent
    )


def lately(connection: Connection, limit: int, country: str, ours: Iterable[str | None]) -> list[Person]:
    """Return the people who were active lately, the last one first. ours: numbers of our own, which are nobody."""
    said = select(Callback.id, Callback.phone, Callback.received_at.label("at"), Callback.kind, Callback.replay_of).where(
        Callback.phone.is_not(None)
    )
    asked = select(Recipient.invocation_id, Recipient.position, Recipient.phone, Invocation.asked_at.label("at"), Invocation.kind)
    asked = asked.join(Invocation, Invocation.id == Recipient.invocation_id).order_by(Recipient.invocation_id.desc())
    rows = [(row, False) for row in _newest(connection, said.order_by(Callback.id.desc())) if row.replay_of is None]
    rows += [(row, True) for row in _newest(connection, asked)]
    found: dict[str, Person] = {}
    known = {number: True for one in ours if one for number in spellings(one, country)}
    for row, is_ours in sorted(rows, key=lambda one: one[0].at, reverse=True):
        phone = spellings(row.phone, country)[0]
        if phone not in found and phone not in known:
            row_id = f"{row.invocation_id}.{row.position}" if is_ours else row.id
            found[phone] = Person(phone, row_id, row.at, row.kind, is_ours, operator_of(None, phone))
        if len(found) == limit:
            break
    return list(found.values())


def named(connection: Connection, wanted: str) -> str | None:
    """Return the number of the row that an id names: a callback, session or message, or `inv_….0`; None for what is no id.

    Raises Unknown for an id that nothing has, or that has no number.
    """
    found = _ID.fullmatch(wanted)
    if found is None:
        return None
    row_id, place = found.groups()
    if place is not None:
        query = select(Recipient.phone).where(Recipient.invocation_id == row_id, Recipient.position == int(place))
    else:
        table = _TABLES[row_id.partition("_")[0]]
        query = select(column_of(table, "phone")).where(column_of(table, "id") == row_id)
    phone: str | None = connection.scalar(query)
    if phone is None:
        raise Unknown(f"Nobody is named by '{wanted[:60]}'.")
    return phone


def _newest(connection: Connection, query: Select) -> list[Row]:
    return list(connection.execute(query.limit(MOST_LOOKED_AT)))


def _not_taken(phone: str, country: str) -> list[Stream]:
    """Return the orders for a number that Africa's Talking did not take, or nobody knows whether: they are in no other list."""
    columns = select(
        Recipient.invocation_id.label("id"), Invocation.kind, Invocation.asked_at, Invocation.ordered, Invocation.problem,
        Recipient.state, Recipient.status, Recipient.reason, Recipient.advice, Recipient.amount, Recipient.currency,
    ).join(Invocation, Invocation.id == Recipient.invocation_id)  # fmt: skip
    key = Recipient.__table__.c.invocation_id
    return [Stream(columns.where(Recipient.phone == one), key, (Recipient.state != "accepted",)) for one in spellings(phone, country)]


def _callbacks_of(connection: Connection, rows: list[Any]) -> dict[str, str]:
    """Return the newest callback that tells of each of these."""
    references = [one for row in rows if (one := getattr(row, "provider_id", None))]
    query = select(Callback.reference, func.max(Callback.id).label("newest")).where(
        Callback.reference.in_(references), Callback.has_effects
    )
    if not references:
        return {}
    return {row.reference: row.newest for row in connection.execute(query.group_by(Callback.reference))}
