"""Programs that run together as children of one command."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from routes.commands.children import STOPS, Child, run_together


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Leave the signals of the test run as they were."""
    before = {number: signal.getsignal(number) for number in STOPS}
    yield
    for number, was in before.items():
        signal.signal(number, was)


@pytest.mark.parametrize("files", [["gone.py"], [".#open.py", "there.py"], []], ids=["removed", "an editor's lock", "none"])
def test_a_file_that_is_gone_ends_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str], files: list[str]) -> None:
    for name in files:
        # Such a link is what a glob finds and no stat: as a file that is removed between the two.
        (tmp_path / name).symlink_to("nowhere") if name != "there.py" else (tmp_path / name).touch()

    def program(code: str) -> list[str]:
        return [sys.executable, "-S", "-c", code]

    worker = Child(
        "worker", program("import time; time.sleep(60)"), dict(os.environ), watched=(tmp_path, tmp_path / "gone"), is_restarted=True
    )
    assert run_together([worker, Child("web", program(""), dict(os.environ))]) == 1
    assert "The web ended by itself (exit 0)" in capfd.readouterr().err
