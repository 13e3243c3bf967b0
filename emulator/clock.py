"""The emulator's own time, which can run faster than the wall's and be advanced. Seconds since 1970, UTC."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Time that starts as the wall's. Whoever changes it holds the timetable's lock."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.reset()

    def reset(self) -> None:
        """Be the wall's time again."""
        self._began_at = self._shows = self._wall()
        self.scale = 1.0
        self._held: float | None = None

    def now(self) -> float:
        """Return the time."""
        if self._held is not None:
            return self._held
        return self._shows + (self._wall() - self._began_at) * self.scale

    def hold(self, moment: float) -> None:
        """Stand still at a moment."""
        self._held = moment

    def release(self, moment: float) -> None:
        """Go on from a moment."""
        # In this order: others look at it meanwhile.
        self._began_at, self._shows = self._wall(), moment
        self._held = None

    def run(self, scale: float) -> None:
        """Go on at another speed: so many seconds in one of the wall's."""
        self._began_at, self._shows = self._wall(), self.now()
        self.scale = scale

    @property
    def ahead_s(self) -> float:
        """How far it is ahead of the wall."""
        return self.now() - self._wall()

    def restore(self, ahead_s: float, scale: float) -> None:
        """Be as far ahead, and as fast, as another clock was."""
        self.release(self._wall() + ahead_s)
        self.scale = scale


def iso(moment: float) -> str:
    """Return a moment as ISO 8601 with milliseconds, UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def at_time(moment: float) -> str:
    """Return a moment as Africa's Talking writes it in callbacks, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
