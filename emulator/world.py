"""The one emulated world of a process: its state behind one lock, its time, its line to the application, its log."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

from emulator.clock import Clock, iso
from emulator.errors import Refused
from emulator.faults import Faults
from emulator.log import Log
from emulator.networks import ATHENA, Network, is_number, network_of
from emulator.settings import Settings
from emulator.state import Phone, State, keep
from emulator.timetable import Task, Timetable

logger = logging.getLogger(__name__)
Doer = Callable[..., None]


class World:
    """Holds `lock` for every look at and change of `state`; never while it waits for the application."""

    def __init__(self, doers: dict[str, Doer], first: Settings, own_url: str) -> None:
        """doers: what a task's name stands for. first: the settings of a new world. own_url: where this emulator is reached."""
        self._doers = doers
        self._first = first
        self.own_url = own_url
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.clock = Clock()
        self.timetable = Timetable(self.clock, self._do, slow="line.post")
        self.log = Log(self.masked)
        self.state = State()
        # Counts changes, so that the file is written when there is something to write
        self.version = 0
        self.reset()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.state.settings

    @property
    def faults(self) -> Faults:
        """The faults that are on."""
        return Faults(self.state.faults)

    def reset(self) -> None:
        """Begin anew, with the settings of the start."""
        with self.changing():
            self.timetable.restore([])
            self.timetable.reset_clock()
            fresh = Settings()
            for name in vars(self._first):
                given = getattr(self._first, name)
                setattr(fresh, name, given.copy() if isinstance(given, dict) else given)
            self.state = State(settings=fresh)
            self.log.clear()

    @contextmanager
    def changing(self) -> Iterator[State]:
        """Hold the lock for a change, and tell those who wait for one."""
        with self.changed:
            yield self.state
            self.version += 1
            self.changed.notify_all()

    def wait_for(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait, holding the lock only to look, until something holds; return whether it does."""
        with self.changed:
            return self.changed.wait_for(holds, seconds)

    def now(self) -> float:
        """Return the emulator's time."""
        return self.clock.now()

    def now_iso(self) -> str:
        """Return the emulator's time as text."""
        return iso(self.clock.now())

    def later(self, delay_s: float, name: str, strand: str, **args: Any) -> None:
        """Have a task done in so many seconds of the emulator's clock, after all others of its strand."""
        with self.lock:
            self.timetable.add(delay_s, name, strand, args)
            self.version += 1

    def knows(self, name: str) -> bool:
        """Whether there is something to do by this name."""
        return name in self._doers

    def _do(self, task: Task) -> None:
        try:
            self._doers[task.name](self, **task.args)
        except Exception as error:  # whatever it is, nobody may wait for this task for ever
            logger.exception("the emulator failed at %s", task.name)
            why = f"the emulator itself failed at {task.name}: {type(error).__name__}"
            self.log.add(self.now_iso(), "out", "", "", explanation=why)
            if "call_id" in task.args:
                self._doers["call.failed"](self, call_id=task.args["call_id"], why=why)

    def phone(self, number: str) -> Phone:
        """Return the phone of a number; from now on it is known. Raises Refused for what is no number."""
        found = self.look_at_phone(number)
        with self.lock:
            if number not in self.state.phones:
                keep(self.state.phones, number, found)
                self.version += 1
        return self.state.phones.get(number, found)

    def look_at_phone(self, number: str) -> Phone:
        """Return the phone of a number, without making it known. Raises Refused for what is no number."""
        if not is_number(number):
            raise Refused(f"'{number:.40}' is not a phone number in international form, for example +254711000000")
        with self.lock:
            return self.state.phones.get(number) or Phone(number)

    def masked(self, text: str) -> str:
        """Return a text without the secret of the callback addresses."""
        token = self.settings.token
        for shown in {token, quote(token, safe=""), quote_plus(token)} if token else ():
            text = text.replace(shown, "****")
        return text

    def network_of(self, number: str) -> Network:
        """Return the network of a number; the sandbox's where none is known."""
        return network_of(number, self.settings.carriers) or ATHENA

    def network_code_of(self, number: str) -> str:
        """Return the code that callbacks name for a number."""
        return self.settings.network_code or self.network_of(number).code
