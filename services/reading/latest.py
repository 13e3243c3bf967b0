"""What came lately, for pages that are open and ask again and again. Where much comes, one reading serves many of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, takewhile
from threading import Lock
from time import monotonic

from sqlalchemy import Connection

from services.reading.filters import Filters
from services.reading.known import LATE, TAIL, Known, moment_of
from services.reading.lines import Line
from services.reading.live import lines

# With so many lines a reading is shared, for so long: with fewer it costs little, and nobody waits for the next.
SHARED_FROM, SHARED_S = 100, 1.0
# An open page asks for what came since it asked before, and somewhat earlier: this reaches back so far for all of them.
REACH = 2 * LATE


@dataclass(frozen=True)
class Latest:
    """Lines since a moment, newest first, as they were read at a time. next: the place after which it was not looked, if any."""

    lines: tuple[Line, ...]
    next: str | None
    read_at: datetime

    def lacking(self, known: Known, limit: int) -> tuple[Line, ...] | None:
        """Return the lines that are not known, at most `limit`; None where so much came that the page is to be made anew.

        Where there are more than that, the newest: the older ones come after them in pages of the list.
        """
        first = known.first_place()
        recent = takewhile(lambda line: line.place > first, self.lines)
        new = tuple(islice((line for line in recent if line.place[-TAIL:] not in known.tails), limit))
        # Some was not looked through: what is shown already may not be what comes next.
        is_missing = self.next is not None and self.next > first
        return None if is_missing and len(new) < limit else new


def read_latest(
    connection: Connection, filters: Filters, since: datetime, now: datetime, limit: int, country: str, hides: bool, only: bool = False
) -> Latest:
    """Return the newest lines since a moment, at most `limit`. only: those that want to be looked at. Raises Invalid."""
    bounded = replace(filters, since=max(since, filters.since) if filters.since else since)
    found, following = lines(connection, bounded, None, limit, country, hides, only)
    return Latest(tuple(found), following, now)


class Shared:
    """The readings of a moment, for the threads of one process."""

    def __init__(self) -> None:
        self._turn = Lock()
        # When each was read, and what
        self._kept: dict[object, tuple[float, Latest]] = {}

    def look(self, key: object, known: Known, now: datetime, read: Callable[[datetime], Latest]) -> Latest:
        """Return what came lately, SHARED_S old at most, or twice that while another thread reads it anew.

        key: tells what is asked for; read: reads it, since a moment.
        """
        since = moment_of(known.first_place())
        if since < now - REACH:
            return read(since)
        at, latest = self._kept.get(key, (float("-inf"), None))
        age = monotonic() - at
        if latest is not None and age < SHARED_S:
            return latest
        if latest is None or age >= 2 * SHARED_S:
            return self._renewed(key, read(now - REACH))
        if not self._turn.acquire(blocking=False):
            return latest
        try:
            return self._renewed(key, read(now - REACH))
        finally:
            self._turn.release()

    def _renewed(self, key: object, latest: Latest) -> Latest:
        at = monotonic()
        kept = {one: (when, old) for one, (when, old) in self._kept.items() if one != key and at - when < 2 * SHARED_S}
        self._kept = {**kept, key: (at, latest)} if len(latest.lines) >= SHARED_FROM else kept
        return latest
