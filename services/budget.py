"""Runs what a developer wrote, or what runs elsewhere, with a time limit and a bounded number of places."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from time import monotonic
from typing import TypeVar

Result = TypeVar("Result")
# Of the 32 threads of a web process, so many may wait for one program: the rest stays free for callbacks.
PLACES = 12
# Whoever finds them taken waits so long, and longer while the program answers others: then it is busy, not stuck.
WAIT_FOR_A_PLACE_S = 0.25
MOST_WAIT_S = 1.0


class OverBudget(Exception):
    """No answer in time; the text says why."""


class _Places:
    """The places of one program."""

    def __init__(self) -> None:
        self._free = threading.Semaphore(PLACES)
        self._left_at = 0.0

    def take(self, within_s: float) -> bool:
        """Return whether a place became free in time."""
        began = monotonic()
        while not self._free.acquire(timeout=min(WAIT_FOR_A_PLACE_S, within_s)):
            now = monotonic()
            if now - began >= min(MOST_WAIT_S, within_s) or now - self._left_at > WAIT_FOR_A_PLACE_S:
                return False
        return True

    def leave(self) -> None:
        """Give a place back."""
        self._left_at = monotonic()
        self._free.release()


class Budget:
    """The time that one answer may take. Shared by the threads of a process; programs do not take each other's places."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._places: dict[str, _Places] = {}
        # Threads start when they are needed, so after the fork of a web process.
        self._threads = ThreadPoolExecutor(max_workers=128, thread_name_prefix="answer")

    def run(self, program: str, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, or raise what it raises. Raises OverBudget when it takes longer than the budget.

        A place is given back only when `work` has really ended: a program that hangs holds no more than its places.
        """
        ends = monotonic() + self.seconds
        places = self._places.setdefault(program, _Places())
        if not places.take(self.seconds):
            raise OverBudget(f"{PLACES} sessions wait for it already")
        try:
            future = self._threads.submit(work)
        except RuntimeError as error:
            places.leave()
            raise OverBudget("this process is stopping") from error
        future.add_done_callback(lambda _done: places.leave())
        try:
            return future.result(timeout=max(0.0, ends - monotonic()))
        except OutOfTime as error:
            if future.done():
                raise
            raise OverBudget(f"no answer within {self.seconds:g} s") from error
