"""What will happen, and when: tasks that are data, so that they outlive a restart, and the thread that does them in time."""

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from emulator.clock import Clock
from emulator.strands import Strands, is_in_step

# Longer ones are the same to everybody, and more than a thread can wait.
MOST_DELAY_S = 10 * 366 * 86_400
MOST_WAIT_S = 3600.0


@dataclass
class Task:
    """Something to do. due: on the emulator's clock. Tasks of one strand are done one after the other."""

    id: int
    due: float
    name: str
    strand: str
    args: dict[str, Any] = field(default_factory=dict)


class Timetable:
    """Tasks in the order in which they are due, done by one function. All its methods may be called from any thread."""

    def __init__(self, clock: Clock, do: Callable[[Task], None], slow: str) -> None:
        """do: does a task. slow: the name of tasks that may wait for others for long, in threads of their own."""
        self.clock = clock
        self._slow = slow
        self._strands, self._slow_strands = Strands(), Strands()
        self._do = do
        self._tasks: dict[int, Task] = {}
        self._heap: list[tuple[float, int]] = []
        self._next_id = 1
        self._changed = threading.Condition(threading.RLock())
        self._advance_to: float | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._keep, name="timetable", daemon=True)

    def start(self) -> None:
        """Begin to do what is due."""
        self._thread.start()

    def stop(self) -> None:
        """Do nothing more."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._strands.stop()
        self._slow_strands.stop()

    def add(self, delay_s: float, name: str, strand: str, args: dict[str, Any]) -> None:
        """Have something done in so many seconds of the emulator's clock."""
        with self._changed:
            task = Task(self._next_id, self.clock.now() + min(delay_s, MOST_DELAY_S), name, strand, args)
            if delay_s > 0 or self._advance_to is None or is_in_step():
                self._put(task)
                return
            # What others begin while the clock is moved on does not hold it up.
            self._next_id += 1
            self._tasks[task.id] = task
            self._launch(task, is_step=False)

    def _launch(self, task: Task, is_step: bool) -> None:
        strands = self._slow_strands if task.name == self._slow else self._strands
        strands.run(task.strand, partial(self._finish, task), is_step)

    def _put(self, task: Task) -> None:
        self._next_id = max(self._next_id, task.id) + 1
        self._tasks[task.id] = task
        heapq.heappush(self._heap, (task.due, task.id))
        self._changed.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Return whether all that is due is done, waiting for it no longer than so."""
        with self._changed:
            return self._changed.wait_for(lambda: all(task.due > self.clock.now() for task in self._tasks.values()), timeout_s)

    def waiting(self) -> list[Task]:
        """Return what is still to do or being done, in the order of its making."""
        with self._changed:
            return list(self._tasks.values())

    def restore(self, tasks: list[Task]) -> None:
        """Have these to do, and nothing else."""
        with self._changed:
            self._tasks.clear()
            self._heap.clear()
            self._strands.clear()
            self._slow_strands.clear()
            for task in tasks:
                self._put(task)
            self._changed.notify_all()

    def set_scale(self, scale: float) -> None:
        """Let time run at another speed."""
        with self._changed:
            self.clock.run(scale)
            self._changed.notify_all()

    def reset_clock(self) -> None:
        """Let time be the wall's; what was due in so many seconds is still due in as many."""
        with self._changed:
            before = self.clock.now()
            self._advance_to = None
            self.clock.reset()
            shift = self.clock.now() - before
            for task in self._tasks.values():
                task.due += shift
            waiting = {number for _, number in self._heap}
            self._heap = [(task.due, task.id) for task in self._tasks.values() if task.id in waiting]
            heapq.heapify(self._heap)
            self._changed.notify_all()

    def advance(self, seconds: float, patience_s: float) -> bool:
        """Move time on and do on the way, in order, all that is due; return whether that is over within `patience_s` real seconds."""
        with self._changed:
            now = self.clock.now()
            self._advance_to = (self._advance_to or now) + seconds
            self.clock.hold(now)
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._advance_to is None or self._is_stopped, patience_s)

    def _keep(self) -> None:
        while not self._is_stopped:
            is_advancing = self._advance_to is not None
            if is_advancing:
                # What is being done may add what is due before the next moment.
                for strands in (self._strands, self._slow_strands):
                    strands.wait_until_idle(60, only_steps=True)
            with self._changed:
                has_begun = self._advance_to is not None and not is_advancing
                due = [] if self._is_stopped or has_begun else self._take_due()
            for task in due:
                self._launch(task, is_step=True)

    def _finish(self, task: Task) -> None:
        """Do a task; until that is over it counts as still to do, and after a restart it is done again."""
        if self._tasks.get(task.id) is not task:
            return
        try:
            self._do(task)
        finally:
            with self._changed:
                if self._tasks.get(task.id) is task:
                    del self._tasks[task.id]
                    self._changed.notify_all()

    def _take_due(self) -> list[Task]:
        """Return what is due now, waiting for a change when nothing is."""
        first = self._heap[0][0] if self._heap else None
        if self._advance_to is not None:
            if first is None or first > self._advance_to:
                self.clock.release(self._advance_to)
                self._advance_to = None
                self._changed.notify_all()
                return []
            self.clock.hold(max(first, self.clock.now()))
        else:
            wait_s = None if first is None else (first - self.clock.now()) / self.clock.scale
            if wait_s is None or wait_s > 0:
                self._changed.wait(min(wait_s or MOST_WAIT_S, MOST_WAIT_S))
                return []
        due = []
        while self._heap and self._heap[0][0] <= self.clock.now():
            _, number = heapq.heappop(self._heap)
            if task := self._tasks.get(number):
                due.append(task)
        return due
