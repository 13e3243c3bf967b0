"""A bench for the dashboard: the programs of `make run`, a browser that is watched, and data that came the way that data comes."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from tests.conftest import missing
from tests.invoking import URLS
from tests.receiving import Answer, Receiver
from tests.running import Emulator, Web, WorkerProcess, free_port, wait_until
from tests.samples import FORM, JSON, PATHS

ME, YOU, BLOCKED = "+254711000000", "+254711000018", "+254711000004"
SURVEY = "+254711082001"
PASSWORD = "correct horse battery staple"
# A page reached through a tunnel; settings say TRUSTED_PROXIES=1
TUNNEL = {"X-Forwarded-For": "203.0.113.9"}
AXE = "axe-core@4.14.1"


class Running:
    """Pokea, its worker, the emulator, and somebody's receiver of webhooks that always fails."""

    def __init__(self, web: Web, emulator: Emulator, receiver: Receiver) -> None:
        self.web, self.emulator, self.receiver = web, emulator, receiver
        self.url, self.control = web.url, emulator.control
        self.session = requests.Session()
        self.session.trust_env = False
        self._key = ""

    def receive(self, kind: str, fields: dict[str, Any], **headers: str) -> str:
        """Post a callback as Africa's Talking does, and return its id."""
        is_json = kind in ("airtime.validation", "airtime.status", "sim_swap.status", "payments.notification", "payments.validation")
        body = json.dumps(fields).encode() if is_json else urlencode(fields).encode(errors="surrogatepass")
        headers = {"Content-Type": JSON if is_json else FORM, **headers}
        return self.session.post(self.url + PATHS[kind], data=body, headers=headers, timeout=20).headers["X-Pokea-Id"]

    def message(self, text: str, number: str = YOU) -> str:
        """Receive a message with an id of its own."""
        return self.receive(
            "sms.incoming_message", {"from": number, "to": "12345", "text": text, "date": "2026-03-04 10:30:00", "id": os.urandom(8).hex()}
        )

    def invoke(self, kind: str, phone: str = ME, **more: str) -> dict[str, Any]:
        """Open an invoke address."""
        url = self.url + URLS[kind].replace("254711000000", phone.lstrip("+"))
        if "message" in more:
            url = url.replace("&message=Hello", "")
        return dict(self.session.get(url, params=more, timeout=20).json())

    def api(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """Ask the API, and return its data."""
        self._key = self._key or json.loads(self.web.flask("keys", "create", "--name", "bench", "--json"))["key"]
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = self.session.request(method, f"{self.url}/api/v1{path}", json=body, params=query, headers=headers, timeout=20).json()
        assert answer["success"], answer
        return answer["data"]

    def fill(self) -> None:
        """Make some of everything: sessions, calls, messages, money, webhooks that fail, a campaign, what is refused and what differs."""
        control = self.control
        control.settings(speech_chars_per_s=400)
        self.api("POST", "/webhooks", {"url": f"{self.receiver.url}/hooks?token=abc", "events": ["sms.*", "ussd.session"]})
        self.api("POST", "/webhooks", {"url": f"{self.receiver.url}/other", "events": ["*"], "active": False})
        for answers in (("1", "1"), ("2",), ("9",)):
            screen = control.dial(ME, "*384*1234#")
            for answer in answers:
                screen = control.reply(ME, screen["session"], answer)
        control.text(ME, "12345", "Hello there")
        control.text(YOU, "12345", "STOP")
        call = control.call(ME, SURVEY)
        control.act(call["call"], "digits", digits="1")
        wait_until(lambda: control.call_state(call["call"])["waiting_for"] == "record", 10, "the question")
        control.act(call["call"], "record", seconds=2)
        for number in (ME, BLOCKED, "+254711000002"):
            self.invoke("sms.bulk", number, again="1")
        for kind in ("airtime.send", "sim_swap.check", "payments.checkout"):
            self.invoke(kind)
        prompt = control.phone(ME)["payment_prompts"][0]["id"]
        control.ask("POST", f"/phones/{ME}/payments/{prompt}", {"pin": True})
        # Its end is not known: nobody answered, and no report comes.
        control.faults(reset=True, report="never")
        self.invoke("sms.bulk", YOU, message="lost?", force="1")
        control.ask("DELETE", "/faults")
        self.receive("sms.incoming_message", {"from": YOU, "to": "12345", "text": "no id"})
        report = {"id": "ATXid_7", "status": "Sent", "phoneNumber": ME, "networkCode": "63902"}
        self.receive("sms.delivery_report", report)
        self.receive("sms.delivery_report", {**report, "phoneNumber": YOU})
        made = self.api("POST", "/campaigns", {"name": "News", "channel": "sms", "message": "Hi {name}", "recipients": [
            {"phone": f"+2547110000{n}", "name": f"Person {n}"} for n in range(30, 36)]})  # fmt: skip
        self.api("POST", f"/campaigns/{made['campaignId']}/start")
        control.clock(advance=30)
        wait_until(lambda: len(self.receiver.came) > 0, 15, "a webhook")

    def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many callbacks of a kind were kept, and return them, newest first."""
        wait_until(lambda: len(self.api("GET", "/callbacks", kind=kind)) >= count, 15, f"{count} of {kind}")
        return list(self.api("GET", "/callbacks", kind=kind))


class Watched:
    """One person's browser: its console must stay empty, no dialog may open by itself, and nobody but Pokea is asked."""

    def __init__(self, browser: Browser, url: str, width: int = 1280, **options: Any) -> None:
        self.url = url
        self.context: BrowserContext = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        self.context.set_default_timeout(8000)
        self.said: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(f"{message.text} at {self.page.url}"))
        self.page.on("pageerror", lambda error: self.said.append(f"{error} at {self.page.url}"))
        self.page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith((self.url, "data:")):
            self.said.append(f"asked {url}")

    def open(self, path: str = "/dashboard") -> Page:
        """Open a page."""
        self.page.goto(self.url + path)
        return self.page

    def lines(self) -> list[str]:
        """Return the ids of the lines that are shown."""
        return [str(line.get_attribute("id")) for line in self.page.locator("#lines .line").all()]

    def close(self) -> None:
        """Leave, and say what was wrong."""
        said = list(self.said)
        self.context.close()
        assert said == [], said


def follow(link: Locator) -> None:
    """Click, and wait for the page that follows: what is asked sooner meets the one before."""
    with link.page.expect_navigation():
        link.click()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The programs that `make run` starts, on a database of their own, and a receiver that answers 500."""
    folder, port = tmp_path_factory.mktemp("dashboard"), free_port()
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver(lambda _came: Answer(500, b"<b>no</b>")))
        emulator = stack.enter_context(Emulator(folder, f"http://127.0.0.1:{port}"))
        web = Web(
            folder, f"sqlite:///{folder / 'pokea.db'}", EMULATOR_URL=emulator.url, RATELIMIT_ENABLED="0", TRUSTED_PROXIES="1", AT_TIMEOUT_S="4",
            DASHBOARD_PASSWORD=PASSWORD, WEBHOOKS_ALLOW_PRIVATE="1", PORT=str(port), GUNICORN_CMD_ARGS="--workers 1",
        )  # fmt: skip
        web.port, web.url = port, f"http://127.0.0.1:{port}"
        web.migrate()
        stack.enter_context(web)
        worker = stack.enter_context(WorkerProcess(web))
        wait_until(lambda: worker.process.poll() is None, 5, "the start of the worker")
        yield Running(web, emulator, receiver)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Pokea that nothing ever came to."""
    folder = tmp_path_factory.mktemp("empty")
    web = Web(folder, f"sqlite:///{folder / 'pokea.db'}", GUNICORN_CMD_ARGS="--workers 1")
    web.migrate()
    with web:
        yield web.url


@pytest.fixture
def open_as(browser: Browser, running: Running) -> Iterator[Callable[..., Watched]]:
    """Give browsers that are watched, of people here or elsewhere."""
    made: list[Watched] = []

    def make(**options: Any) -> Watched:
        made.append(Watched(browser, running.url, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def watched(open_as: Callable[..., Watched]) -> Watched:
    """The browser of a person who sits here."""
    return open_as()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, installed once into AXE_PATH, or the user's cache."""
    folder = Path(os.environ.get("AXE_PATH") or Path.home() / ".cache" / "pokea-axe")
    file = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        if not which("npm"):
            missing("no npm")
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", AXE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"npm install failed: {done.stderr[-300:]}")
    return file.read_text()
