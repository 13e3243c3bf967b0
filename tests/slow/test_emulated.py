"""Pokea and the emulator together, as two programs: what each fault does to what is kept, and what a day of traffic brings back."""

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests

from emulator.client import Control
from tests.invoking import URLS
from tests.routes.test_guide_lines import LINES
from tests.running import ROOT, Emulator, Web, free_port, wait_until
from tests.samples import FORM, JSON

pytestmark = pytest.mark.slow
ME, YOU = "+254711000000", "+254711000018"
# Long enough that every fault which does not silence the emulator is over.
TIMEOUT_S = 1.5


class Both:
    """The two, and what Pokea keeps."""

    def __init__(self, web: Web, emulator: Emulator) -> None:
        self.web, self.control = web, emulator.control

    def invoke(self, kind: str, phone: str = ME, **more: str) -> requests.Response:
        """Open an invoke address as a browser does."""
        url = self.web.url + URLS[kind].replace("254711000000", phone.lstrip("+"))
        return requests.get(url, params=more, timeout=20)

    def kept(self, kind: str) -> list[dict]:
        """The callbacks of a kind, oldest first."""
        file = self.web.environment["DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute("SELECT fields, repeats FROM callbacks WHERE kind = ? ORDER BY id", (kind,)).fetchall()
        return [{"fields": json.loads(fields), "repeats": repeats} for fields, repeats in rows]

    def wait_for(self, kind: str, count: int = 1) -> list[dict]:
        """Wait until so many callbacks of a kind were kept."""
        wait_until(lambda: len(self.kept(kind)) >= count, 15, f"{count} of {kind}")
        return self.kept(kind)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    port = free_port()
    with Emulator(tmp_path, f"http://127.0.0.1:{port}") as emulator:
        web = Web(
            tmp_path, f"sqlite:///{tmp_path / 'both.db'}", EMULATOR_URL=emulator.url, AT_TIMEOUT_S=str(TIMEOUT_S), RATELIMIT_ENABLED="0"
        )
        web.port, web.url = port, f"http://127.0.0.1:{port}"
        web.migrate()
        with web:
            yield Both(web, emulator)


def test_every_guide_line_works_as_written(both: Both) -> None:
    for method, path, body, status, answer in LINES:
        response = requests.request(
            method, both.web.url + path, data=body.encode(), headers={"Content-Type": JSON if body.startswith("{") else FORM}, timeout=10
        )
        assert response.status_code == int(status), path
        assert answer in response.text, path


def test_every_order_is_taken_and_told_of(both: Both) -> None:
    for kind in URLS:
        assert both.invoke(kind).json()["invocation"]["state"] == "accepted", kind
    phone = both.control.phone(ME)
    assert [message["text"] for message in phone["messages"]] == ["Hello", "Hello"]
    both.control.act(phone["calls"][0]["call"], "answer", phone=ME)
    prompt = phone["payment_prompts"][0]["id"]
    both.control.ask("POST", f"/phones/{ME}/payments/{prompt}", {"pin": True})
    both.control.clock(advance=30)
    assert [row["fields"]["status"] for row in both.wait_for("sms.delivery_report", 2)] == ["Success", "Success"]
    assert both.wait_for("airtime.validation")[0]["fields"]["amount"] == 10.0
    assert both.wait_for("airtime.status")[0]["fields"]["status"] == "Success"
    assert both.wait_for("sim_swap.status")[0]["fields"]["lastSimSwapDate"] == "01-01-1900"
    assert both.wait_for("payments.notification")[0]["fields"]["transactionId"] == prompt
    end = both.wait_for("voice.event")[0]["fields"]
    assert (end["callSessionState"], end["currencyCode"], end["amount"]) == ("Completed", "KES", "2.00")
    assert end["clientRequestId"].startswith("inv_")
    assert both.control.phone(ME)["balance"] == "KES 10.0000"


# What a fault of the API makes of an order, and how many messages then are on the phone: none is sent twice.
FAULTS = {
    "slow": ({"slow": 0.5}, "accepted", 1), "too_slow": ({"slow": 3}, "unknown", 1), "hang": ({"hang": True}, "unknown", 1),
    "reset": ({"reset": True}, "unknown", 1), "server_error": ({"server_error": 503}, "unknown", 1), "html": ({"html": True}, "unknown", 1),
    "too_many": ({"too_many": True}, "refused", 0), "charset": ({"charset": True}, "accepted", 1),
    "callback_first": ({"callback_first": True}, "accepted", 1),
}  # fmt: skip


@pytest.mark.parametrize(("faults", "state", "messages"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_api_is_told_and_nothing_is_sent_twice(both: Both, faults: dict, state: str, messages: int) -> None:
    both.control.faults(**faults)
    first = both.invoke("sms.bulk", idempotencyKey="order-0001").json()
    assert first["invocation"]["state"] == state
    both.control.ask("DELETE", "/faults")
    again = both.invoke("sms.bulk", idempotencyKey="order-0001").json()
    # One that was refused before it was taken is tried again; no other one is.
    assert len(both.control.messages(ME)) == (messages or 1)
    assert again.get("repeated", False) is (state != "refused")
    both.control.clock(advance=20)
    reports = both.wait_for("sms.delivery_report")
    assert len(reports) == 1
    # The report of an order whose end nobody knew settles it.
    settled = both.invoke("sms.bulk", idempotencyKey="order-0001").json()
    assert settled["invocation"]["state"] == "accepted"
    assert len(both.control.messages(ME)) == 1


CALLBACK_FAULTS = {
    "duplicate": {"duplicate": 3}, "late": {"late": 60}, "reordered": {"reordered": True}, "retry_storm": {"retry_storm": 30},
    "charset": {"charset": True},
}  # fmt: skip


@pytest.mark.parametrize("faults", CALLBACK_FAULTS.values(), ids=CALLBACK_FAULTS)
def test_a_fault_of_callbacks_loses_nothing_and_keeps_nothing_twice(both: Both, faults: dict) -> None:
    both.control.faults(**faults)
    texts = [f"message {number}" for number in range(5)]
    for text in texts:
        both.control.text(ME, "12345", text)
    both.invoke("sms.bulk")
    both.control.clock(advance=120)
    assert sorted(row["fields"]["text"] for row in both.wait_for("sms.incoming_message", 5)) == texts
    copies = {"duplicate": 3, "retry_storm": 29}.get(next(iter(faults)), 0)
    assert [row["repeats"] for row in both.kept("sms.incoming_message")] == [copies] * 5
    assert len(both.kept("sms.delivery_report")) == (2 if "reordered" in faults else 1)


def test_a_dropped_callback_is_known_by_neither(both: Both) -> None:
    both.control.faults(dropped=True)
    both.control.text(ME, "12345", "lost")
    both.control.clock(advance=120)
    assert both.kept("sms.incoming_message") == []


def test_a_dropped_session_and_a_slow_app_end_sessions_as_told(both: Both) -> None:
    both.control.faults(drop_session=1)
    both.control.dial(ME, "*384*1234#")
    both.control.faults(drop_session=False, app_slow=12)
    both.control.dial(ME, "*384*1234#")
    ends = both.wait_for("ussd.session_end", 2)
    assert [row["fields"]["status"] for row in ends] == ["Incomplete", "Failed"]


def test_pokea_that_was_away_gets_every_message_in_the_end(both: Both) -> None:
    both.web.__exit__()
    for number in range(10):
        both.control.text(ME, "12345", f"message {number}")
    both.control.clock(advance=90)
    with both.web:
        both.control.clock(advance=60)
        assert len(both.wait_for("sms.incoming_message", 10)) == 10


# Three countries' numbers, a hundred of each
PEOPLE = [f"+{country}7110000{place:02}" for country in (254, 256, 263) for place in range(100)]


@pytest.fixture
def program() -> Iterator[str]:
    # Not in this process, which plays hundreds of people and has no time for anybody else.
    command = [sys.executable, "-m", "tests.slow.echo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


def _session(control: Control, number: str, words: random.Random) -> None:
    screen = control.dial(number, "*384*1234#")
    assert screen["screen"] == "You said nothing", screen
    for _ in range(3):
        time.sleep(words.uniform(0.5, 2))
        said = str(words.randrange(10**9))
        screen = control.reply(number, screen["session"], said)
        assert screen["screen"] == f"You said {said}", screen
    assert screen["status"] == "Success"


def _call(control: Control, number: str, words: random.Random) -> None:
    call = control.call(number, "+254711082000")
    assert call["waiting_for"] == "digits", call
    time.sleep(words.uniform(0.5, 2))
    keys = f"{words.randrange(10**8):08}"
    call = control.act(call["call"], "digits", digits=keys)
    assert call["heard"][-1] == f"You pressed {keys}", call
    wait_until(lambda: control.call_state(call["call"])["state"] == "ended", 30, "the end of the call")


@pytest.mark.alone
def test_200_sessions_and_50_calls_at_once_for_a_minute_get_each_their_own_answer(tmp_path: Path, program: str) -> None:
    port = free_port()
    with Emulator(tmp_path, f"http://127.0.0.1:{port}") as emulator:
        settings = {"EMULATOR_URL": emulator.url, "USSD_APP_URL": f"{program}/ussd", "VOICE_APP_URL": f"{program}/voice", "PORT": str(port)}
        # One process of 32 threads, as `make run` starts it.
        web = Web(tmp_path, f"sqlite:///{tmp_path / 'load.db'}", GUNICORN_CMD_ARGS="--workers 1", **settings)
        web.port, web.url = port, f"http://127.0.0.1:{port}"
        web.migrate()
        with web:
            ends, done = time.monotonic() + 60, Counter[str]()

            def person(place: int) -> None:
                words, control = random.Random(place), Control(emulator.url)
                time.sleep(words.uniform(0, 2))
                while time.monotonic() < ends:
                    do, name = (_session, "sessions") if place < 200 else (_call, "calls")
                    do(control, PEOPLE[place], words)
                    done[name] += 1
                control.close()

            with ThreadPoolExecutor(250) as people:
                for future in [people.submit(person, place) for place in range(250)]:
                    future.result()
            rows = [json.loads(line) for line in web.flask("callbacks", "export").splitlines()]
    kinds = Counter(row["kind"] for row in rows)
    assert done["sessions"] > 200
    assert done["calls"] > 100
    assert kinds["ussd.session"] == 4 * done["sessions"]
    assert kinds["ussd.session_end"] == done["sessions"]
    assert kinds["voice.instructions"] == 2 * done["calls"]
    assert kinds["voice.event"] == done["calls"]
    assert {row["repeats"] for row in rows} == {0}
