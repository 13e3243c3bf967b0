"""The state in a file, so that it outlives a restart. Whole under its name at any time, and of one emulator alone."""

import fcntl
import json
import logging
import os
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

from cattrs import Converter
from cattrs.errors import BaseValidationError

from emulator import ussd
from emulator.errors import Refused
from emulator.faults import Faults
from emulator.state import VERSION, State
from emulator.world import World

logger = logging.getLogger(__name__)
SAVE_EVERY_S = 0.5
# What is said by whoever starts it, whatever the file says.
OF_THE_START = ("app_url", "token", "ussd_code", "short_code", "voice_number")
MOST_AHEAD_S = 200 * 366 * 86_400
_converter = Converter()
_converter.register_unstructure_hook(Decimal, str)
_converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))


class Store:
    """Writes a world to a file soon after each change, and reads it back."""

    def __init__(self, world: World, path: Path) -> None:
        """Raises OSError where no file can be, and BlockingIOError where another emulator has it."""
        self._world, self._path = world, path
        self._written = -1
        self._trouble = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="store", daemon=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Open as long as this process lives: that is the lock.
        self._lock = path.with_name(f"{path.name}.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise

    def load(self) -> str:
        """Make the world what the file says, if there is one; return what a person should know of it, "" for nothing.

        A file that cannot be read is put aside: it may be of another version, or of another program.
        """
        if not self._path.exists():
            return ""
        try:
            plain = json.loads(self._path.read_text())
            state = _converter.structure(plain | {}, State)
            self._check(state)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, BaseValidationError, Refused):
            aside = self._path.with_name(f"{self._path.name}.unreadable")
            self._path.replace(aside)
            return f"{self._path.name} is not the state of an emulator of this version: put aside as {aside.name}, all is as new."
        self._take(state)
        return ""

    def _check(self, state: State) -> None:
        """Raise ValueError or Refused for what has the right shapes but cannot be."""
        tasks_are_known = all(self._world.knows(task.name) for task in state.tasks)
        faults_are_whole = all(set(fault) == {"value", "only", "times"} for fault in state.faults.values())
        time_is_sane = 0 < state.scale < MOST_AHEAD_S and abs(state.ahead_s) < MOST_AHEAD_S
        if state.version != VERSION or not (tasks_are_known and faults_are_whole and time_is_sane):
            raise ValueError
        Faults({}).change(state.faults)

    def _take(self, state: State) -> None:
        world = self._world
        with world.changing():
            vars(state.settings).update({name: getattr(world.settings, name) for name in OF_THE_START})
            tasks, state.tasks = state.tasks, []
            world.state = state
            world.clock.restore(state.ahead_s, state.scale)
            world.timetable.restore(tasks)
            for session in [one for one in state.sessions.values() if one.is_asking]:
                ussd.cut_off(world, session)

    def start(self) -> None:
        """Begin to write what changes."""
        self._thread.start()

    def stop(self) -> None:
        """Write once more, and no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._try()
        self._lock.close()

    def save(self) -> None:
        """Write the state as it is now. Raises OSError."""
        world = self._world
        with world.lock:
            version = world.version
            plain: dict[str, Any] = _converter.unstructure(world.state)
            plain["tasks"] = _converter.unstructure(world.timetable.waiting())
            plain |= {"ahead_s": world.clock.ahead_s, "scale": world.clock.scale}
        draft = self._path.with_name(f"{self._path.name}.new")
        with draft.open("w") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(plain, file)
        draft.replace(self._path)
        self._written = version

    def _keep(self) -> None:
        while not self._stop.wait(SAVE_EVERY_S):
            if self._written != self._world.version:
                self._try()

    def _try(self) -> None:
        """Save; say it once when that fails, and once when it works again."""
        try:
            self.save()
        except OSError as error:
            if not self._trouble:
                logger.error("the state is not written to %s: %s. Trying again.", self._path, error.strerror)
            self._trouble = str(error)
        else:
            if self._trouble:
                logger.error("the state is written to %s again", self._path)
            self._trouble = ""
