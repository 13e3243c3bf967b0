"""What wants to be looked at by a person: counted for every page, and listed."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from app.models import Callback, Invocation
from services.reading.filters import Filters, first_id
from services.reading.lists import streams_of
from services.reading.paging import Stream
from services.reading.tables import LISTS
from services.upkeep.backlog import literally
from services.upkeep.looks import is_unknown
from services.upkeep.marks import read_mark, write_mark

MOST_COUNTED = 100
LOOKED = "looked at all"
# Told until somebody says that all was looked at.
_ONCE: tuple[ColumnElement[bool], ...] = (literally(Callback.state, "refused"), literally(Callback.state, "differing"))
# Told until somebody does something about it: work that was given up, money and messages that may have gone.
_GIVEN_UP: ColumnElement[bool] = literally(Callback.state, "accepted") & Callback.last_error.is_not(None) & Callback.due_at.is_(None)


def looks(connection: Connection) -> int:
    """Return how many callbacks and orders want to be looked at; no more than MOST_COUNTED are counted."""
    first = _first(connection)
    wanted = [select(Callback.id).where(Callback.id >= first, condition) for condition in _ONCE]
    wanted += [select(Callback.id).where(_GIVEN_UP), select(Invocation.id).where(is_unknown())]
    return min(MOST_COUNTED, sum(_count(connection, query) for query in wanted))


def streams_to_look_at(connection: Connection, name: str, filters: Filters, country: str) -> list[Stream]:
    """Return the streams of what `looks` counts, within what is asked for. name: callbacks or invocations."""
    streams = streams_of(LISTS[name], filters, country)
    if name == "invocations":
        return [_within(stream, is_unknown()) for stream in streams]
    first = _first(connection)
    once = [condition & (Callback.id >= first) for condition in _ONCE]
    return [_within(stream, condition) for condition in (*once, _GIVEN_UP) for stream in streams]


def looked_at(connection: Connection) -> datetime | None:
    """Return when somebody said that all was looked at."""
    text = read_mark(connection, LOOKED)
    return datetime.fromisoformat(text) if text else None


def look_at_all(connection: Connection, until: datetime, now: datetime) -> None:
    """Remember that somebody looked at all there was until a time, when the page was made that showed it."""
    known = looked_at(connection)
    write_mark(connection, LOOKED, (min(until, now) if known is None else max(known, min(until, now))).isoformat(), now)


def _first(connection: Connection) -> str:
    since = looked_at(connection)
    return first_id(LISTS["callbacks"].ids, since) if since else ""


def _within(stream: Stream, condition: ColumnElement[bool]) -> Stream:
    return replace(stream, query=stream.query.where(condition))


def _count(connection: Connection, query: Any) -> int:
    return connection.scalar(select(func.count()).select_from(query.limit(MOST_COUNTED).subquery())) or 0
