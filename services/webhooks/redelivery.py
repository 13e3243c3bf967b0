"""Sends again what was sent or given up already, and what never was: the same events, with the ids that they had."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, update
from ulid import ULID

from app.extensions import db, writing
from app.models import Callback, Delivery, Endpoint, Event
from app.models.webhook import WAITING
from app.schemas.callbacks import KINDS
from services.webhooks import events
from services.webhooks.endpoints import found, insist_on_active, try_now
from services.webhooks.past_deliveries import found_delivery

logger = logging.getLogger(__name__)
# In one transaction: callbacks have to be kept meanwhile.
TOGETHER = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Happening(NamedTuple):
    """One event as its deliveries name it."""

    event_id: str
    name: str
    callback_id: str | None


def retry(delivery_id: str) -> None:
    """Make one delivery due now, whatever became of it. Raises UnknownDelivery, and Conflict where its endpoint is off."""
    now = datetime.now(UTC)
    with writing() as connection:
        endpoint_id = found_delivery(connection, delivery_id).endpoint_id
        _insist_on_active(connection, endpoint_id)
        connection.execute(update(Delivery).where(Delivery.id == delivery_id).values(state=WAITING, due_at=now, revived_at=now))
        try_now(connection, endpoint_id, now)
    logger.info("delivery %s is due again", delivery_id)


def recover(since: datetime, endpoint_id: str | None = None) -> int:
    """Make all that was not delivered since a time due now, and return how many there were.

    What comes meanwhile goes its own way. endpoint_id: only of this one, which must be active. Raises UnknownEndpoint, Conflict.
    """
    last = _last(Delivery.id)
    endpoint_ids = [endpoint_id] if endpoint_id else _active_ids()
    return sum(_recover_one(each, since, last) for each in endpoint_ids)


def replay(endpoint_id: str, since: datetime) -> int:
    """Send an endpoint all that it asks for and that happened since a time, what it got already too; return how many there are.

    What waits already is not counted, what comes meanwhile goes its own way. Raises UnknownEndpoint, and Conflict for one that is off.
    """
    with db.engine.connect() as connection:
        endpoint = found(connection, endpoint_id)
    insist_on_active(endpoint.is_active)
    count = 0
    for happenings in _batches(endpoint, since):
        with writing() as connection:
            now = datetime.now(UTC)
            found(connection, endpoint_id, to_change=True)
            count += _queued(connection, endpoint_id, happenings, now)
            try_now(connection, endpoint_id, now)
    logger.info("endpoint %s: %d deliveries replayed", endpoint_id, count)
    return count


def _active_ids() -> list[str]:
    with db.engine.connect() as connection:
        return list(connection.scalars(select(Endpoint.id).where(Endpoint.is_active).order_by(Endpoint.id)))


def _insist_on_active(connection: Connection, endpoint_id: str) -> None:
    """Lock an endpoint. Raises UnknownEndpoint, Conflict; one for alerts is as good as any here."""
    is_active = connection.scalar(select(Endpoint.is_active).where(Endpoint.id == endpoint_id).with_for_update())
    insist_on_active(found(connection, endpoint_id).is_active if is_active is None else is_active)


def _recover_one(endpoint_id: str, since: datetime, last: str) -> int:
    now, count = datetime.now(UTC), 0
    is_open = (Delivery.endpoint_id == endpoint_id) & (Delivery.state != "delivered")
    with db.engine.connect() as connection:
        _insist_on_active(connection, endpoint_id)
    for rows in _pages(select(Delivery.id).where(is_open), Delivery.id, _first_id("dlv_", since), last):
        with writing() as connection:
            _insist_on_active(connection, endpoint_id)
            still = update(Delivery).where(Delivery.id.in_([row.id for row in rows]), is_open)
            count += connection.execute(still.values(state=WAITING, due_at=now, revived_at=now)).rowcount
            try_now(connection, endpoint_id, now)
    logger.info("endpoint %s: %d deliveries are due again", endpoint_id, count)
    return count


def _queued(connection: Connection, endpoint_id: str, happenings: Sequence[Happening], now: datetime) -> int:
    """Make a delivery of each that has none, and those due that are over; return how many."""
    ids = [happening.event_id for happening in happenings]
    ours = (Delivery.endpoint_id == endpoint_id) & Delivery.event_id.in_(ids)
    there = set(connection.scalars(select(Delivery.event_id).where(ours)))
    over = update(Delivery).where(ours, Delivery.state != WAITING)
    again = connection.execute(over.values(state=WAITING, due_at=now, revived_at=now)).rowcount
    for happening in happenings:
        if happening.event_id not in there:
            events.deliver(connection, *happening, now, endpoints=[endpoint_id])
    return again + len(ids) - len(there)


def _batches(endpoint: Endpoint, since: datetime) -> Iterator[list[Happening]]:
    kinds = [kind for kind in KINDS if events.wants(endpoint, kind)]
    names = [name for name in events.MADE_HERE if name != events.PING and events.wants(endpoint, name)]
    last_callback, last_event = _last(Callback.id), _last(Event.id)
    if kinds:
        is_told = Callback.kind.in_(kinds) & Callback.state.in_(["accepted", "differing"]) & Callback.has_effects
        query = select(Callback.id, Callback.kind).where(is_told)
        for rows in _pages(query, Callback.id, _first_id("cb_", since), last_callback):
            yield [Happening(events.event_id_of(row.id), row.kind, row.id) for row in rows]
    if names:
        query = select(Event.id, Event.name).where(Event.name.in_(names))
        for rows in _pages(query, Event.id, _first_id("evt_", since), last_event):
            yield [Happening(row.id, row.name, None) for row in rows]


def _last(key: Any) -> str:
    """Return the greatest id of a table. Taken at the start, it is where the work ends: rows may come as fast as they are worked on."""
    with db.engine.connect() as connection:
        return connection.scalar(select(func.max(key))) or ""


def _pages(query: Any, key: Any, after: str, last: str) -> Iterator[Sequence[Any]]:
    """Give the rows behind an id up to another, so many at once; nothing is held open between."""
    while True:
        with db.engine.connect() as connection:
            rows = connection.execute(query.where(key > after, key <= last).order_by(key).limit(TOGETHER)).all()
        if not rows:
            return
        yield rows
        after = rows[-1][0]


def _first_id(prefix: str, since: datetime) -> str:
    """Return what stands before every id of that time and later: ids begin with their time."""
    return prefix + str(ULID.from_datetime(max(since, EPOCH)))[:10]
