"""Reads reactions back, and tells them."""

from typing import Any

from sqlalchemy import ColumnElement, select

from app import masking
from app.extensions import db
from app.models import Callback, Reaction
from services.reactions.reactions import UnknownReaction
from services.reading.paging import Stream, read
from services.upkeep.backlog import literally

STATES = ("waiting", "done", "dead")


def newest(limit: int, state: str | None = None, name: str | None = None) -> list[dict[str, Any]]:
    """Return the newest reactions that match, newest first, as `one` tells them."""
    query = _told().order_by(Reaction.id.desc()).limit(limit)
    for column, wanted in ((Reaction.state, state), (Reaction.name, name)):
        if wanted:
            query = query.where(column == wanted)
    with db.engine.connect() as connection:
        return [_shown(row) for row in connection.execute(query)]


def page_of(limit: int, after: str | None = None, state: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page of reactions, newest first, and the id after which the next page begins, None where nothing is left.

    For a state that no index helps with some are looked at for one page: then it may be short, and the next goes on from there.
    """
    query = _told()
    tried: tuple[ColumnElement[bool], ...] = ()
    if state == "dead":
        query = query.where(literally(Reaction.state, state))
    elif state:
        tried = (Reaction.state == state,)
    with db.engine.connect() as connection:
        page = read(connection, Stream(query, Reaction.__table__.c.id, tried), after, limit)
    return [_shown(row) for _, row in page.rows], page.next


def one(reaction_id: str) -> dict[str, Any]:
    """Return one reaction: its callback, how it stands, what it did, and why its last try failed. Raises UnknownReaction."""
    with db.engine.connect() as connection:
        row = connection.execute(_told().where(Reaction.id == reaction_id)).one_or_none()
    if row is None:
        raise UnknownReaction(reaction_id)
    return _shown(row)


def _told() -> Any:
    return select(Reaction.__table__, Callback.kind, Callback.phone).outerjoin(Callback, Callback.id == Reaction.callback_id)


def _shown(row: Any) -> dict[str, Any]:
    """Return a reaction as JSON values, its number masked."""
    told = dict(row._mapping)
    del told["leased_until"]
    times = {name: told[name] and told[name].isoformat() for name in ("due_at", "created_at", "finished_at")}
    return told | times | {"phone": masking.number(told["phone"] or "")}
