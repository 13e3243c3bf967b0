"""One page of a list: what was asked for, as conditions that indexes help with, and as conditions that are tried on some rows."""

import json
import re
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Text, literal, or_, select, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app.errors import Invalid
from app.sqlite import CASEFOLD
from services.reading.filters import Filters, id_range, spellings
from services.reading.paging import MOST_READ, MOST_TRIED, Page, Stream, merge, read
from services.reading.tables import LISTS, List, column_of
from services.slots import index_key

_FAMILY = ".*"
_OR_FAMILY = ", or a family as sms.*"


def page_of(connection: Connection, name: str, filters: Filters, after: str | None, limit: int, default_country: str = "") -> Page:
    """Return one page of a list. Raises Invalid for a kind or state that there is not.

    filters.kind: a kind, or a family as `sms.*`.

    What an index helps with costs the same however long the list is. For kind and state at most MOST_TRIED rows are looked
    at for one page, for q MOST_READ: then the page may be short, and its `next` goes on from there.
    """
    entry = LISTS[name]
    check_words(entry, filters)
    streams = streams_of(entry, filters, default_country)
    return merge((read(connection, stream, after, limit) for stream in streams), limit)


def check_words(entry: List, filters: Filters) -> None:
    """Raise Invalid for a kind or state that a list does not know."""
    if filters.kind is not None and not kinds_of(entry, filters.kind):
        raise Invalid(
            f"'kind' must be one of {', '.join(entry.kinds)}{_OR_FAMILY if _has_families(entry) else ''}, not '{filters.kind[:40]}'"
        )
    if filters.state is not None and filters.state not in entry.states:
        raise Invalid(f"'state' must be one of {', '.join(entry.states)}, not '{filters.state[:40]}'")


def kinds_of(entry: List, wanted: str) -> tuple[str, ...]:
    """Return the kinds of a list that are meant by one, or by a family as `sms.*`; none where it knows none such."""
    if _has_families(entry) and wanted.endswith(_FAMILY):
        return tuple(kind for kind in entry.kinds if kind.startswith(wanted.removesuffix("*")))
    return tuple(kind for kind in entry.kinds if kind == wanted)


def _has_families(entry: List) -> bool:
    return any("." in kind for kind in entry.kinds)


def streams_of(entry: List, filters: Filters, default_country: str) -> list[Stream]:
    """Return the streams that together are what is asked for of a list, each in the order of its ids."""
    tried = tuple(_tried(entry, filters, default_country))
    most = MOST_READ if filters.q else MOST_TRIED
    first, end = id_range(entry.ids, filters.since, filters.until)
    found = []
    for query, key in _queries(entry, filters, default_country):
        given = [key >= first] if first else []
        given += [key < end] if end else []
        for wanted, column in ((filters.session, entry.session), (filters.reference, entry.reference)):
            if wanted is not None and column is not None:
                given.append(column == index_key(wanted))
        if entry.state is not None and filters.state and _has_index(entry.state, filters):
            given.append(entry.state == filters.state)
        found.append(Stream(query.where(*given), key, tried, most))
    return found


def _queries(entry: List, filters: Filters, default_country: str) -> list[tuple[Select, Column]]:
    """Return a query for each spelling of the number, so that each follows an index, and the column of its ids."""
    query, key, phone = select(entry.model.__table__), column_of(entry.model, "id"), entry.phone
    if entry.elsewhere is not None and (filters.phone or filters.session):
        phone, session, ours = entry.elsewhere
        query, key = query.join(phone.table, ours == key), ours
        if filters.session:
            query = query.where(session == index_key(filters.session))
    if filters.phone is None or phone is None:
        return [(query, key)]
    return [(query.where(phone == number), key) for number in spellings(filters.phone, default_country)]


def _tried(entry: List, filters: Filters, default_country: str) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.kind is not None and entry.kind is not None:
        found.append(entry.kind.in_(kinds_of(entry, filters.kind)))
    if filters.state is not None and entry.state is not None and not _has_index(entry.state, filters):
        found.append(entry.state == filters.state)
    if filters.phone and entry.phones is not None:
        found.append(contains(entry.phones, spellings(filters.phone, default_country)[-1]))
    if filters.q:
        found.append(or_(*(contains(column, filters.q) for column in entry.searched)))
    return found


def _has_index(state: Column, filters: Filters) -> bool:
    """Whether rows of a state are found without looking at others: where an index of all rows begins with it, and no better one helps."""
    if filters.phone or filters.session or filters.reference:
        return False
    return any(next(iter(index.columns)) is state and index.dialect_options["sqlite"]["where"] is None for index in state.table.indexes)


def contains(column: Column, text: str) -> ColumnElement[bool]:
    """Return the condition that a text, or a JSON value as it is kept, has this in it, in capitals or not."""
    # As JSONText writes it.
    kept = json.dumps(text, ensure_ascii=False)[1:-1] if not isinstance(column.type, Text) else text
    literally = re.sub("([%_/])", r"/\1", kept)
    return _Folded(type_coerce(column, Text)).like(_Folded(literal(f"%{literally}%")), escape="/")


class _Folded(FunctionElement[str]):
    """A text with its capitals as small letters, of every alphabet."""

    inherit_cache = True
    type = Text()


@compiles(_Folded)
def _lower(element: _Folded, compiler: Any, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


@compiles(_Folded, "sqlite")
def _casefold(element: _Folded, compiler: Any, **options: Any) -> str:
    return f"{CASEFOLD}({compiler.process(element.clauses, **options)})"
