"""While the database is gone, one caller at a time tries it and the others are told at once: threads stay free."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import NotStorable, StorageUnavailable


class Outage:
    """Whether the last attempt to keep something failed; shared by the threads of one process."""

    def __init__(self) -> None:
        self._is_down = False
        self._probe = threading.Lock()

    @property
    def is_down(self) -> bool:
        """Whether the last attempt failed."""
        return self._is_down

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run the block, or raise StorageUnavailable at once while another thread is finding out whether it works again."""
        probing = self._is_down
        if probing and not self._probe.acquire(blocking=False):
            raise StorageUnavailable
        try:
            yield
            self._is_down = False
        except NotStorable:
            self._is_down = False  # it works, and said so
            raise
        except StorageUnavailable:
            self._is_down = True
            raise
        finally:
            if probing:
                self._probe.release()
