"""One row of the ledger at a time: made if there is none, held until the transaction ends, and changed where it differs."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from ulid import ULID

from app.extensions import Base
from app.models import Callback, Invocation

Row = dict[str, Any]


def insert(connection: Connection, model: type[Base]) -> Any:
    """Return an insert that knows what to do on a conflict; both databases spell it alike."""
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(model)


def new_id(prefix: str, since: datetime) -> str:
    """Return a fresh id of the time since which a thing is known: lists find it by that time. prefix: as `msg`."""
    return f"{prefix}_{ULID.from_datetime(since)}"


def held(connection: Connection, model: type[Base], key: Row, made: Row) -> Row:
    """Return the row of a key, locked. made: its other columns, where it is new."""
    columns = model.__table__.c
    query = select(model.__table__).where(*(columns[name] == value for name, value in key.items())).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        # Somebody else may make it at the same time: then theirs is taken, once it is committed.
        connection.execute(insert(connection, model).values({**made, **key}).on_conflict_do_nothing(index_elements=list(key)))
        row = connection.execute(query).one()
    return dict(row._mapping)


def changed(connection: Connection, model: type[Base], row: Row, values: Row, now: datetime) -> Row:
    """Write the values that differ, and return the row with them."""
    different = {name: value for name, value in values.items() if row[name] != value}
    if not different:
        return row
    if "updated_at" in row:
        different["updated_at"] = now
    connection.execute(update(model).where(model.__table__.c.id == row["id"]).values(different))
    return row | different


def alone(connection: Connection, name: str) -> None:
    """Hold a name until the transaction ends, where several rows change together. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def sources(row: Row, moment: datetime, order: Invocation | None = None) -> Row:
    """Return what every row keeps of where it came from: since when it is known, and the order."""
    return {"created_at": min(row["created_at"], moment)} | ({"invocation_id": order.id} if order else {})


def kept_count(connection: Connection, kind: str, reference: str) -> int:
    """Return how many callbacks of a kind tell of one thing: repeats, replays and those that differ from one before are not counted."""
    query = select(func.count()).where(
        Callback.reference == reference, Callback.kind == kind, Callback.state == "accepted", Callback.replay_of.is_(None)
    )
    return connection.scalar(query) or 0
