"""The README's commands, as written, against the running program."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import ROOT, declared
from app.schemas.callbacks import KINDS
from app.schemas.invokes import INVOKES
from emulator.client import Control
from tests.running import Emulator, Web, children_of, free_port, wait_until

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
FLASKS = [line for line in BLOCKS.splitlines() if line.startswith("flask")]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), f"http://127.0.0.1:{PORT}") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("readme")
    web = Web(folder, f"sqlite:///{folder / 'readme.db'}", EMULATOR_URL=emulator.url)
    web.port, web.url = PORT, f"http://127.0.0.1:{PORT}"
    web.migrate()
    with web:
        yield web


@pytest.mark.slow
@pytest.mark.parametrize("line", CURLS)
def test_a_curl_line_works_as_written(web: Web, emulator: Emulator, line: str) -> None:
    asked = line.replace("http://localhost:9000", web.url).replace("http://localhost:9001", emulator.url)
    done = subprocess.run(["bash", "-c", asked.replace("curl ", "curl -sS -w '\\n%{http_code}' ", 1)], capture_output=True, text=True, check=True)  # fmt: skip
    answer, _, status = done.stdout.rpartition("\n")
    assert status == ("201" if "9001" in line else "200")
    assert answer
    assert "Sorry" not in answer
    assert "Failed" not in answer


@pytest.mark.slow
@pytest.mark.parametrize("line", FLASKS)
def test_a_flask_line_works_as_written(web: Web, line: str) -> None:
    assert web.flask(*shlex.split(line)[1:])


@pytest.mark.slow
def test_the_python_of_the_readme_works_as_written(emulator: Emulator) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "africastalking.initialize" in block)
    asked = code.replace("http://127.0.0.1:9001", emulator.url)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", asked], capture_output=True, text=True, check=True)
    assert "Sent to 1/1" in done.stdout


@pytest.mark.slow
def test_the_flows_of_the_readme_can_be_pasted(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv*", ".git", "instance", "__pycache__", "tests"))
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for file, mark in (("menus.py", "menu = Menu("), ("calls.py", "support = CallFlow(")):
        with (copy / "flows" / file).open("a") as flows:
            flows.write("\n" + next(block for block in blocks if mark in block))
    (copy / "flows/__init__.py").write_text(next(block for block in blocks if "FLOWS = Flows(" in block))
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'f.db'}", "SECRET_KEY": "t", "AT_MODE": "emulator"}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "urls"], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


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
    assert len(children) == 2
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
