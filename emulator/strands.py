"""Runs jobs in threads: those of one strand in their order, one at a time."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

logger = logging.getLogger(__name__)
THREADS = 96
_here = threading.local()


def is_in_step() -> bool:
    """Whether this thread does a job that is a step of the clock's way."""
    return getattr(_here, "is_step", False)


class Strands:
    """Threads for jobs. A job may be a step: whoever moves the clock waits for all steps, and for no other job."""

    def __init__(self, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="strand")
        self._waiting: dict[str, deque[tuple[Callable[[], None], bool]]] = {}
        self._steps = 0
        self._idle = threading.Condition()

    def run(self, strand: str, job: Callable[[], None], is_step: bool) -> None:
        """Do a job when all before it in its strand are done."""
        with self._idle:
            self._steps += is_step
            queue = self._waiting.setdefault(strand, deque())
            queue.append((job, is_step))
            if len(queue) == 1:
                self._pool.submit(self._drain, strand)

    def _drain(self, strand: str) -> None:
        while True:
            with self._idle:
                job, is_step = self._waiting[strand][0]
            _here.is_step = is_step
            try:
                job()
            except Exception:  # the thread of a strand must live
                logger.exception("a task of the emulator failed")
            with self._idle:
                queue = self._waiting[strand]
                queue.popleft()
                self._steps -= is_step
                if not queue:
                    del self._waiting[strand]
                self._idle.notify_all()
                if not queue:
                    return

    def wait_until_idle(self, timeout_s: float, only_steps: bool = False) -> bool:
        """Return whether all jobs, or all steps, are done, waiting for it no longer than so."""
        with self._idle:
            return self._idle.wait_for(lambda: not (self._steps if only_steps else self._waiting), timeout_s)

    def clear(self) -> None:
        """Forget what is not begun."""
        with self._idle:
            for queue in self._waiting.values():
                while len(queue) > 1:
                    _, was_step = queue.pop()
                    self._steps -= was_step
            self._idle.notify_all()

    def stop(self) -> None:
        """Take no more; what runs ends by itself."""
        self.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)
