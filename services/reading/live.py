"""Callbacks and invocations together, newest first, each as one line: what the first page shows."""

from dataclasses import replace

from sqlalchemy import Connection

from app.errors import Invalid
from app.schemas.callbacks import KINDS
from app.schemas.invokes import INVOKES
from services.reading.filters import Filters
from services.reading.lines import COLUMNS, Line, lines_of
from services.reading.lists import kinds_of, streams_of
from services.reading.paging import Page, Stream, bare, merge, read
from services.reading.tables import LISTS, List, column_of
from services.reading.wanted import streams_to_look_at

FAMILIES = tuple(dict.fromkeys(name.partition(".")[0] for name in (*KINDS, *INVOKES)))
# What a person filters by: states of callbacks and of invocations
STATES = ("accepted", "differing", "refused", "unknown", "pending")
_NAMES = ("callbacks", "invocations")


def lines(
    connection: Connection, filters: Filters, after: str | None, limit: int, country: str, hides: bool, only_looks: bool = False
) -> tuple[list[Line], str | None]:
    """Return a page of lines, newest first, and the place where the next begins. after: such a place, a bare ULID.

    filters.kind: a kind of either sort, or a family as `sms.*`. only_looks: those that want to be looked at. Raises Invalid.
    """
    _check_words(filters)
    found = merge(_pages(connection, filters, after, limit, country, only_looks), limit)
    return lines_of(connection, [row for _, row in found.rows], hides), found.next


def _check_words(filters: Filters) -> None:
    if filters.kind is not None and not any(kinds_of(LISTS[name], filters.kind) for name in _NAMES):
        known = ", ".join(kind for name in _NAMES for kind in LISTS[name].kinds)
        raise Invalid(f"'kind' must be one of {known}, or a family as sms.*, not '{filters.kind[:40]}'")
    if filters.state is not None and filters.state not in STATES:
        raise Invalid(f"'state' must be one of {', '.join(STATES)}, not '{filters.state[:40]}'")


def _pages(connection: Connection, filters: Filters, after: str | None, limit: int, country: str, only_looks: bool) -> list[Page]:
    pages = []
    for name in _NAMES:
        entry = LISTS[name]
        if not _is_of(entry, filters):
            continue
        start = f"{entry.ids}{after}" if after else None
        streams = streams_to_look_at(connection, name, filters, country) if only_looks else streams_of(entry, filters, country)
        pages += [read(connection, _for_lines(name, stream), start, limit) for stream in streams]
    return [bare(page) for page in pages]


def _for_lines(name: str, stream: Stream) -> Stream:
    columns = (column_of(LISTS[name].model, column) for column in COLUMNS[name])
    return replace(stream, query=stream.query.with_only_columns(*columns, maintain_column_froms=True))


def _is_of(entry: List, filters: Filters) -> bool:
    """Whether rows of this list may be meant: kinds and states of the other one give none here."""
    is_kind = filters.kind is None or bool(kinds_of(entry, filters.kind))
    return is_kind and (filters.state is None or filters.state in entry.states)
