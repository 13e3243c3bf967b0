"""flask dev as a supervisor: what it starts, what it says of ports, and that nothing outlives it; and an emulator that is killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from emulator.client import Control
from tests.running import ROOT, Emulator, children_of, free_port, wait_until

pytestmark = pytest.mark.slow


NAMES = {"emulator": b"emulator", "worker": b"worker\0--quiet", "web": b"gunicorn"}


class Dev:
    """flask dev on ports of its own."""

    def __init__(self, folder: Path, root: Path = ROOT) -> None:
        self.folder, self.root = folder, root
        self.port, self.phone = free_port(), free_port()
        self.log = folder / "dev.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, **settings: str) -> None:
        """Start it, and wait for the app."""
        environment = {
            **os.environ, "DATABASE_URL": f"sqlite:///{self.folder / 'dev.db'}", "SECRET_KEY": "t", "AT_MODE": "emulator", "PORT": str(self.port),
            "EMULATOR_URL": f"http://127.0.0.1:{self.phone}", **settings,
        }  # fmt: skip
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "dev", *options]
        with self.log.open("w") as out:
            self.process = subprocess.Popen(command, cwd=self.root, env=environment, stdout=out, stderr=out)
        wait_until(lambda: answers(f"http://127.0.0.1:{self.port}/healthz"), 20, "flask dev")

    @property
    def children(self) -> dict[str, int]:
        """Its children by what they are."""
        assert self.process
        lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children_of(self.process.pid)}
        return {next(name for name in ("emulator", "worker", "web") if NAMES[name] in line): pid for pid, line in lines.items()}


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).status_code == 200
    except requests.RequestException:
        return False


def is_gone(pid: int) -> bool:
    try:
        return b"\nState:\tZ" in Path(f"/proc/{pid}/status").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    dev = Dev(tmp_path)
    yield dev
    if dev.process and dev.process.poll() is None:
        dev.process.terminate()
        dev.process.wait(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_all(dev: Dev, number: signal.Signals) -> None:
    dev.start()
    wait_until(lambda: answers(f"http://127.0.0.1:{dev.phone}/healthz"), 20, "the emulator")
    children = dev.children
    assert set(children) == {"web", "worker", "emulator"}
    dev.process.send_signal(number)
    assert dev.process.wait(timeout=40) == 0
    assert all(is_gone(pid) for pid in children.values())
    assert "Traceback" not in dev.log.read_text()


@pytest.mark.parametrize("which", ["web", "worker", "emulator"])
def test_a_child_that_dies_ends_all_and_is_named(dev: Dev, which: str) -> None:
    dev.start()
    wait_until(lambda: len(dev.children) == 3, 10, "all")
    children = dev.children
    os.kill(children[which], signal.SIGKILL)
    assert dev.process.wait(timeout=60) == 1
    wait_until(lambda: all(is_gone(pid) for pid in children.values()), 10, "the end of both")
    name = "web process" if which == "web" else which
    assert f"The {name} ended by itself" in dev.log.read_text()


def test_what_kills_it_ends_its_children(dev: Dev) -> None:
    dev.start()
    wait_until(lambda: len(dev.children) == 3, 10, "all")
    children = dev.children
    dev.process.kill()
    dev.process.wait()
    wait_until(lambda: all(is_gone(pid) for pid in children.values()), 45, "the end of both")


def test_the_banner_says_where_everything_is(dev: Dev) -> None:
    dev.start("--no-emulator", PUBLIC_URL="https://pokea.example")
    lines = [line.split(maxsplit=1) for line in dev.log.read_text().splitlines()[3:] if line]
    assert lines[0] == ["Dashboard", f"http://localhost:{dev.port}/dashboard"]
    assert "  API docs    " + f"http://localhost:{dev.port}/docs" in dev.log.read_text()
    # Only this terminal has PORT.
    assert f"  export PORT={dev.port}" in dev.log.read_text()
    assert "  Public URL  https://pokea.example\n  Sign in     flask login-link " in dev.log.read_text()


def test_an_emulator_s_port_in_use_is_said_and_the_next_is_taken(dev: Dev) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", dev.phone))
        taken.listen()
        dev.start()
        text = dev.log.read_text()
        assert f"port {dev.phone} is in use" in text
        url = text.partition("export EMULATOR_URL=")[2].partition(")")[0]
        wait_until(lambda: answers(f"{url}/healthz"), 20, "the emulator")
        sent = requests.get(f"http://127.0.0.1:{dev.port}/api/sms/invoke-bulk-sms?phone=254711000017", timeout=10)
        assert sent.status_code == 200
        control = Control(url)
        assert len(control.messages("+254711000017")) == 1
        control.close()


@pytest.mark.parametrize(
    ("options", "settings"),
    [(["--no-emulator"], {}), ([], {"AT_MODE": "sandbox", "AT_USERNAME": "sandbox", "AT_API_KEY": "key-of-nobody"})],
    ids=["told not to", "sandbox"],
)
def test_without_the_emulator_only_the_app_runs(dev: Dev, options: list[str], settings: dict[str, str]) -> None:
    dev.start(*options, **settings)
    time.sleep(2)
    assert set(dev.children) == {"web", "worker"}
    assert "Phone" not in dev.log.read_text()


def test_broken_code_waits_for_a_change_while_one_develops(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv*", ".git", "instance", "__pycache__", "tests"))
    dev = Dev(tmp_path, copy)
    try:
        dev.start(FLASK_ENV="development")
        url = f"http://127.0.0.1:{dev.port}/healthz"
        menus = copy / "flows/menus.py"
        good = menus.read_text()
        # gunicorn looks once a second, and knows a file from its second look on.
        time.sleep(3)
        menus.write_text(good + "\ndef (\n")
        for name in ("web process", "worker"):
            wait_until(lambda name=name: f"The {name} ended by itself" in dev.log.read_text(), 20, "the fall")
        assert dev.log.read_text().count("starts again when its code changes") == 2
        assert not answers(url)
        menus.write_text(good)
        wait_until(lambda: answers(url), 20, "the rise")
        wait_until(lambda: "worker" in dev.children, 20, "the rise of the worker")
        assert answers(f"http://127.0.0.1:{dev.phone}/healthz")
    finally:
        dev.process.terminate()
        assert dev.process.wait(timeout=60) == 0


def test_an_emulator_that_is_killed_knows_all_again(tmp_path: Path) -> None:
    state = tmp_path / "emulator.json"
    emulator = Emulator(tmp_path, "http://127.0.0.1:9", "--state", str(state))
    for round_number in range(5):
        with emulator:
            emulator.control.text("+254711000017", "12345", f"message {round_number}")
            emulator.control.faults(late=round_number + 1)
            # It is written within half a second.
            time.sleep(1.2)
            emulator.process.kill()
            emulator.process.wait()
        with emulator:
            assert len(emulator.control.messages("+254711000017")) == round_number + 1
            assert emulator.control.faults()["faults"] == {"late": round_number + 1}
    assert "Traceback" not in emulator.log.read_text()
