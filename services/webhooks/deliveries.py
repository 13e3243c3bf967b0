"""The rows of webhooks on their way: who sends to which endpoint, what is due, and what became of each try.

One process at a time sends to an endpoint, under a lease that it renews; so nothing else need be claimed. What was
delivered is committed before the next is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, exists, insert, or_, select, update

from app.extensions import commit_one, db, writing
from app.hot import Prepared
from app.models import Attempt, Callback, Delivery, Endpoint, Event
from app.models.webhook import WAITING
from services.upkeep.processes import is_gone
from services.webhooks import events
from services.webhooks.retrying import GIVEN_UP_AFTER, GONE, LIFE, Tried, is_over, pause, pause_of_endpoint
from services.webhooks.webhook_body import JSON_TYPE, body_of, stamp, told_callback, told_event

# Longer than one delivery may take, by far.
LEASE = timedelta(seconds=60)
TOGETHER = 50
# One failure may be chance: a recovery is told after so many rounds.
TOLD_AFTER_ROUNDS = 3
MOST_ATTEMPTS, OFTEN = 50, 4
SOONEST = timedelta(seconds=5)
_RANDOM = Random()  # noqa: S311 - spreads tries, keeps no secret


@dataclass(frozen=True)
class Parcel:
    """One delivery, with the bytes that go out."""

    delivery: Delivery
    body: bytes
    content_type: str


def endpoints_with_work(now: datetime, me: str, only: str | None = None) -> list[str]:
    """Return the endpoints to which something can be sent now, by this process. only: looks at one of them."""
    due = exists().where(Delivery.endpoint_id == Endpoint.id, Delivery.state == WAITING, Delivery.due_at <= now)
    waiting = exists().where(Delivery.endpoint_id == Endpoint.id, Delivery.state == WAITING)
    may_try = Endpoint.failing_since.is_(None) & due | Endpoint.failing_since.is_not(None) & (Endpoint.next_try_at <= now) & waiting
    with db.engine.connect() as connection:
        found = select(Endpoint.id, Endpoint.leased_by, Endpoint.leased_until).where(Endpoint.is_active, may_try)
        rows = connection.execute(found if only is None else found.where(Endpoint.id == only))
        return [row.id for row in rows if _is_free(row, now, me)]


def take(endpoint_id: str, now: datetime, me: str) -> tuple[Endpoint, list[Parcel]] | None:
    """Lease an endpoint, or renew the lease, and return it with its oldest deliveries; None where there is nothing to do.

    Of a failing endpoint the oldest, and the one whose last try is the longest ago, which is sent where the oldest fails:
    so those that no receiver takes do not stand in the way of all others.
    """
    if endpoint_id not in endpoints_with_work(now, me, endpoint_id):
        return None  # without a turn to write, which callbacks may need
    with writing() as connection:
        row = connection.execute(select(Endpoint.__table__).where(Endpoint.id == endpoint_id).with_for_update(key_share=True)).one_or_none()
        endpoint = Endpoint(**row._mapping) if row else None
        if endpoint is None or not _is_mine(endpoint, now, me):
            return None
        lease = {"leased_by": me, "leased_until": now + LEASE}
        connection.execute(update(Endpoint).where(Endpoint.id == endpoint_id).values(lease))
    with db.engine.connect() as connection:
        deliveries = _next(connection, endpoint, now)
        parcels = packed(connection, endpoint, deliveries)
    if lost := [delivery.id for delivery in deliveries if delivery.id not in {parcel.delivery.id for parcel in parcels}]:
        with writing() as connection:
            gone = {"state": "dead", "problem": "What it tells of is no longer kept."}
            connection.execute(update(Delivery).where(Delivery.id.in_(lost)).values(gone))
    return (endpoint, parcels) if parcels else None


def give_back(me: str, endpoint_id: str | None = None) -> None:
    """End the leases of this process, or one of them."""
    mine = Endpoint.leased_by == me
    with writing() as connection:
        where = mine if endpoint_id is None else mine & (Endpoint.id == endpoint_id)
        connection.execute(update(Endpoint).where(where).values(leased_by=None, leased_until=None))


def _is_mine(endpoint: Endpoint, now: datetime, me: str) -> bool:
    rests = endpoint.failing_since is not None and endpoint.next_try_at is not None and endpoint.next_try_at > now
    return endpoint.is_active and _is_free(endpoint, now, me) and not rests


def _is_free(lease: Any, now: datetime, me: str) -> bool:
    """Whether this process may have an endpoint: nobody else has it, or whoever had it is gone."""
    return lease.leased_by in (None, me) or lease.leased_until is None or lease.leased_until < now or is_gone(lease.leased_by)


def _next(connection: Connection, endpoint: Endpoint, now: datetime) -> list[Delivery]:
    query = select(Delivery.__table__).where(Delivery.endpoint_id == endpoint.id, Delivery.state == WAITING)
    if endpoint.failing_since is None:
        due = query.where(Delivery.due_at <= now).order_by(Delivery.event_id)
        # What was refused so often may be refused for ever: after the others.
        fresh = _read(connection, due.where(Delivery.attempts < OFTEN).limit(TOGETHER))
        return fresh or _read(connection, due.limit(1))
    oldest = _read(connection, query.order_by(Delivery.event_id).limit(1))
    others = query.where(Delivery.id.not_in([delivery.id for delivery in oldest]))
    return oldest + _read(connection, others.order_by(Delivery.attempted_at.asc().nulls_first(), Delivery.event_id).limit(1))


def _read(connection: Connection, query: Select[Any]) -> list[Delivery]:
    return [Delivery(**row._mapping) for row in connection.execute(query)]


def packed(connection: Connection, endpoint: Endpoint, deliveries: Sequence[Delivery]) -> list[Parcel]:
    """Return what goes out for deliveries to an endpoint, but for those that tell of what is no longer kept."""
    wanted = [delivery.callback_id for delivery in deliveries if delivery.callback_id]
    callbacks = {
        row.id: Callback(**row._mapping) for row in connection.execute(select(Callback.__table__).where(Callback.id.in_(wanted)))
    }  # fmt: skip
    made = [delivery.event_id for delivery in deliveries if not delivery.callback_id]
    happened = {row.id: Event(**row._mapping) for row in connection.execute(select(Event.__table__).where(Event.id.in_(made)))}
    parcels = [
        _parcel(endpoint, delivery, callbacks.get(delivery.callback_id or ""), happened.get(delivery.event_id)) for delivery in deliveries
    ]
    return [parcel for parcel in parcels if parcel]


def _parcel(endpoint: Endpoint, delivery: Delivery, callback: Callback | None, event: Event | None) -> Parcel | None:
    if event is not None:
        return Parcel(delivery, body_of(told_event(event)), JSON_TYPE)
    if callback is None:
        return None
    if endpoint.format == "original":
        return Parcel(delivery, bytes(callback.raw_body), callback.content_type or "application/octet-stream")
    return Parcel(delivery, body_of(told_callback(callback)), JSON_TYPE)


@cache
def _delivered(dialect: str) -> Prepared:
    """Build the one statement of the usual way: it was taken."""
    names = ("status", "answer", "ms", "attempted_at")
    one = update(Delivery).where(Delivery.id == bindparam("which"), Delivery.state == WAITING)
    values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=getattr(Delivery, name).type) for name in names}
    values |= {"state": "delivered", "problem": None, "attempts": Delivery.attempts + 1}
    return Prepared(one.values(values).returning(Delivery.id), db.engine.dialect, ())


def is_usual(endpoint: Endpoint, tried: Tried) -> bool:
    """Whether a try was taken by an endpoint that is well: then a single statement records it."""
    return tried.problem is None and endpoint.failing_since is None


def record(endpoint: Endpoint, delivery: Delivery, tried: Tried, now: datetime, round_began: datetime | None) -> str:
    """Commit what became of a try, and return that: delivered, failed (it comes again) or dead. round_began: None outside a probe."""
    if is_usual(endpoint, tried):
        values = {"which": delivery.id, "new_status": tried.status, "new_answer": tried.answer, "new_ms": tried.ms}
        commit_one(_delivered(db.engine.dialect.name), values | {"new_attempted_at": tried.began})
        return "delivered"
    with writing() as connection:
        # The endpoint first, always: so nobody waits for each other.
        row = connection.execute(select(Endpoint.__table__).where(Endpoint.id == endpoint.id).with_for_update(key_share=True)).one_or_none()
        if row is None:
            return "failed"
        current = Endpoint(**row._mapping)
        if tried.problem is None:
            _succeeded(connection, current, delivery, tried, now, round_began)
            return "delivered"
        return _failed(connection, current, delivery, tried, now, is_probe=round_began is not None)


def _succeeded(
    connection: Connection, endpoint: Endpoint, delivery: Delivery, tried: Tried, now: datetime, round_began: datetime | None
) -> None:
    values = {"state": "delivered", "problem": None, "attempts": Delivery.attempts + 1, **_seen(tried)}
    connection.execute(update(Delivery).where(Delivery.id == delivery.id).values(values))
    if endpoint.failing_since is None:
        return
    # What failed in this very round keeps its own pause: it may be the one thing that is wrong.
    since = round_began or now
    later = (Delivery.endpoint_id == endpoint.id) & (Delivery.state == WAITING) & (Delivery.due_at > now)
    failed_before = or_(Delivery.attempted_at.is_(None), Delivery.attempted_at < since)
    connection.execute(update(Delivery).where(later, failed_before).values(due_at=now))
    well = {"failing_since": None, "failures": 0, "next_try_at": None}
    connection.execute(update(Endpoint).where(Endpoint.id == endpoint.id).values(well))
    if endpoint.failures >= TOLD_AFTER_ROUNDS and not endpoint.is_for_alerts:
        told = {"webhookId": endpoint.id, "url": _without_query(endpoint.url), "failingSince": stamp(endpoint.failing_since)}
        events.publish(connection, "endpoint.recovered", told, now, reference=endpoint.id)


def _failed(connection: Connection, endpoint: Endpoint, delivery: Delivery, tried: Tried, now: datetime, is_probe: bool) -> str:
    attempts, since = delivery.attempts + 1, delivery.revived_at or delivery.created_at
    dies = is_over(attempts, since, now)
    due_at = min(now + pause(attempts, tried, _RANDOM), max(since + LIFE, now + SOONEST))
    attempt = {"delivery_id": delivery.id, "number": attempts, "next_try_at": None if dies else due_at, "problem": tried.problem}
    connection.execute(insert(Attempt), attempt | _seen(tried))
    # A receiver that is away for days is asked a thousand times.
    connection.execute(delete(Attempt).where(Attempt.delivery_id == delivery.id, Attempt.number == attempts - MOST_ATTEMPTS))
    state = {"state": "dead"} if dies else {"due_at": due_at}
    connection.execute(
        update(Delivery).where(Delivery.id == delivery.id).values({"attempts": attempts, "problem": tried.problem, **_seen(tried), **state})
    )
    _rest(connection, endpoint, tried, now, is_probe)
    return "dead" if dies else "failed"


def _rest(connection: Connection, endpoint: Endpoint, tried: Tried, now: datetime, is_probe: bool) -> None:
    """Leave an endpoint that fails alone for a while, or turn it off."""
    if not endpoint.is_active:
        return
    since = endpoint.failing_since or now
    if tried.status == GONE and not endpoint.is_for_alerts:
        _turn_off(connection, endpoint, "it answered 410: it wants no more", now)
    elif now - since >= GIVEN_UP_AFTER and not endpoint.is_for_alerts:
        _turn_off(connection, endpoint, f"nothing but failure since {stamp(since)}", now)
    elif endpoint.failing_since is None or (is_probe and (endpoint.next_try_at is None or endpoint.next_try_at <= now)):
        failures = endpoint.failures + 1
        rests = {"failing_since": since, "failures": failures, "next_try_at": now + pause_of_endpoint(failures, tried, _RANDOM)}
        connection.execute(update(Endpoint).where(Endpoint.id == endpoint.id).values(rests))


def _turn_off(connection: Connection, endpoint: Endpoint, why: str, now: datetime) -> None:
    connection.execute(update(Endpoint).where(Endpoint.id == endpoint.id).values(is_active=False, off_because=why))
    told = {"webhookId": endpoint.id, "url": _without_query(endpoint.url), "reason": why}
    events.publish(connection, "endpoint.disabled", told, now, reference=endpoint.id)


def _without_query(url: str) -> str:
    # Others are told of it, and it may hold a secret.
    return url.partition("?")[0]


def _seen(tried: Tried) -> dict[str, object]:
    return {"attempted_at": tried.began, "status": tried.status, "answer": tried.answer, "ms": tried.ms}
