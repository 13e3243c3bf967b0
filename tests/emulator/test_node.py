"""The unmodified Node package, in a program that knows the emulator only as its host, while a person uses the phone."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.conftest import missing
from tests.emulator import golden
from tests.emulator.conftest import Running
from tests.emulator.golden import ANSWERS, CALLBACKS, differences

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent / "node"
PHONE = "+254711000017"
WITHIN_S = 120
# The package's own hosts, of which none may be left out
HOSTS = [f"{service}.sandbox.africastalking.com" for service in ("api", "bundles", "chat", "insights", "voice")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program and what it needs."""
    for needed in ("node", "npm"):
        if not shutil.which(needed):
            missing(f"no {needed}")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "app.js"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        missing(f"npm install failed: {done.stderr[-300:]}")
    return folder


class Program:
    """The program under way. All it says are lines of JSON."""

    def __init__(self, folder: Path, emulator: Running) -> None:
        self.process = subprocess.Popen(
            ["node", "app.js"],
            cwd=folder,
            env={**os.environ, "EMULATOR_URL": emulator.url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.watch = threading.Timer(WITHIN_S, self.process.kill)
        self.watch.start()
        url = f"http://127.0.0.1:{self._hears()['port']}"
        emulator.control.settings(callbacks={kind: f"{url}/{kind}" for kind in CALLBACKS}, speech_chars_per_s=0)

    def _hears(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the program ended by itself"
        return json.loads(line)

    def order(self, name: str, **given: Any) -> dict[str, Any]:
        """Have it call one method of the package; return `{"answer"}` or `{"refused"}`."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"order": name, **given}) + "\n")
        self.process.stdin.flush()
        return self._hears()

    def answer(self, name: str, **given: Any) -> dict[str, Any]:
        """Have it call one method, which must succeed; return the answer."""
        said = self.order(name, **given)
        assert "answer" in said, said
        return said["answer"]

    def end(self) -> dict[str, Any]:
        """Let it end; return the callbacks that it got and the hosts that the package asked."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        told = self._hears()
        assert self.process.wait(10) == 0
        return told

    def stop(self) -> None:
        """Be sure that it is gone."""
        self.watch.cancel()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def program(installed: Path, emulator: Running) -> Iterator[Program]:
    """The program, listening for the emulator's callbacks."""
    made = Program(installed, emulator)
    yield made
    made.stop()


def said_in(told: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return what the callbacks of one kind said; each is as recorded."""
    record, found = CALLBACKS[kind], []
    for got in (got for got in told["callbacks"] if got["kind"] == kind):
        assert got["media"] == record.media
        assert record.agent in (None, got["agent"])
        said = json.loads(got["body"]) if record.media == golden.JSON else dict(parse_qsl(got["body"], keep_blank_values=True))
        assert not differences(record.shape, said, kind), got["body"]
        found.append(said)
    return found


def same(name: str, answer: Any) -> None:
    """Hold an answer, as the package gave it to its caller, against its record."""
    assert not differences(ANSWERS[name].shape, answer, name), answer


def test_every_method_gets_an_answer_that_the_package_takes(program: Program, emulator: Running) -> None:
    same("SMS.send", program.answer("sms", to=[PHONE]))
    link = emulator.control.text(PHONE, "12345", "news")["link_id"]
    same("SMS.send_premium", program.answer("premium", to=PHONE, linkId=link))
    same("SMS.fetch_messages", program.answer("fetch"))
    same("subscription.create", program.answer("subscribe", to=PHONE))
    same("subscription.fetch", program.answer("subscribers"))
    same("subscription.delete", program.answer("unsubscribe", to=PHONE))
    airtime = program.answer("airtime", to=PHONE)
    same("Airtime.send", airtime)
    same("airtime.find", program.answer("airtimeStatus", id=airtime["responses"][0]["requestId"]))
    same("Voice.call", program.answer("call", to=PHONE))
    same("Application.fetch_application_data", program.answer("application"))
    same("Token.generate_auth_token", program.answer("token"))
    same("Insights.check_sim_swap_state", program.answer("simSwap", to=PHONE))
    data = program.answer("data", to=PHONE)
    same("MobileData.send", data)
    emulator.control.clock(advance=5)
    same("MobileData.find_transaction", program.answer("dataFound", id=data["entries"][0]["transactionId"]))
    same("wallet", program.answer("wallet"))
    same("Whatsapp.send", program.answer("whatsapp", to=PHONE))
    assert program.end()["hosts"] == HOSTS


def test_queue_and_media_are_json_that_calls_itself_a_form(program: Program) -> None:
    assert program.answer("queued") == {"entries": [], "errorMessage": "None", "status": "Success"}
    same("Voice.media_upload", program.answer("upload"))


def test_wrong_key_is_refused_in_plain_text(program: Program) -> None:
    assert program.order("wrongKey", to=PHONE) == {"refused": {"status": 401, "body": ANSWERS["wrong key"].shape}}


def test_message_and_airtime_reach_the_phone_and_are_reported(program: Program, emulator: Running) -> None:
    message = program.answer("sms", to=PHONE)["SMSMessageData"]["Recipients"][0]
    airtime = program.answer("airtime", to=PHONE)["responses"][0]
    assert program.answer("airtime", to=PHONE)["numSent"] == 0
    emulator.control.clock(advance=10)
    phone = emulator.control.phone(PHONE)
    assert [(one["from"], one["text"]) for one in phone["messages"]] == [("POKEA", "Habari + 100% ñ")]
    assert phone["balance"] == "KES 25.0000"
    told = program.end()
    (report,) = said_in(told, "sms.delivery_report")
    assert (report["id"], report["phoneNumber"], report["status"]) == (message["messageId"], PHONE, "Success")
    (asked,) = said_in(told, "airtime.validation")
    assert (asked["transactionId"], asked["amount"]) == (airtime["requestId"], 25)
    (status,) = said_in(told, "airtime.status")
    assert (status["requestId"], status["status"], status["value"]) == (airtime["requestId"], "Success", airtime["amount"])


def test_call_is_answered_and_led_by_the_packages_own_builder(program: Program, emulator: Running) -> None:
    call = program.answer("call", to=PHONE)["entries"][0]["sessionId"]
    assert emulator.control.call_state(call)["state"] == "ringing"
    asked = emulator.control.act(call, "answer")
    assert (asked["heard"], asked["waiting_for"]) == (["Press one"], "digits")
    led = emulator.control.act(call, "digits", digits="7")
    assert led["heard"] == ["Press one", "You pressed 7", "[in a conference]"]
    emulator.control.act(call, "hangup")
    emulator.control.clock(advance=1)
    told = program.end()
    first, second = said_in(told, "voice.instructions")
    assert {one["sessionId"] for one in (first, second)} == {call}
    assert (first["clientRequestId"], first["direction"], first["callerNumber"]) == ("order-7", "Outbound", PHONE)
    assert ("dtmfDigits" in first, second["dtmfDigits"]) == (False, "7")
    (ended,) = said_in(told, "voice.event")
    assert (ended["sessionId"], ended["status"], ended["hangupCause"]) == (call, "Success", "NORMAL_CLEARING")


def test_ussd_session_is_answered_by_the_packages_own_handler(program: Program, emulator: Running) -> None:
    first = emulator.control.dial(PHONE, "*384*1234#")
    assert (first["screen"], first["open"]) == ("Your name?", True)
    last = emulator.control.reply(PHONE, first["session"], "Ann + Bo")
    assert (last["screen"], last["open"], last["why"]) == ("Karibu Ann + Bo", False, None)
    emulator.control.clock(advance=1)
    told = program.end()
    assert [(one["text"], one["sessionId"]) for one in said_in(told, "ussd.session")] == [
        ("", first["session"]),
        ("Ann + Bo", first["session"]),
    ]
    (ended,) = said_in(told, "ussd.session_end")
    assert (ended["status"], ended["input"], ended["hopsCount"]) == ("Success", "Ann + Bo", "2")


def test_the_readme_s_lines_work_as_written(installed: Path, emulator: Running) -> None:
    readme = (HERE.parents[2] / "README.md").read_text()
    code = re.search(r"```js\n(.*?)```", readme, re.DOTALL).group(1).replace("http://127.0.0.1:9001", emulator.url)
    (installed / "readme.js").write_text(code)
    done = subprocess.run(["node", "readme.js"], cwd=installed, capture_output=True, text=True, timeout=60, check=True)
    assert "Sent to 1/1" in done.stdout
    assert emulator.control.messages("+254711000000")[0]["text"] == "Hello"
