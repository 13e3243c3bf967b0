"""The README's commands, as written, against the running program."""

import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from app.models import Endpoint
from app.schemas.callbacks import KINDS
from app.schemas.invokes import INVOKES
from app.settings import ROOT, declared
from emulator.client import Control
from services.webhooks.signing import headers_for
from tests.receiving import Receiver
from tests.running import Emulator, Web, WorkerProcess, children_of, free_port, wait_until
from tests.stub_at import StubAT

README = (ROOT / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
INVOKE_PATHS = (
    "/api/sms/invoke-bulk-sms",
    "/api/sms/invoke-twoway-sms",
    "/api/voice/invoke-call",
    "/api/airtime/invoke-send-airtime",
    "/api/sim-swap/invoke-check-simswap",
    "/api/payments/invoke-mobile-checkout",
)
CURLS = [line for line in BLOCKS.splitlines() if line.startswith("curl")]
PORT = free_port()
# In the README's own order: some name what one before them made.
LINES = [line for line in BLOCKS.splitlines() if line.startswith(("curl", "flask"))]
ENDLESS = [line for line in LINES if line.startswith("flask listen")]
MAKES_SOMETHING = ("localhost:9001", "/replay")
# What `cb_…` and its like stand for: the newest that this lists
NEWEST = {
    "cb_…": ("callbacks list --kind ussd.session --limit 1", "id"),
    "rct_…": ("reactions list --limit 1", "id"),
    "webhook_…": ("webhooks list", "webhookId"),
    "cmp_…": ("campaign list --limit 1", "campaignId"),
}


@dataclass
class Place:
    """All that `make run` starts, a receiver of webhooks, and a shell that has the environment."""

    web: Web
    emulator: Emulator
    receiver: Receiver
    folder: Path
    # Of /api/v1
    key: str = ""

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of the README as it is written, but for ports and for ids that were made here."""
        return subprocess.run(["bash", "-c", self.written(line)], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """What a person has who followed the README so far; their editor takes the second choice of a menu."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {
            "PATH": path,
            "PORT": str(self.web.port),
            "FLASK_APP": str(ROOT / "wsgi.py"),
            "EDITOR": """sed -i 's/"text": ".*"/"text": "2"/'""",
        }
        return self.web.environment | own | ({"KEY": self.key} if self.key else {})

    def written(self, line: str) -> str:
        """Return a line with the ports and ids of here."""
        for what, ours in (("localhost:9000", self.web.url), ("localhost:9001", self.emulator.url), ("127.0.0.1:8000", self.receiver.url)):
            line = line.replace(f"http://{what}", ours)
        for name, (words, key) in NEWEST.items():
            if name in line:
                line = line.replace(name, json.loads(self.web.flask(*words.split(), "--json"))[0][key])
        return line


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), f"http://127.0.0.1:{PORT}") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("readme")
    web = Web(folder, f"sqlite:///{folder / 'readme.db'}", EMULATOR_URL=emulator.url, WEBHOOKS_ALLOW_PRIVATE="1")
    web.port, web.url = PORT, f"http://127.0.0.1:{PORT}"
    web.migrate()
    (folder / "members.csv").write_text(*re.findall(r"```csv\n(.*?)```", README, re.DOTALL))
    with web, WorkerProcess(web), Receiver() as receiver:
        place = Place(web, emulator, receiver, folder)
        export = next(line for line in BLOCKS.splitlines() if line.startswith("export KEY="))
        place.key = place.run(f'{export}; printf %s "$KEY"').stdout
        assert place.key
        yield place


def wrong_about(place: Place, line: str) -> str:
    """Run a line; return what is wrong with what it said, nothing where it is right."""
    if line.startswith("flask"):
        done = place.run(line)
        return "" if done.returncode == 0 and done.stdout + done.stderr else f"exit {done.returncode}: {done.stdout}{done.stderr}"
    done = place.run(line.replace("curl ", "curl -sS -w '\\n%{http_code}' ", 1))
    answer, _, status = done.stdout.rpartition("\n")
    right = "201" if any(word in line for word in MAKES_SOMETHING) else "200"
    is_answered_no = "localhost:9000/api" in line and "$KEY" not in line and ("Sorry" in answer or "Failed" in answer)
    return "" if status == right and answer and not is_answered_no else done.stdout + done.stderr


@pytest.mark.slow
def test_every_line_works_as_written(place: Place) -> None:
    said = {line: wrong_about(place, line) for line in LINES if line not in ENDLESS}
    assert {line: wrong for line, wrong in said.items() if wrong} == {}
    wait_until(lambda: any(b'"event":"ping"' in came.body for came in place.receiver.came), 20, "the ping")
    assert any(came.path == "/callbacks" for came in place.receiver.came)
    campaign = json.loads(place.web.flask("campaign", "list", "--json"))[0]
    assert (campaign["state"], campaign["totals"]["accepted"]) == ("finished", 2)
    kept = json.loads(place.web.flask("callbacks", "list", "--kind", "ussd.session", "--limit", "1000", "--json"))
    assert sum(row["via"] == "replay" for row in kept) == sum("cb_…" in line and "replay" in line for line in LINES)
    assert sum(row["pinned_at"] is not None for row in kept) == 1
    reacted = json.loads(place.web.flask("reactions", "list", "--limit", "1000", "--json"))
    assert ("confirmed", "done") in {(row["name"], row["state"]) for row in reacted}


@pytest.mark.slow
@pytest.mark.parametrize("line", ENDLESS)
def test_listening_prints_what_comes(place: Place, line: str) -> None:
    listening = subprocess.Popen(["bash", "-c", f"exec {place.written(line)}"], env=place.environment, cwd=place.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert "Listening" in listening.stderr.readline()
        place.web.flask("trigger", "sms.incoming_message", "--set", "text=Jambo")
        assert "sms.incoming_message" in listening.stdout.readline()
    finally:
        listening.send_signal(signal.SIGINT)
        assert listening.wait(timeout=20) == 0
        listening.communicate()


@pytest.mark.slow
def test_the_python_of_the_readme_works_as_written(emulator: Emulator) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "africastalking.initialize" in block)
    asked = code.replace("http://127.0.0.1:9001", emulator.url)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", asked], capture_output=True, text=True, check=True)
    assert "Sent to 1/1" in done.stdout


def python_with(mark: str) -> str:
    """Return the README's block of Python that has these words."""
    return next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if mark in block)


@pytest.fixture
def pasted(tmp_path: Path) -> Path:
    """A copy of the program into whose flows/ the README's blocks were pasted."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv*", ".git", "instance", "__pycache__", "tests"))
    for file, mark in (("menus.py", "menu = Menu("), ("calls.py", "support = CallFlow("), ("reactions.py", "def shipped(")):
        with (copy / "flows" / file).open("a") as flows:
            flows.write("\n" + python_with(mark))
    (copy / "flows/__init__.py").write_text(python_with("FLOWS = Flows("))
    return copy


@pytest.mark.slow
def test_the_flows_of_the_readme_do_what_they_say(tmp_path: Path, pasted: Path) -> None:
    with StubAT() as at:
        web = Web(tmp_path, f"sqlite:///{tmp_path / 'flows.db'}", root=pasted, AT_BASE_URL=at.url)
        web.migrate()
        with web:
            assert "*384*77#" not in web.flask("urls")
            for sample in ("sms.incoming_message --set text=Order-17", "sms.incoming_message --set text=Hi", "payments.notification"):
                web.flask("trigger", *sample.split())
            hop = {"sessionId": "ATUid_77", "serviceCode": "*384*77#", "phoneNumber": "+254711000017", "text": "1*1234"}
            assert requests.post(f"{web.url}/api/ussd/session", data=hop, timeout=10).text == "END Sent to +254711000017"
            web.flask("worker", "--once")
    assert sorted(seen.fields["message"] for seen in at.seen) == [
        "Order 17 is on its way.", "Thank you, your payment is here.", 'This is a response to: "Hi"',
    ]  # fmt: skip


SECRET, OTHER = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.mark.parametrize(
    ("signed_with", "age_s", "more", "is_ours"),
    [(SECRET, 0, b"", True), (SECRET, 290, b"", True), (SECRET, 310, b"", False), (OTHER, 0, b"", False), (SECRET, 0, b" ", False)],
    ids=["as sent", "a bit late", "too late", "by another", "with another byte"],
)
def test_the_check_of_the_readme_takes_what_is_ours(signed_with: str, age_s: int, more: bytes, is_ours: bool) -> None:
    names: dict[str, Any] = {}
    exec(python_with("def is_from_pokea("), names)
    body, now = '{"text":"é"}'.encode(), datetime.now(UTC) - timedelta(seconds=age_s)
    signer = Endpoint(secret=signed_with, previous_secret=None, previous_until=None)
    headers = headers_for(signer, "evt_1", body, "application/json", now, "X-Pokea-Signature")
    assert names["is_from_pokea"](SECRET, headers, body + more) is is_ours
    assert names["is_from_pokea"](SECRET, {}, body) is False


@pytest.mark.slow
def test_the_emulator_starts_as_written_takes_the_next_port_and_stops(tmp_path: Path, emulator: Emulator) -> None:
    line = next(line for line in BLOCKS.splitlines() if line.startswith("python -m emulator"))
    words = [sys.executable, *shlex.split(line.replace("9001", str(emulator.port)))[1:]]
    # Its state is written where one stands, so there is a copy of the package to stand in.
    shutil.copytree(ROOT / "emulator", tmp_path / "emulator", ignore=shutil.ignore_patterns("__pycache__"))
    log = tmp_path / "emulator.log"
    with log.open("w") as out:
        started = subprocess.Popen(words, cwd=tmp_path, stdout=out, stderr=out)
    try:
        wait_until(lambda: "Ctrl+C stops it" in log.read_text(), 20, "the start")
    finally:
        started.send_signal(signal.SIGINT)
        assert started.wait(timeout=20) == 0
    assert f"Port {emulator.port} is in use" in log.read_text()
    assert (tmp_path / "emulator.json").exists()
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
def test_flask_dev_starts_says_so_and_stops(tmp_path: Path) -> None:
    port, phone = free_port(), free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'dev.db'}",
        "SECRET_KEY": "t",
        "AT_MODE": "emulator",
        "PORT": str(port),
        "EMULATOR_URL": f"http://127.0.0.1:{phone}",
        "CALLBACK_TOKEN": "geheim-fuer-rueckrufe",
    }
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "dev"]
    log = tmp_path / "dev.log"
    with log.open("w") as out:
        dev = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        wait_until(
            lambda: subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/readyz"], check=False, capture_output=True).returncode == 0,
            20,
            "flask dev",
        )
        second = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert (second.returncode, f"Port {port} is in use" in second.stderr) == (1, True)
        control = Control(f"http://127.0.0.1:{phone}")
        wait_until(lambda: control.dial("+254711000017", "*384*1234#")["status"] == "", 20, "a session")
        control.close()
        children = children_of(dev.pid)
    finally:
        dev.send_signal(signal.SIGINT)
        assert dev.wait(timeout=40) == 0
    # The app, its worker and the emulator
    assert len(children) == 3
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    text = log.read_text()
    assert f"Phone       http://localhost:{phone}/" in text
    # The emulator's callbacks are proven, and the secret is in no line.
    assert "geheim" not in text
    assert "mode: EMULATOR (nothing leaves this machine)" in text
    assert re.search(r"\d\d:\d\d:\d\d  <-  ussd.session +\*\*\*017 +accepted 200 CON", text)
    assert "Traceback" not in text


@pytest.mark.slow
def test_a_database_out_of_reach_is_one_line_and_exit_1() -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://someone:geheim@127.0.0.1:{free_port()}/x",
        "SECRET_KEY": "t",
        "AT_MODE": "emulator",
    }
    for command in (
        ["gunicorn", "--bind", f"127.0.0.1:{free_port()}", "wsgi:app"],
        ["flask", "--app", "wsgi", "dev", "--port", str(free_port())],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=10, check=False
        )
        told = [line for line in done.stderr.splitlines() if "is out of reach" in line]
        assert (done.returncode, len(told)) == (1, 1)
        assert "someone:***@127.0.0.1" in told[0]
        assert "geheim" not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", [["gunicorn", "--bind", "0.0.0.0:{port}", "wsgi:app"], ["flask", "--app", "wsgi", "run", "--debug", "--host", "0.0.0.0", "--port", "{port}"], ["flask", "--app", "wsgi", "dev", "--host", "0.0.0.0", "--port", "{port}"]], ids=["gunicorn", "run", "dev"])  # fmt: skip
def test_a_debugger_on_a_public_address_never_starts(tmp_path: Path, command: list[str]) -> None:
    words = [word.replace("{port}", str(free_port())) for word in command]
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'd.db'}",
        "SECRET_KEY": "t",
        "AT_MODE": "emulator",
        "FLASK_DEBUG": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert "a debugger on 0.0.0.0 lets anybody run code here" in done.stderr


@pytest.mark.slow
def test_wrong_settings_stop_the_start_with_a_list() -> None:
    environment = {**os.environ, "AT_MODE": "prod", "PORT": "x"}
    for command in (["gunicorn", "wsgi:app"], ["flask", "--app", "wsgi", "urls"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode == 1
        assert "Cannot start: 2 settings are wrong." in done.stderr
        assert "Traceback" not in done.stderr


def test_every_callback_has_a_curl_line_and_a_row() -> None:
    paths = {
        "/api/ussd/session",
        "/api/ussd/status",
        "/api/voice/instruct",
        "/api/v1/sms/webhook",
        "/api/v1/payments/webhook",
        "/api/v1/ussd/",
    }
    assert all(any(path in line for line in CURLS) for path in paths)
    assert len(CURLS) >= 18
    for kind in KINDS:
        assert f"| `{kind}` |" in README


def test_every_invoke_has_a_curl_line_and_a_row() -> None:
    assert len(INVOKE_PATHS) == len(INVOKES)
    for path in INVOKE_PATHS:
        assert f"| `{path}` |" in README
        assert any(path in line for line in CURLS)


def test_every_setting_is_in_the_table() -> None:
    for entry in declared():
        assert f"| `{entry.name.upper()}` |" in README
        assert f"| {entry.metadata['meaning']} |" in README


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "said"), [("import nowhere_to_be_found", "ModuleNotFoundError"), ("FLOWS = Flows(menus={'*9#': __import__('services.ussd').ussd.Menu()})", "leads to screens that it does not have: start")])  # fmt: skip
def test_a_broken_table_of_flows_is_told_in_one_line(tmp_path: Path, broken: str, said: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv*", ".git", "instance", "__pycache__", "tests"))
    with (copy / "flows/__init__.py").open("a") as flows:
        flows.write(f"\n{broken}\n")
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'f.db'}", "SECRET_KEY": "t", "AT_MODE": "emulator"}
    for command in (["flask", "--app", "wsgi", "urls"], ["gunicorn", "--bind", f"127.0.0.1:{free_port()}", "wsgi:app"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=copy, env=environment, capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode != 0
        assert [line for line in done.stderr.splitlines() if line.startswith("Cannot start: ") and said in line]
