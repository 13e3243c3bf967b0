"""The state in a file, so that it outlives a restart. Whole under its name at any time."""

import json
import logging
import os
import threading
from decimal import Decimal
from pathlib import Path

from cattrs import Converter
from cattrs.errors import BaseValidationError

from emulator.state import State
from emulator.world import World

logger = logging.getLogger(__name__)
SAVE_EVERY_S = 0.5
_converter = Converter()
_converter.register_unstructure_hook(Decimal, str)
_converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))


class Store:
    """Writes a world to a file soon after each change, and reads it back."""

    def __init__(self, world: World, path: Path) -> None:
        self._world, self._path = world, path
        self._written = -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="store", daemon=True)

    def load(self) -> str:
        """Make the world what the file says, if there is one; return what a person should know of it, "" for nothing.

        A file that cannot be read is put aside: it may be of another version, or of another program.
        """
        if not self._path.exists():
            return ""
        try:
            plain = json.loads(self._path.read_text())
            state = _converter.structure(plain | {}, State)
        except (ValueError, KeyError, TypeError, AttributeError, BaseValidationError):
            aside = self._path.with_name(f"{self._path.name}.unreadable")
            self._path.replace(aside)
            return (
                f"{self._path.name} does not hold the state of an emulator of this version. It is put aside as {aside.name}; all is as new."
            )
        self._take(state)
        return ""

    def _take(self, state: State) -> None:
        world = self._world
        with world.changing():
            # Where things are is said by whoever starts it.
            addresses = {name: getattr(world.settings, name) for name in ("app_url", "token", "ussd_code", "short_code", "voice_number")}
            vars(state.settings).update(addresses)
            world.state = state
            world.clock.restore(state.ahead_s, state.scale)
            world.timetable.restore(state.tasks)
            self._go_on(state)
            state.tasks = []

    def _go_on(self, state: State) -> None:
        """Take up what was under way when the file was written: nobody waits for those answers any more."""
        for session in state.sessions.values():
            session.is_asking = False
        asked = {task.args["call_id"] for task in state.tasks if task.name == "call.ask"}
        for call in state.calls.values():
            if call.asking is not None and call.id not in asked:
                self._world.later(0.0, "call.ask", call.id, call_id=call.id)

    def start(self) -> None:
        """Begin to write what changes."""
        self._thread.start()

    def stop(self) -> None:
        """Write once more, and no more."""
        self._stop.set()
        self._thread.join()
        self.save()

    def save(self) -> None:
        """Write the state as it is now."""
        world = self._world
        with world.lock:
            version = world.version
            plain = _converter.unstructure(world.state)
        plain |= {
            "tasks": _converter.unstructure(world.timetable.waiting()),
            "ahead_s": world.clock.ahead_s,
            "scale": world.clock.scale,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.new")
        with draft.open("w") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(plain, file)
        draft.replace(self._path)
        self._written = version

    def _keep(self) -> None:
        while not self._stop.wait(SAVE_EVERY_S):
            if self._written != self._world.version:
                try:
                    self.save()
                except OSError:
                    logger.exception("the state was not written to %s; trying again", self._path)
