"""What went over the line, both ways, with an explanation where something was wrong."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

MOST_ENTRIES = 2000
# Of a body so much is kept.
MOST_TEXT = 16_000


@dataclass(frozen=True)
class Entry:
    """One request. direction: `in` to the emulator, `out` to the application; status None: no answer."""

    id: int
    time: str
    direction: str
    method: str
    address: str
    status: int | None
    ms: int
    body: str
    answer: str
    explanation: str
    kind: str
    phone: str


class Log:
    """The newest entries. Safe for many threads."""

    def __init__(self, masked: Callable[[str], str]) -> None:
        """masked: returns a text without secrets."""
        self._masked = masked
        self._entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)
        self._last = 0
        self._lock = threading.Lock()

    def add(
        self,
        time: str,
        direction: str,
        method: str,
        address: str,
        status: int | None = None,
        ms: int = 0,
        body: str = "",
        answer: str = "",
        explanation: str = "",
        kind: str = "",
        phone: str = "",
    ) -> None:
        """Add a request that is over."""
        # Before they are cut: half a secret is one, too.
        address, body, answer, explanation = (self._masked(text)[:MOST_TEXT] for text in (address, body, answer, explanation))
        with self._lock:
            self._last += 1
            self._entries.append(Entry(self._last, time, direction, method, address, status, ms, body, answer, explanation, kind, phone))

    def after(self, number: int, most: int = 500) -> dict[str, Any]:
        """Return the entries after one, oldest first, the id of the last of them, from which to go on, and of the newest."""
        with self._lock:
            # After a restart or reset the ids begin anew: a reader that is ahead starts over.
            number = 0 if number > self._last else number
            found = [entry for entry in self._entries if entry.id > number][:most]
            last = found[-1].id if found else self._last
            return {"entries": [asdict(entry) for entry in found], "last": last, "newest": self._last}

    def clear(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._entries.clear()
            self._last = 0
