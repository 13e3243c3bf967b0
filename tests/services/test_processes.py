"""Whether a process that holds something is gone: only of those that this one can see."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from socket import gethostname

import pytest

from services.upkeep import shared_counts
from services.upkeep.processes import is_gone, own_name

ROOT = Path(__file__).resolve().parent.parent.parent
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="namespaces as on Linux")
OWN = own_name()
MACHINE = OWN.partition(":")[0]


@pytest.fixture(scope="module")
def dead() -> int:
    """The id of a process that ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


@ON_LINUX
def test_only_a_process_of_this_namespace_is_known_to_be_gone(dead: int) -> None:
    assert (is_gone(OWN), is_gone(f"{MACHINE}:{dead}:x"), is_gone(f"{MACHINE}:x:x")) == (False, True, False)
    # A container of the same host name, whose process it may be that lives
    other = f"{gethostname()}-{'0' * 12}"
    assert [is_gone(f"{machine}:{dead}:x") for machine in (gethostname(), other)] == [False, False]


@ON_LINUX
def test_a_container_with_the_same_host_name_takes_nobody_here_for_gone() -> None:
    code = "import sys; from services.upkeep.processes import *; from services.upkeep.shared_counts import identity; print(is_gone(sys.argv[1]), own_name(), identity())"
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code, f"{MACHINE}:999999:x"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no namespaces here: {done.stderr[:80]}")
    takes_for_gone, name, counts_as = done.stdout.split()
    assert (takes_for_gone, is_gone("999999".join([MACHINE + ":", ":x"]))) == ("False", True)
    assert name.partition(":")[0] != MACHINE
    assert counts_as.partition("-")[0] != shared_counts.identity().partition("-")[0]


@ON_LINUX
def test_counts_of_another_container_stay(tmp_path: Path, dead: int) -> None:
    machine, host = shared_counts.identity().partition("-")[0], sha256(gethostname().encode()).hexdigest()[:8]
    ours, others = tmp_path / f"counter_{machine}-{dead}.db", tmp_path / f"counter_{host}-{dead}.db"
    for path in (ours, others):
        path.touch()
    shared_counts.forget_gone(tmp_path)
    assert list(tmp_path.iterdir()) == [others]
