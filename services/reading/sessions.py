"""USSD sessions and calls as a list: those that ended in one way, or that belong to one code or number of ours."""

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, func

from app.errors import Invalid
from app.models import Session
from services.reading.endings import ENDED
from services.reading.filters import Filters
from services.reading.lists import check_words, streams_of
from services.reading.paging import Page, merge, read
from services.reading.tables import LISTS


def sessions(connection: Connection, filters: Filters, ended: str, own: str, after: str | None, limit: int, country: str) -> Page:
    """Return a page of sessions, newest first. ended: a key of ENDED; own: a service code or number of ours; "" for all. Raises Invalid."""
    entry = LISTS["sessions"]
    check_words(entry, filters)
    tried = tuple(_tried(ended, own))
    streams = [replace(one, tried=(*one.tried, *tried)) for one in streams_of(entry, filters, country)]
    return merge((read(connection, stream, after, limit) for stream in streams), limit)


def _tried(ended: str, own: str) -> list[ColumnElement[bool]]:
    if ended and ended not in ENDED:
        raise Invalid(f"'ended' must be one of {', '.join(ENDED)}, not '{ended[:40]}'")
    found: list[ColumnElement[bool]] = [func.lower(Session.status).in_(ENDED[ended])] if ended else []
    return [*found, Session.own == own] if own else found
