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
# While one thread reads anew, others are told what was read before, for so long: where the database is slow, more readings make it slower.
WAIT_S = 10.0
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
    """The readings of a moment, for the threads of one process. clock: seconds that only go forward."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        # What some thread reads anew
        self._reading: set[object] = set()
        # When the reading of each began, and what was read
        self._kept: dict[object, tuple[float, Latest]] = {}

    def look(self, key: object, known: Known, now: datetime, read: Callable[[datetime], Latest]) -> Latest:
        """Return what came lately, as it was SHARED_S ago at the most, or WAIT_S while another thread reads it anew.

        key: tells what is asked for; read: reads it, since a moment.
        """
        since = moment_of(known.first_place())
        if since < now - REACH:
            return read(since)
        with self._lock:
            at, latest = self._kept.get(key, (float("-inf"), None))
            began = self._clock()
            if latest is not None and began - at < (WAIT_S if key in self._reading else SHARED_S):
                return latest
            self._reading.add(key)
        try:
            latest = read(now - REACH)
        finally:
            with self._lock:
                self._reading.discard(key)
        self._keep(key, began, latest)
        return latest

    def _keep(self, key: object, began: float, latest: Latest) -> None:
        with self._lock:
            if self._kept.get(key, (began,))[0] > began:
                return
            self._kept = {one: kept for one, kept in self._kept.items() if one != key and began - kept[0] < WAIT_S}
            if len(latest.lines) >= SHARED_FROM:
                self._kept[key] = (began, latest)
