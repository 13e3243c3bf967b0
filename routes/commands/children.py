"""Runs several programs as children of one command: one stream of lines, one stop for all."""

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from app.settings import ROOT

POLL_S = 0.1
# All files of code are looked at.
LOOK_EVERY_S = 1.0
# As long as gunicorn lets requests finish, and a little more.
PATIENCE_S = 45.0
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Source: prctl(2), PR_SET_PDEATHSIG.
_DIE_WITH_PARENT = 1


@dataclass(frozen=True)
class Child:
    """A program to run. name: what it is called when it ends by itself.

    watched: folders of code; a change there starts one again that ended by itself, and with `is_restarted` one that runs.
    """

    name: str
    command: list[str] = field(compare=False)
    environment: dict[str, str] = field(compare=False)
    watched: tuple[Path, ...] = ()
    is_restarted: bool = False


def run_together(children: list[Child]) -> int:
    """Run all until one ends, or this process is told to stop; end the others, and return the exit code for it all.

    One whose code is watched ends nothing: it waits for a change.
    """
    stopping: list[int] = []
    for number in STOPS:
        signal.signal(number, lambda received, _frame: stopping.append(received))
    running = {child: _start(child) for child in children}
    waiting: dict[Child, float] = {}
    seen = {child: _changed_at(child) for child in children if child.is_restarted and child.watched}
    terminal = _terminal()
    has_ended, look_at = False, 0.0
    while not stopping and not has_ended and not _is_closed(terminal):
        time.sleep(POLL_S)
        if time.monotonic() >= look_at:
            _restart(running, seen)
            _start_waiting(running, waiting)
            look_at = time.monotonic() + LOOK_EVERY_S
        has_ended = _look_after(running, waiting)
    _end(list(running.values()), stopping)
    return 1 if has_ended else 0


def _restart(running: dict[Child, subprocess.Popen[bytes]], seen: dict[Child, float]) -> None:
    """Start again what runs on code that was changed since it began."""
    for child in [child for child, before in seen.items() if child in running and _changed_at(child) > before]:
        seen[child] = _changed_at(child)
        _end([running[child]], [])
        running[child] = _start(child)


def _start_waiting(running: dict[Child, subprocess.Popen[bytes]], waiting: dict[Child, float]) -> None:
    """Start again what waits for a change that came."""
    for child in [child for child, changed_at in waiting.items() if _changed_at(child) > changed_at]:
        del waiting[child]
        running[child] = _start(child)


def _look_after(running: dict[Child, subprocess.Popen[bytes]], waiting: dict[Child, float]) -> bool:
    """Let what ended by itself wait for a change; return whether something ended for good."""
    ended = {child: code for child, process in running.items() if (code := process.poll()) is not None}
    for child, code in ended.items():
        if child.watched:
            del running[child]
            waiting[child] = _changed_at(child)
            click.echo(f"The {child.name} ended by itself (exit {code}). It starts again when its code changes.", err=True)
        else:
            click.echo(f"The {child.name} ended by itself (exit {code}), so all is stopped.", err=True)
    return any(not child.watched for child in ended)


def _changed_at(child: Child) -> float:
    """Return when a child's code was changed last."""
    # Unlike a glob, it passes over a folder that is removed meanwhile.
    places = (place for folder in child.watched for place in os.walk(folder))
    return max((_time_of(Path(place, name)) for place, _, names in places for name in names if name.endswith(".py")), default=0.0)


def _time_of(path: Path) -> float:
    """Return when a file was changed; 0 for one that is gone since its name was read, or names nothing, as an editor's lock."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _terminal() -> "select.poll | None":
    """Return what tells when the terminal is closed that this was started in, None where it was not in one."""
    if not os.isatty(0):
        return None
    poller = select.poll()
    poller.register(0, 0)
    return poller


def _is_closed(terminal: "select.poll | None") -> bool:
    # Its signal may reach make alone, which waits for us.
    return terminal is not None and any(event & select.POLLHUP for _, event in terminal.poll(0))


def _start(child: Child) -> subprocess.Popen[bytes]:
    # In a session of its own, so that Ctrl+C reaches this process alone, which ends them in order.
    return subprocess.Popen(  # noqa: S603 - our own programs
        child.command,
        cwd=ROOT,
        env=child.environment,
        start_new_session=True,
        preexec_fn=_tied_to(os.getpid()),  # noqa: PLW1509
    )


def _tied_to(parent: int) -> Callable[[], None] | None:
    """Return what a child does before it begins, so that it is told to end when this process is killed; None where nothing can."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return None

    def tie() -> None:
        # Only system calls: other threads may hold any lock in this moment.
        prctl(_DIE_WITH_PARENT, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return tie


def _end(processes: list[subprocess.Popen[bytes]], stopping: list[int]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    asked = len(stopping)
    ends = time.monotonic() + PATIENCE_S
    # Asked once more, it does not wait for requests that are under way.
    while any(process.poll() is None for process in processes) and time.monotonic() < ends and len(stopping) <= max(asked, 1):
        time.sleep(POLL_S)
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
