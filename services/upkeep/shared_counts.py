"""The files that the processes of one app count into, in a folder that they share."""

import logging
import os
import socket
import struct
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any

from services.upkeep.processes import namespace

logger = logging.getLogger(__name__)
# Files of other machines and containers that share the folder, untouched for so long, belong to nobody any more.
OTHERS_GONE_S = 7 * 86_400
# The room for each of a process's files, taken at its start: a disk that is full later must not kill who writes to them.
FILE_BYTES = 128 * 1024
_UNREADABLE = (OSError, ValueError, RuntimeError, struct.error)


def forget_gone(folder: Path) -> None:
    """Remove what processes that are gone have counted: when the web starts, never while it runs, so no counter falls."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.db"):
        host, _, pid = path.stem.rpartition("_")[2].partition("-")
        is_gone = not _lives(int(pid)) if host == _host() and pid.isdigit() else time() - path.stat().st_mtime > OTHERS_GONE_S
        if is_gone:
            path.unlink(missing_ok=True)


def own_files(folder: Path | None) -> Path | None:
    """Take the room for this process's files; None where there is none: then it counts for itself."""
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for sort in ("counter", "histogram"):
            path = folder / f"{sort}_{identity()}.db"
            if path.exists() and not _is_readable(path):
                path.unlink()
            with path.open("ab") as file:
                file.write(bytes(max(0, FILE_BYTES - file.tell())))
    except OSError as error:
        logger.warning("metrics of this process only: %s cannot be written: %s", folder, error.strerror)
        return None
    return folder


def merged(folder: Path) -> Iterable[Any]:
    """Return what all processes counted together, as families."""
    from prometheus_client.multiprocess import MultiProcessCollector

    files = sorted(folder.glob("*.db"))
    try:
        return MultiProcessCollector.merge(map(str, files))
    except _UNREADABLE:
        # One is just being made, or was only half on the disk when the power went.
        return MultiProcessCollector.merge(str(path) for path in files if _is_readable(path))


def _is_readable(path: Path) -> bool:
    from prometheus_client.multiprocess import MultiProcessCollector

    try:
        MultiProcessCollector.merge([str(path)])
    except _UNREADABLE:
        return False
    return True


def identity() -> str:
    """Return what no other process that counts into the folder is called."""
    return _named(os.getpid())


@cache
def _named(pid: int) -> str:
    return f"{_host()}-{pid}"


@cache
def _host() -> str:
    # Containers may have the same host name. Where there are none of them, the name is enough.
    return sha256(f"{socket.gethostname()} {namespace() or ''}".encode()).hexdigest()[:8]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
