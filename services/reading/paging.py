"""Pages of a list by key, newest first, at a cost that does not grow with the list. Knows no table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_

# A condition that no index helps with is tried on so many rows for one page; one that reads texts, on fewer.
MOST_TRIED = 10_000
MOST_READ = 5_000


@dataclass(frozen=True)
class Stream:
    """Rows that an index gives in the order of their ids. query: without order. tried: what is asked of each of them besides."""

    query: Select
    id: ColumnElement[str]
    tried: tuple[ColumnElement[bool], ...] = ()
    most: int = MOST_TRIED


@dataclass(frozen=True)
class Page:
    """Some rows with their ids, newest first. next: the id after which the next page begins, None where nothing is left.

    A page may be short, or empty, and have a next one: what was looked through for it held no more.
    """

    rows: list[tuple[str, Row]]
    next: str | None


def read(connection: Connection, stream: Stream, after: str | None, limit: int) -> Page:
    """Return the page of one stream that begins after an id."""
    query = stream.query.where(stream.id < after) if after else stream.query
    query = query.order_by(stream.id.desc())
    end = _last_tried(connection, query, stream) if stream.tried else None
    wanted = query.where(and_(*stream.tried)) if stream.tried else query
    if end is not None:
        wanted = wanted.where(stream.id >= end)
    rows = [(str(row.id), row) for row in connection.execute(wanted.limit(limit + 1))]
    return _cut(rows, end, limit)


def _last_tried(connection: Connection, query: Select, stream: Stream) -> str | None:
    """Return the id of the last row that may be tried, None where there are fewer."""
    found: str | None = connection.scalar(query.with_only_columns(stream.id).offset(stream.most - 1).limit(1))
    return found


def merge(pages: Iterable[Page], limit: int) -> Page:
    """Return one page of several streams together. Ids are unique among them."""
    pages = list(pages)
    # Older rows than this may be missing from one of the streams.
    end = max((page.next for page in pages if page.next is not None), default=None)
    rows = sorted((row for page in pages for row in page.rows), key=lambda row: row[0], reverse=True)
    return _cut([row for row in rows if end is None or row[0] >= end], end, limit)


def bare(page: Page) -> Page:
    """Return a page whose ids are comparable to those of another table: without their prefix."""
    rows = [(row_id.partition("_")[2], row) for row_id, row in page.rows]
    return Page(rows, page.next.partition("_")[2] if page.next else None)


def _cut(rows: list[tuple[str, Any]], end: str | None, limit: int) -> Page:
    return Page(rows[:limit], rows[limit - 1][0] if len(rows) > limit else end)
