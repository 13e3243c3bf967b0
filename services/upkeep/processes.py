"""Names of the processes that hold leases, and whether one that this process can see is gone."""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from socket import gethostname
from uuid import uuid4


@cache
def namespace() -> str | None:
    """Return what all processes share that know each other by their ids, and no others; None where that cannot be told.

    Containers may have the same host name, and processes 1, 7 and 8 each. Source: pid_namespaces(7), proc_sys_kernel(5).
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}:{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None


@cache
def _machine() -> str:
    # Where it cannot be told, no process but ours is of this machine: then only leases count.
    told = sha256((namespace() or uuid4().hex).encode()).hexdigest()[:12]
    return f"{gethostname().replace(':', '-')}-{told}"


def own_name() -> str:
    """Return a name for something of this process that holds leases: machine, process id, and what tells two of them apart."""
    return f"{_machine()}:{os.getpid()}:{uuid4().hex[:8]}"


def is_gone(name: str) -> bool:
    """Whether the process of a name certainly ended: it was one of this machine, and has no such id now."""
    machine, _, rest = name.partition(":")
    pid = rest.partition(":")[0]
    if machine != _machine() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
