"""What the contract's tests share: its tables as data, and one gunicorn, one worker, one receiver and one stub of Africa's Talking."""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

import requests
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app import create_app
from app.settings import Settings
from tests.receiving import Answer, Came, Receiver
from tests.running import Web, WorkerProcess, wait_until
from tests.stub_at import StubAT

ME = "+254711000017"
OWN = "+254711082000"
KINDS = {
    "sms.delivery_report": ("/api/sms/delivery-reports", {"id": "", "status": "Sent", "phoneNumber": ME}),
    "sms.incoming_message": ("/api/sms/twoway", {"id": "", "from": ME, "to": "12345", "date": "2026-03-04 10:30:00", "text": "Habari ☀ é"}),
    "sms.opt_out": ("/api/sms/opt-out", {"senderId": "", "phoneNumber": ME}),
    "sms.subscription": ("/api/sms/subscription", {"phoneNumber": ME, "shortCode": "", "keyword": "NEWS", "updateType": "addition"}),
    "voice.instructions": ("/api/voice/instruct", {"sessionId": "", "isActive": "1", "direction": "Inbound", "callerNumber": ME, "destinationNumber": OWN}),
    "voice.event": ("/api/voice/events", {"sessionId": "", "isActive": "1", "callSessionState": "Active", "callerNumber": ME}),
    "voice.recording": ("/api/v1/voice/webhook", {"sessionId": "", "phoneNumber": ME, "status": "completed"}),
    "airtime.validation": ("/api/airtime/validation", {"transactionId": "", "phoneNumber": ME, "currencyCode": "KES", "amount": "10"}),
    "airtime.status": ("/api/airtime/status", {"requestId": "", "status": "Success", "phoneNumber": ME}),
    "sim_swap.status": ("/api/sim-swap/status", {"requestId": "", "status": "Swapped", "lastSimSwapDate": "01-01-2026"}),
    "ussd.session": ("/api/ussd/session", {"sessionId": "", "phoneNumber": ME, "serviceCode": "*384*1234#", "text": ""}),
    "ussd.session_end": ("/api/ussd/status", {"sessionId": "", "phoneNumber": ME, "status": "Success"}),
    "payments.notification": ("/api/payments/notification", {"transactionId": "", "status": "Success", "phoneNumber": ME, "value": "KES 10"}),
    "payments.validation": ("/api/payments/validation", {"transactionId": "", "phoneNumber": ME, "value": "KES 10"}),
}  # fmt: skip
MADE_HERE = (
    "call.started", "call.completed", "call.failed", "campaign.started", "campaign.finished", "campaign.paused", "message.delivered",
    "message.failed", "endpoint.disabled", "endpoint.recovered", "alert.raised", "alert.cleared", "ping",
)  # fmt: skip
EVENTS = (*KINDS, *MADE_HERE)
LISTS = ("callbacks", "invocations", "sessions", "messages", "recordings", "payments", "optouts", "subscriptions", "costs", "events")
FILTERS = ("kind", "state", "phone", "session", "reference", "since", "until", "q")
# One line of the table for each address behind a key, and the scope that opens it; § 5 and § 6
GUARDED = (
    ("POST", "/webhooks", "webhooks"), ("GET", "/webhooks", "read"), ("GET", "/webhooks/webhook_x", "read"),
    ("PATCH", "/webhooks/webhook_x", "webhooks"), ("DELETE", "/webhooks/webhook_x", "webhooks"),
    ("POST", "/webhooks/webhook_x/rotate-secret", "webhooks"), ("POST", "/webhooks/webhook_x/ping", "webhooks"),
    ("GET", "/webhooks/webhook_x/deliveries", "read"), ("POST", "/deliveries/dlv_x/retry", "webhooks"),
    ("POST", "/webhooks/webhook_x/replay?since=1h", "webhooks"), *(("GET", f"/{name}", "read") for name in LISTS),
    ("GET", "/messages/msg_x", "read"), ("GET", "/sim-swap/checks/x", "read"), ("GET", "/voice/recordings/rec_x", "read"),
    ("POST", "/callbacks/cb_x/replay", "replay"), ("GET", "/balance", "read"), ("POST", "/campaigns", "campaigns"),
    ("GET", "/campaigns", "campaigns"), ("GET", "/campaigns/cmp_x", "campaigns"), ("POST", "/campaigns/cmp_x/pause", "campaigns"),
    ("POST", "/campaigns/cmp_x/resume", "campaigns"), ("POST", "/campaigns/cmp_x/cancel", "campaigns"),
)  # fmt: skip
PAUSES_S = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
_numbers = count(1)


def fresh(prefix: str = "c") -> str:
    """Return an id that no other test uses."""
    return f"{prefix}-{next(_numbers):04}-{token_hex(3)}x"


def standard_signature(secret: str, came: Came) -> str:
    """Return the signature that Standard Webhooks asks for: keyed with the decoded part behind whsec_."""
    content = f"{came.headers['webhook-id']}.{came.headers['webhook-timestamp']}.".encode() + came.body
    return "v1," + b64encode(hmac.new(b64decode(secret.removeprefix("whsec_")), content, sha256).digest()).decode()


def plain_signature(secret: str, body: bytes) -> str:
    """Return the other signature: of the exact bytes, keyed with the whole secret string."""
    return "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()


def moment(text: str) -> datetime:
    """Return a time of an answer, which must have a zone."""
    found = datetime.fromisoformat(text)
    assert found.tzinfo is not None, text
    return found.astimezone(UTC)


class Hook:
    """An endpoint with a path of its own at the receiver."""

    def __init__(self, pokea: "Pokea", made: dict[str, Any], path: str) -> None:
        self.pokea, self.made, self.path = pokea, made, path
        self.id, self.secret = made["webhookId"], made["secret"]

    @property
    def came(self) -> list[Came]:
        """What reached it."""
        return [one for one in list(self.pokea.receiver.came) if one.path == self.path]

    def answers(self, *answers: Answer) -> None:
        """Answer with these, one after the other; the last for all that follow."""
        left = list(answers)
        self.pokea.answers[self.path] = lambda _came: left.pop(0) if len(left) > 1 else left[0]

    def wait(self, number: int = 1, seconds: float = 8) -> list[Came]:
        """Wait until so many reached it, and return them."""
        wait_until(lambda: len(self.came) >= number, seconds, f"the arrival of {number} at {self.path}")
        return self.came

    def told(self, event: str, number: int = 1, seconds: float = 8) -> list[dict[str, Any]]:
        """Wait for so many of an event and return their bodies."""

        def found() -> list[dict[str, Any]]:
            return [body for one in self.came if (body := json.loads(one.body))["event"] == event]

        wait_until(lambda: len(found()) >= number, seconds, f"the arrival of {number} {event}")
        return found()

    def deliveries(self) -> list[dict[str, Any]]:
        """Return its deliveries, newest first."""
        return self.pokea.data("GET", f"/webhooks/{self.id}/deliveries")

    def tried(self, times: int = 1, seconds: float = 8) -> dict[str, Any]:
        """Wait until its oldest delivery was tried so often, and return that."""

        def oldest() -> dict[str, Any] | None:
            return next(iter(self.deliveries()[::-1]), None)

        wait_until(lambda: bool(oldest()) and len(oldest()["attempts"]) >= times, seconds, f"try {times} at {self.path}")  # type: ignore[index]
        return oldest()  # type: ignore[return-value]

    def ping(self) -> None:
        """Have a ping delivered."""
        self.pokea.data("POST", f"/webhooks/{self.id}/ping")


class Pokea:
    """gunicorn, a worker, the stub of Africa's Talking and a receiver, on one SQLite file."""

    def __init__(self, database: Path, works: bool = True, **settings: str) -> None:
        """database: a migrated file. works: whether the worker runs all the time."""
        self.at, self.receiver = StubAT(), Receiver(lambda came: self.answers.get(came.path, lambda _came: Answer())(came))
        self.answers: dict[str, Callable[[Came], Answer]] = {}
        self.database, self.works = f"sqlite:///{database}", works
        self.at.__enter__()
        self.receiver.__enter__()
        usual = {
            "AT_BASE_URL": self.at.url,
            "AT_TIMEOUT_S": "2",
            "WEBHOOKS_ALLOW_PRIVATE": "1",
            "RATELIMIT_ENABLED": "0",
            "TWOWAY_AUTO_REPLY": "0",
        }
        self.web = Web(database.parent, self.database, **{**usual, **settings})
        self.worker = WorkerProcess(self.web)

    def __enter__(self) -> "Pokea":
        if self.works:
            self.worker.start()
        self.web.__enter__()
        self.engine = create_engine(self.database, poolclass=NullPool, connect_args={"timeout": 10})
        self.cli = create_app(Settings(database_url=self.database, secret_key="test")).test_cli_runner()
        self.key = self.new_key()
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()
        if self.works:
            # It may be at a receiver that never answers; nobody needs the file any more.
            self.worker.kill()
        self.web.__exit__()
        self.receiver.__exit__()
        self.at.__exit__()

    def new_key(self, *scopes: str) -> str:
        """Make a key by the command of § 8."""
        words = ["keys", "create", "--name", "contract", *(word for one in scopes for word in ("--scope", one)), "--json"]
        return json.loads(self.flask(*words))["key"]

    def flask(self, *words: str) -> bytes:
        """Return what a flask command writes to stdout, run in this process because others take seconds to start."""
        told = self.cli.invoke(args=words)
        assert told.exit_code == 0, told.output
        return told.stdout_bytes

    def ask(self, method: str, path: str, key: str | None = "", **options: Any) -> requests.Response:
        """Ask an address of this process. key: "" for the one that may all, None for none."""
        headers = {**options.pop("headers", {})} | ({} if key is None else {"Authorization": f"Bearer {key or self.key}"})
        return requests.request(method, self.web.url + path, headers=headers, timeout=40, allow_redirects=False, **options)

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask an address under /api/v1."""
        return self.ask(method, f"/api/v1{path}", **options)

    def data(self, method: str, path: str, **options: Any) -> Any:
        """Return the data of an answer that must be a success."""
        answer = self.api(method, path, **options)
        assert answer.ok, answer.text
        assert answer.json()["success"] is True
        return answer.json()["data"]

    def rows(self, name: str, **query: Any) -> list[dict[str, Any]]:
        """Return a list as it is now."""
        return self.data("GET", f"/{name}", params=query)

    def post(self, path: str, fields: dict[str, Any] | str | bytes, **options: Any) -> requests.Response:
        """Post a callback as Africa's Talking does."""
        return requests.post(self.web.url + path, data=fields, timeout=20, **options)

    def call_back(self, kind: str, name: str, **fields: str) -> requests.Response:
        """Post a callback of a kind whose naming field is `name`."""
        path, usual = KINDS[kind]
        first = next(field for field, value in usual.items() if value == "")
        answer = self.post(path, {**usual, first: name, **fields})
        assert answer.status_code == 200, answer.text
        return answer

    def invoke(self, path: str, **query: Any) -> dict[str, Any]:
        """Place an order, which must be taken."""
        answer = self.ask("GET", f"/api/{path}", key=None, params=query)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    def hook(self, *events: str, **fields: Any) -> Hook:
        """Make an endpoint at the receiver."""
        path = f"/{fresh('hook')}"
        return Hook(self, self.data("POST", "/webhooks", json={"url": self.receiver.url + path, "events": list(events), **fields}), path)

    def remove(self, hook: Hook) -> None:
        """Take an endpoint away, and whatever waits for it."""
        with suppress(requests.RequestException):
            self.api("DELETE", f"/webhooks/{hook.id}")

    def execute(self, statement: Any) -> None:
        """Change the database behind the back of all, to let time pass."""
        with self.engine.begin() as connection:
            assert connection.execute(statement).rowcount

    def late(self, look: Callable[[], Any], seconds: float = 8) -> Any:
        """Return what a look gives once it gives something."""
        wait_until(lambda: bool(look()), seconds, "what was looked for")
        return look()
