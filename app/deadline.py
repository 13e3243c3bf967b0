"""How long this thread may still wait for the database: pool, lock and statement together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

_thread = threading.local()


@contextmanager
def within(patience_s: float) -> Iterator[None]:
    """Give the block so many seconds of waiting in all; a block within another has seconds of its own."""
    outer = getattr(_thread, "ends", None), getattr(_thread, "patience_s", 0.0)
    _thread.ends, _thread.patience_s = monotonic() + patience_s, patience_s
    try:
        yield
    finally:
        _thread.ends, _thread.patience_s = outer


def remaining_s() -> float | None:
    """Return the seconds left, 0 at the least; None where no limit was set."""
    ends = getattr(_thread, "ends", None)
    return None if ends is None else max(0.0, ends - monotonic())


def busy_timeout_ms(default_ms: int) -> int:
    """Return the milliseconds that SQLite may wait; whole patience while little of it is used, to change it rarely."""
    left_s = remaining_s()
    if left_s is None:
        return default_ms
    return int(1000 * (_thread.patience_s if _thread.patience_s - left_s < 0.1 else left_s))
