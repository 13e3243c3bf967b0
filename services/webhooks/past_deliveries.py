"""Reads deliveries back with their attempts, newest first, and what waits for each endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from app.errors import GatewayError
from app.extensions import db
from app.models import Attempt, Delivery
from app.models.webhook import WAITING
from app.schemas.bodies import clean
from services.webhooks.endpoints import found
from services.webhooks.webhook_body import stamp

STATES = (WAITING, "delivered", "dead")
# A page with more attempts than that tells only the beginning of each answer; one delivery tells all that is kept.
MOST_WHOLE_ANSWERS = 200
ANSWER_IN_LONG_LISTS = 1000


class UnknownDelivery(GatewayError):
    """No delivery has this id."""

    status = 404


@dataclass(frozen=True)
class Backlog:
    """What waits for one endpoint, and what was wrong with the oldest."""

    waiting: int = 0
    problem: str | None = None


def newest(limit: int, after: str | None = None, endpoint_id: str | None = None, state: str | None = None) -> list[dict[str, Any]]:
    """Return the newest deliveries with their attempts, told, newest first; on long pages answers are cut.

    after: the id of the last one that was seen. Raises UnknownEndpoint.
    """
    query = _columns(Delivery.__table__, limit).order_by(Delivery.id.desc()).limit(limit)
    for column, wanted in ((Delivery.endpoint_id, endpoint_id), (Delivery.state, state)):
        if wanted:
            query = query.where(column == wanted)
    if after:
        query = query.where(Delivery.id < clean(after))
    with db.engine.connect() as connection:
        if endpoint_id:
            found(connection, endpoint_id)
        rows = [Delivery(**row._mapping) for row in connection.execute(query)]
        return told_all(connection, rows)


def told_all(connection: Connection, rows: Sequence[Delivery]) -> list[dict[str, Any]]:
    """Return deliveries with their attempts, told."""
    attempts = _attempts(connection, _columns(Attempt.__table__, sum(row.attempts for row in rows)), rows)
    return [told(row, attempts[row.id]) for row in rows]


def one(delivery_id: str) -> dict[str, Any]:
    """Return one delivery with all its attempts, told. Raises UnknownDelivery."""
    with db.engine.connect() as connection:
        row = found_delivery(connection, delivery_id)
        attempts = _attempts(connection, select(Attempt.__table__), [row])
    return told(row, attempts[row.id])


def found_delivery(connection: Connection, delivery_id: str) -> Delivery:
    """Return one delivery. Raises UnknownDelivery."""
    row = connection.execute(select(Delivery.__table__).where(Delivery.id == clean(delivery_id))).one_or_none()
    if row is None:
        raise UnknownDelivery(f"No delivery '{delivery_id[:60]}'. flask deliveries list names the newest.")
    return Delivery(**row._mapping)


def backlogs(endpoint_ids: Sequence[str]) -> dict[str, Backlog]:
    """Return what waits for each of these endpoints."""
    waiting = select(Delivery.endpoint_id, func.count(), func.min(Delivery.event_id))
    waiting = waiting.where(Delivery.state == WAITING, Delivery.endpoint_id.in_(endpoint_ids)).group_by(Delivery.endpoint_id)
    told_of = dict.fromkeys(endpoint_ids, Backlog())
    with db.engine.connect() as connection:
        for endpoint_id, count, oldest in connection.execute(waiting).all():
            problem = select(Delivery.problem).where(Delivery.endpoint_id == endpoint_id, Delivery.event_id == oldest)
            told_of[endpoint_id] = Backlog(count, connection.scalar(problem))
    return told_of


def told(row: Delivery, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return what an answer tells of a delivery. attempts: those that failed, oldest first."""
    tries = [_try(a.number, a.attempted_at, a.status, a.answer, a.ms, a.problem, a.next_try_at) for a in attempts]
    due = row.due_at if row.state == WAITING else None
    # The last try stands on the delivery; one under way has no outcome yet.
    is_over = row.status is not None or row.problem is not None
    if is_over and row.attempted_at and row.attempts > (attempts[-1].number if attempts else 0):
        tries.append(_try(row.attempts, row.attempted_at, row.status, row.answer, row.ms, row.problem, due if row.problem else None))
    return {
        "id": row.id,
        "webhookId": row.endpoint_id,
        "event": row.event,
        "eventId": row.event_id,
        "callbackId": row.callback_id,
        "state": row.state,
        "attempts": tries,
        "nextTryAt": maybe_stamp(due),
        "createdAt": stamp(row.created_at),
    }


def maybe_stamp(moment: datetime | None) -> str | None:
    """Return a time as the API writes it, None for none."""
    return stamp(moment) if moment else None


def _try(
    number: int, at: datetime, status: int | None, answer: str | None, ms: int | None, problem: str | None, next_try_at: datetime | None
) -> dict[str, Any]:
    facts = {"number": number, "at": stamp(at), "status": status, "answer": answer, "ms": ms, "problem": problem}
    return facts | {"nextTryAt": maybe_stamp(next_try_at)}


def _columns(table: Table, count: int) -> Select[Any]:
    """Select all columns of a table; where it may give many rows, of the answer only its beginning."""
    if count <= MOST_WHOLE_ANSWERS:
        return select(table)
    answer = func.substr(table.c.answer, 1, ANSWER_IN_LONG_LISTS).label("answer")
    return select(*(answer if column.name == "answer" else column for column in table.c))


def _attempts(connection: Connection, query: Select[Any], rows: Sequence[Delivery]) -> dict[str, list[Attempt]]:
    of: dict[str, list[Attempt]] = {row.id: [] for row in rows}
    for row in connection.execute(query.where(Attempt.delivery_id.in_(of)).order_by(Attempt.delivery_id, Attempt.number)):
        of[row.delivery_id].append(Attempt(**row._mapping))
    return of
