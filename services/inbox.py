"""Keeps one callback once: what is answered 2xx is committed. Knows no kind by name.

Each row may hold a slot (services/slots.py), of which there is one only, so that a single statement either makes the row
or counts a repeat on the one that is there.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from time import monotonic
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import Boolean, ColumnElement, Connection, Text, bindparam, case, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import aliased
from ulid import ULID

from app.errors import NotStorable, StorageUnavailable, first_line
from app.extensions import Base, commit_one, db, writing
from app.hot import AlreadyThere, Prepared
from app.models import Callback, UssdSession
from app.schemas.answers import Answer
from app.schemas.bodies import clean
from app.schemas.callbacks import Kind
from app.schemas.fields import is_phone
from services.ledger.readings import e164
from services.outage import Outage
from services.slots import digest, hash_of, identity_of, index_key, slot_of_alike, slot_of_identity, slot_of_refused

logger = logging.getLogger(__name__)
# Callbacks without an identity are repeats only so long after the last like them.
ALIKE_FOR = timedelta(minutes=10)


@dataclass
class Received:
    """One callback on its way: what came, what was made of it, and how it was checked."""

    kind: str
    row: Kind
    path: str
    raw_body: bytes
    content_type: str
    headers: dict[str, str]
    query: str
    source: str
    checks: dict[str, bool]
    received_at: datetime
    started: float
    base_url: str
    # As sent, under the names on the wire
    fields: dict[str, Any] = field(default_factory=dict)
    # Typed, under our names
    data: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, list[str]] | None = None
    flags: list[str] = field(default_factory=list)
    # The token that proved it, "" where none did
    token: str = ""
    # Seconds already spent waiting for the database
    waited_s: float = 0.0
    # How it came, where it was not posted to us: pulled, or replay
    via: str | None = None
    replay_of: str | None = None
    has_effects: bool = True

    @property
    def phone(self) -> str | None:
        """The number that this callback is about, as sent: of several fields the first that holds one."""
        numbers = (str(self.fields.get(name, "")) for name in self.row.phone)
        return next(filter(is_phone, numbers), None) or self._first(self.row.phone[:1])

    @property
    def reference(self) -> str | None:
        """The id that ties it to others."""
        return self._first(self.row.reference)

    def _first(self, names: tuple[str, ...]) -> str | None:
        return next((str(self.fields[name]) for name in names if self.fields.get(name)), None)


@dataclass(frozen=True)
class Kept:
    """What became of a callback: its row, its state, and the answer that counts."""

    id: str
    state: str
    answer: Answer


def keep(received: Received, answer: Answer, outage: Outage) -> Kept:
    """Commit the callback, or count it as a repeat, and return the answer that counts.

    That is the stored answer for a repeat (except where answers are computed afresh, or the first came at another
    address), and the kind's own for one that differs from the first of its identity. Raises StorageUnavailable when
    nothing was kept.
    """
    values = _values(received, answer)
    with outage.attempt():
        return _kept(received, values, answer, _Stands(*_insert_or_count(received, values)))


class _Stands(NamedTuple):
    """The row that stands for a callback now; it is new if the id is ours."""

    id: str
    state: str
    path: str
    answer: str
    answer_status: int
    answer_type: str


def _insert_or_count(received: Received, values: dict[str, Any]) -> Any:
    ends = monotonic() + received.row.patience_s - received.waited_s
    row = None
    if values["memory"] is None:
        try:
            row = commit_one(_prepared(db.engine.dialect.name), values, _left(ends))
        except AlreadyThere:
            row = tuple(values[name] for name in _Stands._fields)
    return row or _in_one_unit(received, values, _left(ends))


def _left(ends: float) -> float:
    left_s = ends - monotonic()
    if left_s <= 0:
        raise StorageUnavailable
    return left_s


def _in_one_unit(received: Received, values: dict[str, Any], patience_s: float) -> Any:
    statement = _statement(db.engine.dialect.name)
    try:
        with writing(patience_s) as connection:
            _remember(connection, received, values)
            # Locks the row that holds the slot, so that what follows is about that one.
            row = connection.execute(statement, values).one_or_none()
            return row or _with_other_slot(connection, statement, received, values)
    except SQLAlchemyError as error:
        logger.error("%s not kept: %s", received.kind, first_line(error))
        is_out_of_reach = isinstance(error, OperationalError | InterfaceError | InternalError | PoolTimeout)
        raise (StorageUnavailable if is_out_of_reach else NotStorable) from error


def _insert(dialect: str, model: type[Base]) -> Any:
    """Return an insert that knows what to do on a conflict; both databases spell it alike."""
    return (sqlite.insert if dialect == "sqlite" else postgresql.insert)(model)


# What a new row has none of
_LATER = ("repeated_at", "repeated_from", "last_error", "pinned_at")


@cache
def _prepared(dialect: str) -> Prepared:
    names = [column.key for column in Callback.__table__.columns if column.key not in _LATER]
    return Prepared(_statement(dialect), db.engine.dialect, names)


@cache
def _statement(dialect: str) -> Any:
    """Build the one statement of the hot path: insert, or count a repeat on the row that holds the slot.

    It gives back no row when the slot is held by a callback with other fields, or by one too long ago.
    """
    insert = _insert(dialect, Callback)
    return insert.on_conflict_do_update(
        index_elements=[Callback.slot],
        set_={
            "repeats": Callback.repeats + case((Callback.id == insert.excluded.id, 0), else_=1),
            "repeated_at": insert.excluded.received_at,
            "repeated_from": insert.excluded.source,
        },
        where=(Callback.fields_hash == insert.excluded.fields_hash) & (bindparam("is_known", type_=Boolean) | _is_alike()),
    ).returning(*(getattr(Callback, name) for name in _Stands._fields))


def _is_alike() -> ColumnElement[bool]:
    """Return the condition for repeats of what has no identity: not long ago, and nothing else of that kind and number since.

    Nothing either of the kind that may undo it; the number may be spelled otherwise there.
    """
    other = aliased(Callback)
    # Written out, for neither of these rows stands in the FROM of the inner query.
    phone: ColumnElement[str] = literal_column("excluded.phone")
    kind: ColumnElement[str] = literal_column("excluded.kind")
    table = Callback.__tablename__
    last: ColumnElement[datetime] = literal_column(f"coalesce({table}.repeated_at, {table}.received_at)", Callback.received_at.type)
    kept: ColumnElement[str] = literal_column(f"{table}.id")
    # A replay stands between nothing.
    since = (other.id != kept) & other.replay_of.is_(None) & (func.coalesce(other.repeated_at, other.received_at) > last)
    is_theirs = or_(other.phone == phone, other.phone == bindparam("other_phone", type_=Text))
    is_about_it = or_(other.kind == kind, other.kind == bindparam("undone_by", type_=Text))
    between = select(1).where(is_theirs, is_about_it, since, other.state != "refused")
    return (last > bindparam("alike_since", type_=Callback.received_at.type)) & ~between.exists()


def _with_other_slot(connection: Connection, statement: Any, received: Received, values: dict[str, Any]) -> Any:
    if values["identity"] is None:
        connection.execute(update(Callback).where(Callback.slot == values["slot"]).values(slot=None))
        return connection.execute(statement, values).one()
    first = connection.execute(select(Callback.id).where(Callback.slot == values["slot"])).scalar_one()
    values |= {"state": "differing", "differs_from": first, "slot": digest(values["slot"], values["fields_hash"])}
    if received.row.differing:
        values |= _answer_values(received.row.differing)
    return connection.execute(statement, values).one()


def _remember(connection: Connection, received: Received, values: dict[str, Any]) -> None:
    if values["memory"] is None:
        return
    session = {"id": index_key(received.reference), "memory": values["memory"], "updated_at": received.received_at}
    statement = _insert(db.engine.dialect.name, UssdSession).values(session)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[UssdSession.id], set_={"memory": statement.excluded.memory, "updated_at": statement.excluded.updated_at}
        )
    )


def _kept(received: Received, values: dict[str, Any], answer: Answer, row: _Stands) -> Kept:
    is_repeat = row.id != values["id"]
    if row.state == "differing" and received.row.differing:
        answer = received.row.differing
    elif is_repeat and row.path == received.path and not received.row.answers_afresh:
        answer = Answer(row.answer, row.answer_type, row.answer_status)
    return Kept(row.id, "repeat" if is_repeat else row.state, answer)


def _values(received: Received, answer: Answer) -> dict[str, Any]:
    """Return the columns of a new row, and the values besides that the statement and the session need."""
    identity = None if received.errors else identity_of(received.row, received.fields)
    ms = round(1000 * (monotonic() - received.started))
    return {
        "id": f"cb_{ULID()}",
        "kind": received.kind,
        "state": "refused" if received.errors else "accepted",
        "slot": _slot(received, identity),
        "fields_hash": hash_of(received.fields),
        "identity": identity,
        "differs_from": None,
        "phone": index_key(received.phone),
        "reference": index_key(received.reference),
        "path": received.path,
        "fields": received.fields,
        "raw_body": received.raw_body,
        "content_type": received.content_type,
        "headers": received.headers,
        "query": received.query,
        "source": received.source,
        "checks": received.checks,
        "errors": received.errors,
        "flags": [*received.flags, *answer.flags] or None,
        "secret_places": answer.secret_places or None,
        **_answer_values(answer),
        "ms": ms,
        "spent": {"own": ms - sum(answer.spent.values()), **answer.spent} if answer.spent else None,
        "app": answer.app,
        "received_at": received.received_at,
        "repeats": 0,
        "via": received.via,
        "replay_of": received.replay_of,
        "has_effects": received.has_effects,
        # What was refused means nothing to anybody else.
        "due_at": received.received_at if received.has_effects and not received.errors else None,
        "tries": 0,
        "is_known": bool(identity or received.errors),
        "alike_since": received.received_at - ALIKE_FOR,
        "undone_by": received.row.undone_by,
        "other_phone": None if identity or received.errors else _other_spelling(received.phone),
        "memory": answer.memory if received.has_effects else None,
    }


def _other_spelling(phone: str | None) -> str | None:
    """Return the spelling under which other callbacks name a number most likely."""
    number = phone and e164(phone, current_app.config["POKEA"].default_country)
    return number[1:] if number and number == phone else number


def _answer_values(answer: Answer) -> dict[str, Any]:
    return {
        "answer": clean(answer.body if answer.kept_body is None else answer.kept_body),
        "answer_status": answer.status,
        "answer_type": answer.media,
    }


def _slot(received: Received, identity: dict[str, str] | None) -> bytes | None:
    # Each replay is a row of its own, and no callback is a repeat of one.
    if received.replay_of:
        return None
    if received.errors:
        return slot_of_refused(received.kind, received.raw_body, received.query)
    if received.row.is_each_new:
        return None
    return slot_of_identity(received.kind, identity) if identity else slot_of_alike(received.kind, received.phone)
