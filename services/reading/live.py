"""Callbacks and invocations together, newest first, each as one line: what the first page shows."""

from sqlalchemy import Connection

from app.errors import Invalid
from app.schemas.callbacks import KINDS
from app.schemas.invokes import INVOKES
from services.reading.filters import Filters
from services.reading.lines import Line, lines_of
from services.reading.lists import kinds_of, page_of
from services.reading.paging import Page, bare, merge, read
from services.reading.tables import LISTS, List
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
        start = f"{entry.ids}{after}" if after else None
        if not _is_of(entry, filters):
            continue
        if only_looks:
            pages += [read(connection, stream, start, limit) for stream in streams_to_look_at(connection, name, filters, country)]
        else:
            pages.append(page_of(connection, name, filters, start, limit, country))
    return [bare(page) for page in pages]


def _is_of(entry: List, filters: Filters) -> bool:
    """Whether rows of this list may be meant: kinds and states of the other one give none here."""
    is_kind = filters.kind is None or bool(kinds_of(entry, filters.kind))
    return is_kind and (filters.state is None or filters.state in entry.states)
