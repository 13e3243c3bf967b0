"""Waiting for something to change, in a thread of the web process: bounded in time, and in how many may wait."""

from collections.abc import Callable, Container
from threading import BoundedSemaphore
from time import monotonic, sleep
from typing import TypeVar

from app.extensions import db

Seen = TypeVar("Seen")
MOST_WAIT_S = 30
# Of the 32 threads of a web process so many may wait here; who comes then is told the state as it is.
PLACES = BoundedSemaphore(8)
PAUSE_S = 0.25


def wait_for(look: Callable[[], Seen], states: Callable[[Seen], list[str]], ends_in: Container[str], wait_s: float) -> Seen:
    """Return what `look` gives once its states are others than at first; what it gives now where the wait is over before.

    states: of all that was seen. Nothing is waited for where all of them are ends, or where all places are taken.
    """
    seen = look()
    first = states(seen)
    if wait_s <= 0 or all(state in ends_in for state in first) or not PLACES.acquire(blocking=False):
        return seen
    try:
        ends = monotonic() + wait_s
        while states(seen) == first and monotonic() < ends:
            # The connection that looked up the key is for others meanwhile.
            db.session.close()
            sleep(min(PAUSE_S, max(0.0, ends - monotonic())))
            seen = look()
        return seen
    finally:
        PLACES.release()
