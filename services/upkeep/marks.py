"""Facts of which only the last value counts, shared by all processes: read, written, and claimed by one of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.models import Mark

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def read_mark(connection: Connection, name: str) -> Any:
    """Return the value of a mark, None where there is none."""
    found = connection.execute(select(Mark.value).where(Mark.name == name)).one_or_none()
    return found.value if found else None


def write_mark(connection: Connection, name: str, value: Any, now: datetime) -> None:
    """Set a mark."""
    statement = _insert(connection).values(name=name, value=value, updated_at=now)
    given = {"value": statement.excluded.value, "updated_at": statement.excluded.updated_at}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=given))


def leave_mark(connection: Connection, name: str, now: datetime) -> bool:
    """Set a mark without a value where there is none; return whether there was none."""
    return connection.execute(_insert(connection).values(name=name, value=None, updated_at=now).on_conflict_do_nothing()).rowcount == 1


def claim_mark(connection: Connection, name: str, every: timedelta, now: datetime) -> bool:
    """Whether it is the caller's turn: of all that ask, one each so often. The value stays."""
    connection.execute(_insert(connection).values(name=name, value=None, updated_at=_NEVER).on_conflict_do_nothing())
    turn = (Mark.name == name) & (Mark.updated_at <= now - every)
    return connection.execute(update(Mark).where(turn).values(updated_at=now)).rowcount == 1


def forget_marks(connection: Connection, prefix: str, before: datetime) -> None:
    """Remove the marks whose names begin so and that were not written since."""
    connection.execute(delete(Mark).where(Mark.name.startswith(prefix, autoescape=True), Mark.updated_at < before))


def forget_mark(connection: Connection, name: str) -> None:
    """Remove a mark."""
    connection.execute(delete(Mark).where(Mark.name == name))


def _insert(connection: Connection) -> Any:
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(Mark)
