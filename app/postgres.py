"""PostgreSQL as this program needs it: no wait outlasts its deadline, not even for a server that is frozen."""

import contextlib
import logging
import threading
from collections import deque
from typing import Any

import psycopg
from psycopg import errors
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import SQLAlchemyError

from app.deadline import remaining_s
from app.errors import NotStorable, StorageUnavailable, first_line
from app.hot import AlreadyThere, Prepared

logger = logging.getLogger(__name__)
MOST_CONNECTIONS = 24
LEAST_FOR_ANOTHER_TRY_S = 0.1
# What a statement can be refused for on its own account.
OWN_FAULT = (errors.DataError, errors.IntegrityError, errors.ProgrammingError, errors.ProgramLimitExceeded, ValueError)


class BoundedConnection(psycopg.Connection):
    """A connection that gives up, and closes, when the thread's deadline passes while the server is silent."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Run one exchange with the server. Raises OperationalError when the deadline passes first."""
        try:
            return super().wait(gen, interval, remaining_s() if timeout is None else timeout)
        except errors._WaitTimeout as error:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise errors.OperationalError("the server did not answer in time: connection closed") from error


def prepare(engine: Engine) -> None:
    """Make the engine's connections bounded ones, which begin a transaction only when one is asked for."""

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: tuple, parameters: dict) -> BoundedConnection:
        return BoundedConnection.connect(*arguments, **parameters, autocommit=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


class OwnCommits:
    """Single statements, each committed by the server in the same round trip."""

    def __init__(self, engine: Engine, options: dict[str, Any]) -> None:
        self._engine, self._options = engine, options
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        # Connections that are free, the newest used on top.
        self._free: deque[psycopg.Cursor] = deque()

    def run(self, statement: Prepared, values: dict[str, Any]) -> Any:
        """Return the row that the statement returns, once it is on disk; None for no row.

        Raises StorageUnavailable; AlreadyThere when a first try was committed although its connection broke.
        """
        if not self._places.acquire(timeout=remaining_s()):
            raise StorageUnavailable
        try:
            return self._run(statement.text, statement.arguments(values))
        except errors.UniqueViolation as error:
            raise AlreadyThere from error
        except (psycopg.Error, SQLAlchemyError, ValueError) as error:
            logger.error("not kept: %s", first_line(error))
            raise (NotStorable if isinstance(error, OWN_FAULT) else StorageUnavailable) from error
        finally:
            self._places.release()

    def _run(self, text: str, arguments: dict[str, Any]) -> Any:
        try:
            return self._once(text, arguments)
        except psycopg.OperationalError as error:
            if isinstance(error, OWN_FAULT):
                raise
            # The others are no better: from before a restart of the server, or of a way to it that is gone.
            self.close()
            if (remaining_s() or 0) < LEAST_FOR_ANOTHER_TRY_S:
                raise
        # The row's id makes trying again safe.
        return self._once(text, arguments)

    def _once(self, text: str, arguments: dict[str, Any]) -> Any:
        try:
            cursor = self._free.pop()
        except IndexError:
            cursor = self._connect()
        try:
            row = cursor.execute(text, arguments).fetchone()
        except OWN_FAULT:
            self._free.append(cursor)
            raise
        except BaseException:
            cursor.connection.close()
            raise
        self._free.append(cursor)
        return row

    def _connect(self) -> psycopg.Cursor:
        # To connect takes up to two seconds, so it is not begun at the end of a patience.
        if (remaining_s() or 0) < LEAST_FOR_ANOTHER_TRY_S:
            raise StorageUnavailable
        _, parameters = self._engine.dialect.create_connect_args(self._engine.url)
        options: dict[str, Any] = {**parameters, **self._options}
        return BoundedConnection.connect(**options, autocommit=True).cursor()

    def close(self) -> None:
        """Close the connections that are free."""
        with contextlib.suppress(IndexError):
            while True:
                self._free.pop().connection.close()
