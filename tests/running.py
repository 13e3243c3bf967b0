"""Real processes for slow tests: gunicorn as it is run, and a PostgreSQL cluster of our own that may be stopped and frozen."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psycopg
import pytest
import requests

from emulator.client import Control
from tests.conftest import missing

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition, and fail when it does not come."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            pytest.fail(f"{what} did not happen in {seconds} s")
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    """Return the processes whose parent this is."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(word) for word in found.split()]


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program to end, and end it where it does not."""
    process.terminate()
    try:
        process.wait(timeout=40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _upgrade(root: Path, environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"], cwd=root, env=environment, check=True)


@cache
def _migrated(root: Path) -> bytes:
    """Return an empty SQLite file of the newest migration: made once, for it takes seconds."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        _upgrade(root, os.environ | {"DATABASE_URL": f"sqlite:///{file}", "SECRET_KEY": "test", "AT_MODE": "emulator"})
        return file.read_bytes()


class Web:
    """gunicorn wsgi:app with the flags of gunicorn.conf.py."""

    def __init__(self, folder: Path, database_url: str, root: Path = ROOT, **settings: str) -> None:
        self.root = root
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"web-{self.port}.log"
        self.environment = {**os.environ, "DATABASE_URL": database_url, "SECRET_KEY": "test", "AT_MODE": "emulator", **settings}

    def migrate(self) -> None:
        """Make the database, which is empty or not there, one of the newest migration."""
        url = self.environment["DATABASE_URL"]
        if url.startswith("sqlite"):
            Path(url.removeprefix("sqlite:///")).write_bytes(_migrated(self.root))
        else:
            _upgrade(self.root, self.environment)

    def __enter__(self) -> "Web":
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "wsgi:app"]
            self.process = subprocess.Popen(command, cwd=self.root, env=self.environment, stdout=log, stderr=log)
        wait_until(self.answers, 20, "the start of gunicorn")
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process)

    def answers(self) -> bool:
        """Whether it answers at all."""
        try:
            return requests.get(f"{self.url}/healthz", timeout=1).status_code == 200
        except requests.RequestException:
            return False

    def is_ready(self) -> bool:
        """Whether it can keep callbacks."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def flask(self, *words: str) -> str:
        """Run a flask command on the same database and return what it prints."""
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *words],
            cwd=self.root,
            env=self.environment | {"PORT": str(self.port)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout


class OwnPostgres:
    """A PostgreSQL cluster in a folder of its own: pytest's closes itself to other users whenever a run begins."""

    def __init__(self) -> None:
        binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or ([Path(found)] if (found := shutil.which("initdb")) else [])
        if not binaries:
            missing("no initdb: PostgreSQL's server programs are not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="pokea-postgres-"))
        self.folder.chmod(0o755)
        self.bin, self.data, self.port = binaries[-1].parent, self.folder / "cluster", free_port()
        self.data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.data, "postgres", "postgres")
        self._run(str(self.bin / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N")
        self.start()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, *words: str) -> None:
        # The server refuses to run as root.
        before = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run([*before, *words], cwd=self.data, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.data}"
        self._run(str(self.bin / "pg_ctl"), "-D", str(self.data), "-w", "-l", str(self.data / "log"), "-o", options, "start")
        self.pid = int((self.data / "postmaster.pid").read_text().split()[0])

    def stop(self, how: str = "immediate") -> None:
        """Stop; immediate is like a crash."""
        self._run(str(self.bin / "pg_ctl"), "-D", str(self.data), "-w", "-m", how, "stop")

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder)

    def freeze(self) -> None:
        """Stop all of its processes where they are: connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in [self.pid, *children_of(self.pid)]:
            os.kill(pid, number)

    def count(self, query: str) -> int:
        """Return the number that a query gives."""
        with psycopg.connect(self.url, connect_timeout=5) as connection:
            return connection.execute(query).fetchone()[0]


class Emulator:
    """python -m emulator, as it is run."""

    def __init__(self, folder: Path, app_url: str, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"emulator-{self.port}.log"
        self.command = [sys.executable, "-m", "emulator", "--port", str(self.port), "--app-url", app_url, *options]
        self.control = Control(self.url)

    def __enter__(self) -> "Emulator":
        environment = {name: value for name, value in os.environ.items() if name != "CALLBACK_TOKEN"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        wait_until(self.answers, 20, "the start of the emulator")
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        self.process.terminate()
        self.process.wait(timeout=20)

    def answers(self) -> bool:
        """Whether it answers at all."""
        try:
            return requests.get(f"{self.url}/healthz", timeout=1).status_code == 200
        except requests.RequestException:
            return False


class WorkerProcess:
    """flask worker, with the settings of a web process."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.log = web.log.with_name(f"worker-{web.port}.log")
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start, and do not wait."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
            self.process = subprocess.Popen(command, cwd=self.web.root, env=self.web.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """End it at once (-9)."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "WorkerProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process)
