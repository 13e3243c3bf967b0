"""Conversations by phone number, each by its newest message, and one of them whole: messages, and what was tried and not taken."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, literal, or_, select, union_all

from app.models import Callback, Invocation, Message, Recipient
from app.schemas.invokes import INVOKES
from app.statuses import ACCEPTED
from services.ledger.readings import e164
from services.reading.correspondents import MESSAGE, TRY
from services.reading.entries import Entry, entry_of_message, entry_of_try
from services.reading.filters import Filters
from services.reading.lists import page_of
from services.reading.paging import Page, Stream, bare, merge, read
from services.reading.tables import column_of

# A page of conversations is looked for among so many messages.
MOST_LOOKED_THROUGH = 500
MOST_REPORTS = 500
# Of what was ordered most is in the ledger of messages: the rest is looked for among so many at a time.
MOST_TRIED = 2000
_SMS = [kind for kind, row in INVOKES.items() if row.is_message]
_TELL = ("sms.delivery_report", "sms.incoming_message")
# What an order named and the ledger of messages does not know
_UNSENT = or_(Recipient.state != ACCEPTED, Recipient.provider_id.is_(None))
# Of one row at a time: as a join, PostgreSQL reads all orders for it.
_IS_SMS = select(Invocation.kind).where(Invocation.id == Recipient.invocation_id).correlate(Recipient).scalar_subquery().in_(_SMS)


def conversations(connection: Connection, after: str | None, limit: int) -> tuple[list[Entry], str | None]:
    """Return the newest message of each number, newest first, and the place where the next page begins. after: such a place.

    A page may be short, or empty, and have a next one.
    """
    found = _merged(connection, after, MOST_LOOKED_THROUGH)
    newest: dict[str | None, Row] = {}
    place = found.next
    for number, (_, row) in enumerate(found.rows):
        if row.phone not in newest and len(newest) == limit:
            place = found.rows[number - 1][0]
            break
        newest.setdefault(row.phone, row)
    known = _shown_before(connection, list(newest), after) if after and newest else set()
    return _entries(connection, [row for phone, row in newest.items() if phone not in known]), place


def search(connection: Connection, text: str, after: str | None, limit: int, country: str) -> tuple[list[Entry], str | None]:
    """Return the messages that have a text in them, newest first; for a number in any spelling its conversation alone."""
    number = e164(text, country)
    if number and (found := thread(connection, number, None, 1)[0]):
        return found, None
    page = page_of(connection, "messages", Filters(q=text), f"{MESSAGE}{after}" if after else None, limit, country)
    return [entry_of_message(row) for _, row in page.rows], page.next and page.next.removeprefix(MESSAGE)


def thread(connection: Connection, phone: str | None, before: str | None, limit: int) -> tuple[list[Entry], str | None]:
    """Return the newest messages from and to a number, oldest first, and the place before which older ones are.

    phone: as the ledger holds it; None for messages of which nobody told a number.
    """
    found = _merged(connection, before, limit, (_is(Message.phone, phone), _is(Recipient.phone, phone)))
    entries = _entries(connection, [row for _, row in reversed(found.rows)])
    told = _told(connection, [entry.provider_id for entry in entries if entry.provider_id])
    return [
        replace(entry, callback_id=by[0], told_at=by[1]) if (by := told.get(entry.provider_id or "")) else entry for entry in entries
    ], found.next


def _merged(
    connection: Connection, after: str | None, limit: int, of_one: tuple[ColumnElement[bool], ColumnElement[bool]] | None = None
) -> Page:
    """Return messages and tries together. of_one: what those of one number have."""
    messages, tries = select(Message.__table__), select(Recipient.invocation_id.label("id"), *Recipient.__table__.c)
    if of_one is not None:
        messages, tries = messages.where(of_one[0]), tries.where(of_one[1])
    streams = {
        MESSAGE: Stream(messages, column_of(Message, "id")),
        TRY: Stream(tries, column_of(Recipient, "invocation_id"), (_UNSENT, _IS_SMS), MOST_TRIED),
    }
    pages = [read(connection, stream, f"{prefix}{after}" if after else None, limit) for prefix, stream in streams.items()]
    return merge((bare(page) for page in pages), limit)


def _is(column: Any, value: str | None) -> ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def _entries(connection: Connection, rows: Sequence[Row]) -> list[Entry]:
    orders = {row.id for row in rows if row.id.startswith(TRY)}
    query = select(Invocation.id, Invocation.kind, Invocation.ordered, Invocation.called_at, Invocation.problem)
    known = {row.id: row for row in connection.execute(query.where(Invocation.id.in_(orders)))} if orders else {}
    return [entry_of_try(row, known[row.id]) if row.id in orders else entry_of_message(row) for row in rows]


def _shown_before(connection: Connection, phones: Sequence[str | None], after: str) -> set[str | None]:
    """Return those of the numbers that have something newer than this page: they stand on one before it."""
    newer = [
        select(literal(number).label("number")).where(
            or_(
                exists().where(_is(Message.phone, phone), Message.id >= f"{MESSAGE}{after}"),
                exists().where(_is(Recipient.phone, phone), Recipient.invocation_id >= f"{TRY}{after}", _UNSENT, _IS_SMS),
            )
        )
        for number, phone in enumerate(phones)
    ]
    return {phones[row.number] for row in connection.execute(union_all(*newer))}


def _told(connection: Connection, provider_ids: Sequence[str]) -> dict[str, tuple[str, datetime]]:
    """Return the last callback that told of each message."""
    query = select(Callback.reference, Callback.id, Callback.received_at).where(
        Callback.reference.in_(provider_ids), Callback.kind.in_(_TELL), Callback.state != "refused", Callback.has_effects
    )
    rows = connection.execute(query.order_by(Callback.id).limit(MOST_REPORTS)) if provider_ids else ()
    return {row.reference: (row.id, row.received_at) for row in rows}
