"""What waits to be done and for how long, what was given up, and who is there to do it: reads that partial indexes answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, case, func, or_, select

from app.models import Callback, Campaign, CampaignBatch, Delivery, Endpoint, Mark, Reaction
from app.models.webhook import WAITING

# More than that are not told apart: a count must not cost more the worse things are.
MOST_COUNTED = 100_000
# How workers mark that they live: worker:<host>:<pid>
WORKER = "worker:"
WORKER_GONE_S = 30
# Campaigns whose unknown batches still wait for somebody's choice
_UNDECIDED = ("running", "paused", "unsettled")


@dataclass(frozen=True)
class Queue:
    """One sort of work. depth: what is due. oldest_s: how long the oldest of it is. dead: what no machine tries again."""

    name: str
    depth: int
    oldest_s: float
    dead: int


@dataclass(frozen=True)
class Workers:
    """Who does the work. seen_s_ago: None where none was ever seen. count: those that live."""

    seen_s_ago: float | None
    count: int


def backlog(connection: Connection, now: datetime) -> list[Queue]:
    """Return all queues, in the order in which work goes through them."""
    return [
        Queue("callbacks", *_due(connection, now, _callbacks_due(now)), _count(connection, _callbacks_dead())),
        Queue("deliveries", *_due(connection, now, _deliveries_due(now)), _count(connection, _dead(Delivery))),
        Queue("reactions", *_due(connection, now, _reactions_due(now)), _count(connection, _dead(Reaction))),
        Queue("batches", *_batches_due(connection, now), _count(connection, _batches_undecided())),
    ]


def workers_seen(connection: Connection, now: datetime) -> Workers:
    """Return who does the work."""
    query = select(Mark.updated_at).where(Mark.name.startswith(WORKER))
    ages_s = [max(0.0, (now - seen_at).total_seconds()) for seen_at in connection.scalars(query)]
    return Workers(min(ages_s, default=None), sum(age_s <= WORKER_GONE_S for age_s in ages_s))


def literally(column: Any, value: str) -> ColumnElement[bool]:
    """Return `column = 'value'`, spelled out in the statement: SQLite takes a partial index for nothing else."""
    return column == bindparam(None, value, literal_execute=True)


def _callbacks_due(now: datetime) -> Select:
    return select(Callback.due_at.label("due_at")).where(Callback.due_at <= now)


def _callbacks_dead() -> Select:
    return select(Callback.id).where(Callback.last_error.is_not(None), Callback.due_at.is_(None))


def _deliveries_due(now: datetime) -> Select:
    # Those of an endpoint that fails wait on purpose: they count, their age says nothing of the workers.
    age_counts = case((Endpoint.failing_since.is_(None), Delivery.due_at))
    return (
        select(age_counts.label("due_at"))
        .join(Endpoint, Endpoint.id == Delivery.endpoint_id)
        .where(Endpoint.is_active, literally(Delivery.state, WAITING), Delivery.due_at <= now)
    )


def _reactions_due(now: datetime) -> Select:
    return select(Reaction.due_at.label("due_at")).where(
        literally(Reaction.state, WAITING), Reaction.due_at <= now, _is_free(Reaction, now)
    )


def _is_free(model: Any, now: datetime) -> ColumnElement[bool]:
    return or_(model.leased_until.is_(None), model.leased_until <= now)


def _dead(model: Any) -> Select:
    return select(model.id).where(literally(model.state, "dead"))


def _batches_undecided() -> Select:
    query = select(CampaignBatch.id).join(Campaign, Campaign.id == CampaignBatch.campaign_id)
    return query.where(Campaign.state.in_(_UNDECIDED), CampaignBatch.state == "unknown")


def _due(connection: Connection, now: datetime, query: Select) -> tuple[int, float]:
    rows = query.limit(MOST_COUNTED).subquery()
    depth, oldest = connection.execute(select(func.count(), func.min(rows.c.due_at)).select_from(rows)).one()
    return depth, _age_s(oldest, now)


def _count(connection: Connection, query: Select) -> int:
    return connection.execute(select(func.count()).select_from(query.limit(MOST_COUNTED).subquery())).scalar_one()


def _batches_due(connection: Connection, now: datetime) -> tuple[int, float]:
    query = (
        select(func.count(), func.min(CampaignBatch.due_at), Campaign.next_batch_at)
        .join(Campaign, Campaign.id == CampaignBatch.campaign_id)
        .where(Campaign.state == "running", or_(Campaign.next_batch_at.is_(None), Campaign.next_batch_at <= now))
        .where(literally(CampaignBatch.state, WAITING), CampaignBatch.due_at <= now, _is_free(CampaignBatch, now))
        .group_by(Campaign.id, Campaign.next_batch_at)
    )
    rows = connection.execute(query).all()
    # A campaign goes at its own pace: a batch waits too long only from when the next one might have gone.
    ages_s = [_age_s(max(due_at, next_batch_at or due_at), now) for _, due_at, next_batch_at in rows]
    return sum(count for count, *_ in rows), max(ages_s, default=0.0)


def _age_s(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
