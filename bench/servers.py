"""Starts web processes with the flags of gunicorn.conf.py, on free ports, and ends them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "bench-callback-token"


@contextmanager
def running(target: str, folder: Path, database_url: str) -> Iterator[str]:
    """Serve a WSGI application and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": database_url, "CALLBACK_TOKEN": TOKEN, "SECRET_KEY": "bench", "AT_MODE": "emulator"}
    with (folder / f"{target.replace(':', '-')}-{port}.log").open("wb") as log:
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", target]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=40)


def migrate(database_url: str) -> None:
    """Bring a database to the newest migration."""
    environment = {**os.environ, "DATABASE_URL": database_url, "SECRET_KEY": "bench", "AT_MODE": "emulator"}
    subprocess.run([sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"], cwd=ROOT, env=environment, check=True)


def _wait_for(url: str, process: subprocess.Popen) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends and process.poll() is None:
        try:
            requests.get(url, timeout=1)
            return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.1)
    raise SystemExit(f"The server at {url} did not start.")
