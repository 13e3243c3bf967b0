"""What a call to Africa's Talking costs: our client against the SDK called plainly, and an invoke against the bare call.

Over TLS, with the real authorities to look through, on this machine. Africa's Talking itself is far away and takes longer.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import certifi
from flask import Flask

from bench.servers import ROOT

# Seconds that the far side takes where a whole invoke is measured: less than a round trip to another continent.
FAR_S = 0.05
PHONE = "+254711000017"


def measure(rounds: int, seconds: float) -> dict[str, float]:
    """Return the ratios, measured in a process of its own: the plain SDK reads its authorities from the environment."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_certificate(folder)
        bundle = folder / "authorities.pem"
        bundle.write_text(Path(certifi.where()).read_text() + (folder / "cert.pem").read_text())
        environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(bundle)}
        command = [sys.executable, "-m", "bench.calls", name, str(rounds), str(seconds)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        return json.loads(done.stdout)


def _make_certificate(folder: Path) -> None:
    if not shutil.which("openssl"):
        raise SystemExit("openssl is missing, which makes the certificate of the far side. Debian and Ubuntu: apt-get install openssl")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def _far_side(folder: Path, delay_s: float) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.at", str(folder / "cert.pem"), str(folder / "key.pem"), str(delay_s)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"https://localhost:{process.stdout.readline().strip()}"
        process.terminate()


def _rate(call: Callable[[], object], seconds: float) -> float:
    count, began = 0, time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        call()
        count += 1
    return count / spent


def _ratio(one: Callable[[], object], other: Callable[[], object], rounds: int, seconds: float) -> float:
    one(), other()
    return median(_rate(one, seconds) / _rate(other, seconds) for _ in range(rounds))


@dataclass
class Callers:
    """The three ways to send one message to the same far side."""

    sdk: Callable[[], object]
    client: Callable[[], object]
    invoke: Callable[[], object]


@contextmanager
def _callers(folder: Path, delay_s: float) -> Iterator[Callers]:
    from africastalking.SMS import SMSService

    from services.client import Client
    from services.transport import Transport

    with _far_side(folder, delay_s) as url:
        sdk = SMSService("acme", "key")
        sdk._baseUrl = f"{url}/version1"
        app = _app(folder, url)
        client = Client(app.config["POKEA"], Transport(12, str(folder / "cert.pem")))
        app.extensions["pokea.desk"] = replace(app.extensions["pokea.desk"], client=client)
        browser = app.test_client()

        def invoke() -> None:
            answer = browser.get(f"/api/sms/invoke-bulk-sms?phone={PHONE[1:]}&message=Hello")
            assert answer.status_code == 200, answer.text

        yield Callers(lambda: sdk.send("Hello", [PHONE]), lambda: client.send_sms([PHONE], "Hello", None, False), invoke)


def _app(folder: Path, url: str) -> Flask:
    from flask_migrate import upgrade

    from app import create_app
    from app.config import load_settings

    database = f"sqlite:///{folder}/calls.db"
    settings = replace(load_settings(None), database_url=database, instance_dir=folder, at_base_url=url, ratelimit_enabled=False)
    app = create_app(settings)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with app.app_context():
        upgrade()
    return app


def _main(folder: Path, rounds: int, seconds: float) -> dict[str, float]:
    with _callers(folder, 0) as callers:
        found = {
            "client": _ratio(callers.client, callers.sdk, rounds, seconds),
            "invoke_at_once": _ratio(callers.invoke, callers.sdk, rounds, seconds),
        }
    with _callers(folder, FAR_S) as callers:
        return found | {"invoke": _ratio(callers.invoke, callers.client, rounds, seconds)}


if __name__ == "__main__":
    figures = _main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.write(json.dumps(figures))
