"""SQLite as this program needs it: durable, one writer at a time that is woken at once, and commits shared by many.

Raises StorageUnavailable where a database error would otherwise tell of the statement and its values.
"""

import fcntl
import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url

from app.deadline import busy_timeout_ms, remaining_s
from app.errors import NotStorable, StorageUnavailable, first_line
from app.hot import Prepared

logger = logging.getLogger(__name__)
# SQLite's own busy handler sleeps instead of queueing: it is only for writers that do not take turns (a shell, a backup).
BUSY_MS = 5000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.0002, 0.002
MOST_TOGETHER = 64
# What a statement can be refused for on its own account.
OWN_FAULT = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError, ValueError, OverflowError)
# Execution option of an engine whose transactions lock at their start.
WRITES = "pokea_writes"
# The name of the function that makes capitals small ones: SQLite's own lower() knows A to Z only.
CASEFOLD = "pokea_casefold"


def prepare(engine: Engine) -> None:
    """Make every connection durable, and every transaction of a writing engine one that locks at its start."""
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours to say
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function(CASEFOLD, 1, _casefold, deterministic=True)


def _casefold(text: str | None) -> str | None:
    return text and text.casefold()


def _on_begin(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails under load: writers lock first.
    if not connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout={busy_timeout_ms(BUSY_MS)}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class Turn:
    """The right to write: one thread of this process, then one process of this machine, each waiting within its deadline."""

    def __init__(self, database_url: str) -> None:
        self._path = f"{make_url(database_url).database}.lock"
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None

    def take_thread(self) -> None:
        """Wait until no other thread of this process writes. Raises StorageUnavailable when the deadline passes."""
        left_s = remaining_s()
        if not self._lock.acquire(timeout=-1 if left_s is None else left_s):
            raise StorageUnavailable

    def give_thread(self) -> None:
        """Let the next thread of this process write."""
        self._lock.release()

    @contextmanager
    def take_machine(self) -> Iterator[None]:
        """Keep the other processes of this machine from writing. Raises StorageUnavailable when the deadline passes."""
        descriptor = self._descriptor()
        self._take_file(descriptor)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the turn and give it back after the block. Raises StorageUnavailable when the deadline passes."""
        self.take_thread()
        try:
            with self.take_machine():
                yield
        finally:
            self.give_thread()

    def _descriptor(self) -> int:
        # A descriptor from before a fork would share its lock with the parent.
        if self._file is None or self._file[0] != os.getpid():
            try:
                self._file = (os.getpid(), os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            except OSError as error:
                raise StorageUnavailable from error
        return self._file[1]

    def _take_file(self, descriptor: int) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if remaining_s() == 0:
                    raise StorageUnavailable from None
            sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)


class _Entry:
    """One statement that waits to be committed, and what came of it."""

    __slots__ = ("arguments", "error", "is_done", "is_given_up", "row", "text")

    def __init__(self, text: str, arguments: tuple) -> None:
        self.text, self.arguments = text, arguments
        self.row: Any = None
        self.error: BaseException | None = None
        self.is_done = self.is_given_up = False


class SharedCommits:
    """Single statements of many threads, committed together by whichever of them gets the turn first."""

    def __init__(self, engine: Engine, turn: Turn) -> None:
        self._engine, self._turn = engine, turn
        self._waiting: deque[_Entry] = deque()
        self._connection: Any = None
        self._busy_ms = BUSY_MS

    def run(self, statement: Prepared, values: dict[str, Any]) -> Any:
        """Return the row that the statement returns, once it is on disk; None for no row. Raises StorageUnavailable."""
        entry = _Entry(statement.text, statement.arguments(values))
        self._waiting.append(entry)
        try:
            self._turn.take_thread()
        except StorageUnavailable:
            entry.is_given_up = True
            raise
        try:
            if not entry.is_done:
                self._commit([self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))])
            if not entry.is_done:  # more than one commit's worth stood before it
                self._commit([entry])
        finally:
            self._turn.give_thread()
        if entry.error:
            logger.error("not kept: %s", first_line(entry.error))
            raise (NotStorable if isinstance(entry.error, OWN_FAULT) else StorageUnavailable) from entry.error
        return entry.row

    def _commit(self, entries: list[_Entry]) -> None:
        entries = [entry for entry in entries if not entry.is_given_up and not entry.is_done]
        try:
            with self._turn.take_machine():
                self._run_all(entries)
        except BaseException as error:
            self.close()
            for entry in entries:
                entry.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            for entry in entries:
                entry.is_done = True

    def _run_all(self, entries: list[_Entry]) -> None:
        cursor = self._cursor()
        wanted_ms = busy_timeout_ms(BUSY_MS)
        if wanted_ms != self._busy_ms:
            cursor.execute(f"PRAGMA busy_timeout={wanted_ms}")
            self._busy_ms = wanted_ms
        cursor.execute("BEGIN IMMEDIATE")
        for entry in entries:
            try:
                entry.row = cursor.execute(entry.text, entry.arguments).fetchone()
            except OWN_FAULT as error:
                entry.error = error  # the others are not undone
        cursor.execute("COMMIT")

    def _cursor(self) -> sqlite3.Cursor:
        # A connection of its own, opened after the fork, whose pages and statements stay warm.
        if self._connection is None:
            self._connection = self._engine.raw_connection()
            self._connection.detach()
            self._busy_ms = BUSY_MS
        return self._connection.cursor()

    def close(self) -> None:
        """Close the connection; the next statement opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
