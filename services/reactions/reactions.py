"""Runs the functions of flows/ for a kept callback: a row for each, claimed, run outside of any transaction, and finished.

A function may run again, after a failure or a crash: its orders have keys that derive from the callback, so none is sent twice.
"""

import logging
from datetime import UTC, datetime, timedelta
from time import monotonic

from sqlalchemy import ColumnElement, Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from ulid import ULID

from app.errors import GatewayError
from app.extensions import db, writing
from app.models import Callback, Reaction
from services.reactions.keywords import called_for
from services.reactions.one_reaction import ended, rules
from services.upkeep import metrics

logger = logging.getLogger(__name__)
# Whoever runs one for longer may find that another process runs it, too.
LEASE = timedelta(seconds=120)


class UnknownReaction(GatewayError):
    """No reaction has this id."""

    status = 404

    def __init__(self, reaction_id: str) -> None:
        super().__init__(f"No reaction '{reaction_id}'. flask reactions list names them.")


def plan(connection: Connection, callback: Callback, now: datetime) -> None:
    """Make a row for each function that a kept callback calls for; one that is there already stays as it is."""
    if callback.state != "accepted" or not callback.has_effects:
        return
    called = called_for(rules(), callback.kind, str(callback.fields.get("text") or ""))
    rows = [
        {"id": f"rct_{ULID()}", "callback_id": callback.id, "name": one.rule.name, "state": "waiting", "due_at": now, "created_at": now}
        for one in called
    ]
    if rows:
        make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(make(Reaction).on_conflict_do_nothing(index_elements=["callback_id", "name"]), rows)


def waiting_of(callback_id: str) -> list[str]:
    """Return the ids of the reactions to a callback that are to run now."""
    query = select(Reaction.id).where(Reaction.callback_id == callback_id, _is_due(datetime.now(UTC)))
    with db.engine.connect() as connection:
        return list(connection.scalars(query))


def claim(limit: int, now: datetime) -> list[str]:
    """Return the ids of reactions that are due, for `run_one`; nobody else gets them within the time of a lease."""
    with db.engine.connect() as connection:
        if connection.scalar(select(Reaction.id).where(_is_due(now)).limit(1)) is None:
            return []
    with writing() as connection:
        query = select(Reaction.id).where(_is_due(now)).order_by(Reaction.due_at).limit(limit)
        ids = list(connection.scalars(query.with_for_update(skip_locked=True)))
        connection.execute(update(Reaction).where(Reaction.id.in_(ids)).values(due_at=now + LEASE))
    return ids


def _is_due(now: datetime) -> ColumnElement[bool]:
    # Spelled out in the statement: SQLite takes the index of waiting ones for nothing else.
    return (Reaction.state == bindparam(None, "waiting", literal_execute=True)) & (Reaction.due_at <= now)


def run_due(limit: int, now: datetime) -> int:
    """Run reactions that are due, one after the other, and return how many there were."""
    ids = claim(limit, now)
    for reaction_id in ids:
        run_one(reaction_id, now)
    return len(ids)


def run_one(reaction_id: str, now: datetime | None = None) -> None:
    """Run one reaction and keep how it ended. Nothing happens where it is done or dead, or runs just now."""
    now = now or datetime.now(UTC)
    reaction = _leased(reaction_id, now)
    if reaction is None:
        return
    began = monotonic()
    values = {**ended(reaction, now), "leased_until": None}
    # Not where another took it over meanwhile: what that one does counts.
    mine = (Reaction.id == reaction_id) & (Reaction.leased_until == reaction.leased_until)
    with writing() as connection:
        connection.execute(update(Reaction).where(mine, Reaction.state == "waiting").values(values))
    ms = round(1000 * (monotonic() - began))
    logger.info("reaction %s %s %d ms  %s", reaction.name, values["state"], ms, reaction_id)
    if values["state"] != "waiting" or "last_error" in values:
        metrics.reacted(reaction.name, "failed" if values["state"] == "waiting" else values["state"])


def _leased(reaction_id: str, now: datetime) -> Reaction | None:
    """Return a reaction that is ours to run now. A try counts from its beginning: one that ends the process counts, too."""
    values = {"leased_until": now + LEASE, "due_at": now + LEASE, "tries": Reaction.tries + 1, "did": None}
    is_free = Reaction.leased_until.is_(None) | (Reaction.leased_until <= now)
    with writing() as connection:
        waiting = (Reaction.id == reaction_id) & (Reaction.state == "waiting")
        if connection.execute(update(Reaction).where(waiting, is_free).values(values)).rowcount != 1:
            return None
        return Reaction(**connection.execute(select(Reaction.__table__).where(Reaction.id == reaction_id)).one()._mapping)


def again(reaction_id: str) -> None:
    """Make a reaction due now, whatever became of it. What it sent is not sent twice. Raises UnknownReaction."""
    values = {"state": "waiting", "due_at": datetime.now(UTC), "tries": 0, "finished_at": None}
    with writing() as connection:
        changed = connection.execute(update(Reaction).where(Reaction.id == reaction_id).values(values))
    if changed.rowcount != 1:
        raise UnknownReaction(reaction_id)
