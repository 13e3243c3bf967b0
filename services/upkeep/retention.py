"""Removes what is old and nobody needs, in batches small enough that callbacks go on meanwhile."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, select

from app.extensions import Base, db, writing
from app.models import UssdSession
from services.reading.filters import first_id
from services.upkeep.marks import claim_mark, read_mark, write_mark
from services.upkeep.prunable import SORTS

logger = logging.getLogger(__name__)
MARK = "prune"
EVERY = timedelta(hours=1)
# Most of what stays is money, and not looked at every hour. Some may go later: it was unpinned, or its work is done.
ANEW_EVERY = timedelta(days=1)
# Who prunes for longer keeps its turn so, and the place that it has reached.
SAVE_EVERY_S = 60.0
# One batch takes a few milliseconds, and after it others have at least as long.
TOGETHER = 250
LEAST_PAUSE_S = 0.005
MOST_PAUSE_S = 0.1
# A menu's memory is of no use once the session is over; nobody takes one up again after a day.
SESSIONS_LONGER = timedelta(days=1)
NOTHING = {"callbacks": 0, "deliveries": 0, "reactions": 0, "events": 0, "ussd_sessions": 0}
Progress = Callable[[int], None]
MayGoOn = Callable[[], bool]


def _nothing(_count: int) -> None:
    pass


@dataclass
class _Walk:
    """A walk over what is old. now: when it began. after: the ids that it has reached, from a walk before it too."""

    now: datetime
    may_go_on: MayGoOn
    progress: Progress = _nothing
    after: dict[str, str] = field(default_factory=dict)
    # When the walk began at the first ids, ISO 8601
    first_at: str = ""
    began: float = field(default_factory=monotonic)
    saved: float = field(default_factory=monotonic)

    def save(self, is_through: bool) -> None:
        value = {"after": self.after, "first_at": self.first_at, "is_through": is_through}
        with writing() as connection:
            write_mark(connection, MARK, value, self.now + timedelta(seconds=monotonic() - self.began))
        self.saved = monotonic()

    def save_at_times(self, _count: int) -> None:
        if monotonic() - self.saved >= SAVE_EVERY_S:
            self.save(is_through=False)


def prune(days: int, now: datetime, progress: Progress | None = None, may_go_on: MayGoOn = lambda: True) -> dict[str, int]:
    """Remove what is older than so many days, and return how many rows of each sort. 0 keeps all.

    progress: told of every batch how many callbacks, deliveries, reactions and events were looked at. may_go_on: asked
    before each batch.
    """
    return _prune_all(days, _Walk(now, may_go_on, progress or _nothing))


def prune_if_due(days: int, now: datetime, may_go_on: MayGoOn) -> dict[str, int]:
    """Do as `prune` where it is the caller's turn: of all processes one at a time, and not within an hour after the last.

    It goes on from where the last one came, and once a day from the beginning.
    """
    if days <= 0:
        return dict(NOTHING)
    with writing() as connection:
        if not claim_mark(connection, MARK, EVERY, now):
            return dict(NOTHING)
        last = read_mark(connection, MARK)
    walk = _Walk(now, may_go_on, first_at=now.isoformat())
    walk.progress = walk.save_at_times
    if last and not (last["is_through"] and now - datetime.fromisoformat(last["first_at"]) >= ANEW_EVERY):
        walk.after, walk.first_at = last["after"], last["first_at"]
    removed = _prune_all(days, walk)
    walk.save(is_through=may_go_on())
    if any(removed.values()):
        logger.info("older than %d days, removed: %s", days, ", ".join(f"{count} {name}" for name, count in removed.items() if count))
    return removed


def _prune_all(days: int, walk: _Walk) -> dict[str, int]:
    removed = dict(NOTHING)
    if days <= 0:
        return removed
    until = walk.now - timedelta(days=days)
    # What stands in the way of a callback goes first.
    for name, model, prefix, may_go in SORTS:
        removed[name] = _prune(walk, name, model, first_id(prefix, until), may_go())
    removed["ussd_sessions"] = _prune_sessions(walk, until - SESSIONS_LONGER)
    return removed


def how_many(days: int, now: datetime) -> int:
    """Return how many rows `prune` would look at."""
    until = now - timedelta(days=days)
    with db.engine.connect() as connection:
        counts = [
            connection.scalar(select(func.count()).select_from(model).where(model.id < first_id(prefix, until)))
            for _, model, prefix, _ in SORTS
        ]
    return sum(count or 0 for count in counts)


def _prune(walk: _Walk, name: str, model: Any, end: str, may_go: ColumnElement[bool]) -> int:
    """Walk over the ids below `end`, so that what stays is looked at once, and return how many rows went."""
    removed, query = 0, select(model.id, may_go.label("may_go")).where(model.id < end).order_by(model.id)
    while walk.may_go_on() and (rows := _rows(query.where(model.id > walk.after.get(name, "")))):
        removed += _remove(model, [row.id for row in rows if row.may_go], may_go)
        walk.after[name] = rows[-1].id
        walk.progress(len(rows))
    return removed


def _prune_sessions(walk: _Walk, until: datetime) -> int:
    is_old = UssdSession.updated_at < until
    removed = 0
    while walk.may_go_on() and (rows := _rows(select(UssdSession.id).where(is_old))):
        removed += _remove(UssdSession, [row.id for row in rows], is_old)
    return removed


def _rows(query: Any) -> Sequence[Row]:
    with db.engine.connect() as connection:
        return connection.execute(query.limit(TOGETHER)).all()


def _remove(model: type[Base], ids: list[str], may_go: ColumnElement[bool]) -> int:
    """Remove rows that may go still, and leave others their turn."""
    if not ids:
        sleep(LEAST_PAUSE_S)
        return 0
    key = model.__table__.c["id"]
    began = monotonic()
    with writing() as connection:
        removed = connection.execute(delete(model).where(key.in_(ids), may_go)).rowcount
    sleep(min(MOST_PAUSE_S, max(LEAST_PAUSE_S, monotonic() - began)))
    return removed
