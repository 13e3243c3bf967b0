"""What the contract says of everything after the answer, line by line, over HTTP: gunicorn, the worker, receivers that listen."""

import base64
import csv
import io
import json
import re
import shlex
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import text, update

from app.models import Delivery, Endpoint, Mark
from tests import stub_at
from tests.receiving import Answer, Came
from tests.running import wait_until
from tests.samples import FORM, JSON
from tests.slow.contract_cases import (
    EVENTS,
    FILTERS,
    GUARDED,
    KINDS,
    LISTS,
    ME,
    OWN,
    PAUSES_S,
    Hook,
    Pokea,
    fresh,
    moment,
    plain_signature,
    standard_signature,
)  # fmt: skip
from tests.stub_at import Handler

pytestmark = pytest.mark.slow
MakeHook = Callable[..., Hook]
FAILED = Answer(500, b"no")
SHORTLY_S = 1.2


class Slow:
    """What takes long, begun at the start: receivers that are slow or take no connection, and money whose end nobody knows."""

    def __init__(self, pokea: Pokea) -> None:
        self.too_slow, self.patient = pokea.hook("ping"), pokea.hook("ping")
        self.too_slow.answers(Answer(after_s=17))
        self.patient.answers(Answer(after_s=12))
        # Its queue is full, so nobody gets through.
        self.full = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.crowd = [socket.socket() for _ in range(4)]
        for one in self.crowd:
            one.setblocking(False)
            one.connect_ex(self.full.getsockname())
        self.unreached = pokea.hook("ping")
        pokea.data("PATCH", f"/webhooks/{self.unreached.id}", json={"url": f"http://127.0.0.1:{self.full.getsockname()[1]}/"})
        for hook in (self.too_slow, self.patient, self.unreached):
            hook.ping()
        self.alerts = pokea.hook("alert.*")
        pokea.at.fault = stub_at.reset
        order = pokea.invoke("airtime/invoke-send-airtime", phone="254711000099", amount="77", currency="KES")
        pokea.at.fault = None
        assert order["invocation"]["state"] == "unknown"

    def settle(self, pokea: Pokea) -> None:
        """Let the alert be raised, and then a callback tell what became of the money."""
        raised = self.alerts.told("alert.raised", 1, 25)
        assert any("money" in json.dumps(body["data"]) for body in raised)
        pokea.call_back("airtime.status", "money", phoneNumber="+254711000099", value="KES 77.0000")

    def close(self) -> None:
        """Let go of what is held."""
        for one in (*self.crowd, self.full):
            one.close()


@pytest.fixture(scope="module")
def pokea(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Pokea]:
    """Everything, started once."""
    with Pokea(shutil.copy(sqlite_template, tmp_path_factory.mktemp("after") / "pokea.db"), CAMPAIGN_RATE="20") as pokea:
        yield pokea


@pytest.fixture(scope="module", autouse=True)
def slow(pokea: Pokea) -> Iterator[Slow]:
    """What takes long, begun before the first test."""
    slow = Slow(pokea)
    yield slow
    slow.close()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Pokea]:
    """With the settings that a user who reaches the world has, and others that change what is seen; works only when told to."""
    settings = {"WEBHOOKS_ALLOW_PRIVATE": "0", "RATELIMIT_ENABLED": "1", "PRIVACY": "1", "WEBHOOK_SIGNATURE_HEADER": "X-Acme-Signature"}
    with Pokea(shutil.copy(sqlite_template, tmp_path_factory.mktemp("strict") / "pokea.db"), works=False, **settings) as pokea:
        yield pokea


@pytest.fixture
def hook(pokea: Pokea) -> Iterator[MakeHook]:
    """Make endpoints that last as long as the test."""
    made = []

    def make(*events: str, **fields: Any) -> Hook:
        made.append(pokea.hook(*events, **fields))
        return made[-1]

    yield make
    pokea.at.fault = pokea.at.change = None
    for one in made:
        pokea.remove(one)


# § 4, recordings


def record(pokea: Pokea, session: str, **fields: str) -> None:
    answer = pokea.post("/api/v1/voice/webhook", {"sessionId": session, "phoneNumber": ME, **fields})
    assert (answer.status_code, answer.json()) == (200, {"status": "webhook_processed", "session_id": session})


def recordings(pokea: Pokea, session: str) -> list[dict[str, Any]]:
    return pokea.rows("recordings", session=session)


def test_the_voice_webhook_makes_a_recording_that_is_read_back_unwrapped(pokea: Pokea) -> None:
    session, before = fresh(), datetime.now(UTC)
    record(pokea, session, recordingUrl="https://voice.example/a.mp3", duration="42", status="completed")
    (listed,) = recordings(pokea, session)
    answer = pokea.api("GET", f"/voice/recordings/{listed['recording_id']}")
    told = answer.json()
    assert answer.status_code == 200
    assert told.keys() == {
        "recording_id", "status", "duration", "recording_url", "recording_available", "participants", "created_at", "processed_at",
    }  # fmt: skip
    assert (told["status"], told["duration"], told["recording_url"]) == ("completed", 42, "https://voice.example/a.mp3")
    assert (told["recording_available"], told["participants"]) == (True, [ME])
    assert before - timedelta(seconds=1) < moment(told["created_at"]) <= moment(told["processed_at"]) <= datetime.now(UTC)


def test_a_recording_without_its_address_is_not_available(pokea: Pokea) -> None:
    session = fresh()
    record(pokea, session, status="completed")
    told = pokea.api("GET", f"/voice/recordings/{recordings(pokea, session)[0]['recording_id']}").json()
    assert (told["recording_available"], told["recording_url"]) == (False, None)


@pytest.mark.parametrize(("key", "path", "status"), [("", "/voice/recordings/rec_none", 404), (None, "/voice/recordings/rec_none", 401)])
def test_a_recording_that_is_not_there_is_404_and_without_a_key_401(pokea: Pokea, key: str | None, path: str, status: int) -> None:
    answer = pokea.api("GET", path, key=key)
    assert (answer.status_code, answer.json()["success"]) == (status, False)
    assert answer.json()["error"]


def test_statuses_of_recordings_are_in_one_vocabulary_and_the_original_is_kept(pokea: Pokea) -> None:
    groups = [
        ["completed", "Completed", "Answered"],
        ["failed"],
        ["busy", "Busy"],
        ["no-answer", "NotAnswered"],
        ["rejected"],
        ["InvalidPhoneNumber"],
    ]
    words = []
    for group in groups:
        seen = set()
        for status in group:
            session = fresh()
            record(pokea, session, status=status, recordingUrl="https://voice.example/a.mp3")
            seen.add(recordings(pokea, session)[0]["status"])
            assert pokea.rows("callbacks", session=session)[0]["fields"]["status"] == status
        assert len(seen) == 1, f"{group} became {seen}"
        words += seen
    assert len(set(words)) == len(groups)
    assert all(re.fullmatch("[a-z_]+", word) for word in words)


def test_a_call_may_have_several_recordings_and_each_is_updated(pokea: Pokea) -> None:
    session = fresh()
    record(pokea, session, recordingUrl="https://voice.example/1.mp3", status="completed")
    record(pokea, session, recordingUrl="https://voice.example/2.mp3", status="completed", duration="2")
    record(pokea, session, recordingUrl="https://voice.example/1.mp3", status="completed", duration="1")
    assert {row["recording_url"][-5:]: row["duration"] for row in recordings(pokea, session)} == {"1.mp3": 1, "2.mp3": 2}


def test_a_value_is_never_overwritten_with_nothing(pokea: Pokea) -> None:
    session = fresh()
    record(pokea, session, recordingUrl="https://voice.example/a.mp3", duration="42", status="completed")
    (before,) = recordings(pokea, session)
    record(pokea, session, recordingUrl="https://voice.example/a.mp3", duration="", status="", phoneNumber="")
    record(pokea, session, recordingUrl="", duration="", status="completed")
    (after,) = recordings(pokea, session)
    assert {**after, "processed_at": ""} == {**before, "processed_at": ""}


def test_a_duration_that_is_no_number_is_kept_as_sent_and_left_null(pokea: Pokea) -> None:
    session = fresh()
    record(pokea, session, recordingUrl="https://voice.example/a.mp3", duration="about a minute")
    assert recordings(pokea, session)[0]["duration"] is None
    assert pokea.rows("callbacks", session=session)[0]["fields"]["duration"] == "about a minute"


# § 4, messages, payments, USSD


@pytest.mark.parametrize(
    ("word", "more"), [("Hello", {}), ("YES-C42", {"action": "confirm"}), ("NO-C42", {"action": "reject"})], ids=["message", "yes", "no"]
)
def test_the_sms_webhook_takes_a_message_and_adds_what_yes_and_no_mean(pokea: Pokea, word: str, more: dict[str, str]) -> None:
    name = fresh()
    answer = pokea.post("/api/v1/sms/webhook", {"id": name, "from": ME, "to": "12345", "date": "2026-03-04 10:30:00", "text": word})
    expected = {"status": "webhook_received"} | (more | {"contract_id": "C42", "phone_number": ME} if more else {})
    assert (answer.status_code, answer.json()) == (200, expected)
    assert pokea.rows("callbacks", reference=name)[0]["kind"] == "sms.incoming_message"
    assert pokea.data("GET", f"/messages/{name}")["text"] == word


def test_the_sms_webhook_takes_a_delivery_report_told_apart_by_its_fields(pokea: Pokea) -> None:
    name = fresh()
    answer = pokea.post("/api/v1/sms/webhook", {"id": name, "status": "Success", "phoneNumber": ME})
    assert (answer.status_code, answer.json()) == (200, {"status": "webhook_received"})
    assert pokea.rows("callbacks", reference=name)[0]["kind"] == "sms.delivery_report"
    assert pokea.data("GET", f"/messages/{name}")["state"] == "Success"


def test_the_other_addresses_take_json_with_numbers_as_forms(pokea: Pokea) -> None:
    name = fresh()
    bodies = {
        "voice": {
            "sessionId": name,
            "phoneNumber": ME,
            "recordingUrl": "https://voice.example/j.mp3",
            "duration": 42,
            "status": "Answered",
        },
        "sms": {"id": name, "from": ME, "to": 12345, "date": "2026-03-04 10:30:00", "text": "NO-C42"},
        "payments": {"transactionId": name, "status": "PendingConfirmation", "phoneNumber": ME, "amount": 1000.5},
    }
    answers = {path: requests.post(f"{pokea.web.url}/api/v1/{path}/webhook", json=body, timeout=10) for path, body in bodies.items()}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert answers["sms"].json()["action"] == "reject"
    assert (recordings(pokea, name)[0]["duration"], recordings(pokea, name)[0]["status"]) == (42, "completed")
    assert float(pokea.rows("payments", reference=name)[0]["value"]) == 1000.5


@pytest.mark.parametrize("amount", ["1,000.00", "KES 1,000", "1000"])
def test_amounts_of_payments_are_read(pokea: Pokea, amount: str) -> None:
    name = fresh()
    fields = {"transactionId": name, "status": "Success", "phoneNumber": ME, "amount": amount, "description": "rent"}
    answer = pokea.post("/api/v1/payments/webhook", fields)
    assert (answer.status_code, answer.json()) == (200, {"status": "webhook_processed", "transaction_id": name})
    (row,) = pokea.rows("payments", reference=name)
    assert (float(row["value"]), row["phone"]) == (1000.0, ME)


def test_states_of_payments_are_kept_apart(pokea: Pokea) -> None:
    wanted = ["Success", "PendingConfirmation", "PendingValidation", "Failed", "Cancelled"]
    names = [fresh() for _ in wanted]
    for name, status in zip(names, wanted, strict=True):
        pokea.post("/api/v1/payments/webhook", {"transactionId": name, "status": status, "phoneNumber": ME, "amount": "10"})
    assert [pokea.rows("payments", reference=name)[0]["state"] for name in names] == wanted


def test_the_payments_webhook_takes_the_full_json_too(pokea: Pokea) -> None:
    name = fresh()
    body = {"transactionId": name, "category": "MobileCheckout", "provider": "Mpesa", "productName": "duka", "sourceType": "PhoneNumber", "source": ME,
        "destinationType": "Wallet", "destination": "PaymentWallet", "value": "KES 375.0000", "status": "Success", "requestMetadata": {"item": "latte"}}  # fmt: skip
    answer = requests.post(f"{pokea.web.url}/api/v1/payments/webhook", json=body, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "webhook_processed", "transaction_id": name})
    assert pokea.rows("callbacks", reference=name)[0]["fields"]["requestMetadata"] == {"item": "latte"}
    assert float(pokea.rows("payments", reference=name)[0]["value"]) == 375


@pytest.mark.parametrize("typed", ["", "1", "2", "1*1", "9"])
def test_the_other_ussd_address_answers_as_the_first(pokea: Pokea, typed: str) -> None:
    fields = {"sessionId": fresh(), "phoneNumber": ME, "serviceCode": "*384*1234#", "text": typed}
    answers = [pokea.post(path, fields) for path in ("/api/ussd/session", "/api/v1/ussd/", "/api/v1/ussd")]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["Content-Type"].partition(";")[0] for answer in answers} == {"text/plain"}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].text[:4] in ("CON ", "END ")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("voice", {"phoneNumber": ME, "status": "completed"}),
        ("voice", {"sessionId": " ", "status": "completed"}),
        ("sms", {"id": "m", "from": ME, "to": "12345", "text": "no date"}),
        ("sms", {"status": "Success"}),
        ("payments", {"status": "Success"}),
        ("payments", {"transactionId": "t"}),
    ],
)
def test_what_lacks_an_identity_or_a_required_field_is_a_webhook_error(pokea: Pokea, path: str, fields: dict[str, str]) -> None:
    answer = pokea.post(f"/api/v1/{path}/webhook", fields)
    assert (answer.status_code, answer.json().keys(), answer.json()["status"]) == (400, {"status", "error"}, "webhook_error")
    assert isinstance(answer.json()["error"], str)
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/voice/webhook",
        "/api/v1/sms/webhook",
        "/api/v1/payments/webhook",
        "/api/v1/ussd/",
    ],
)
def test_a_wrong_method_on_a_callback_says_that_the_address_is_alive(pokea: Pokea, path: str) -> None:
    answer = pokea.ask("GET", path, key=None)
    assert (answer.status_code, "POST" in answer.headers["Allow"]) == (405, True)
    assert re.search("Africa's Talking.*POST|POST.*Africa's Talking", answer.json()["error"])


# § 5, keys


def test_every_address_is_401_without_a_key(pokea: Pokea) -> None:
    for method, path, _scope in GUARDED:
        for headers in ({}, {"Authorization": "Bearer pk_wrong"}, {"Authorization": f"Basic {pokea.key}"}):
            answer = pokea.api(method, path, key=None, headers=headers)
            assert (answer.status_code, answer.json()["success"]) == (401, False), (method, path)
            assert answer.json()["error"]


def test_every_address_is_403_without_its_scope_and_open_with_it(pokea: Pokea) -> None:
    scopes = ("read", "send", "webhooks", "replay", "campaigns", "admin")
    keys = {scope: pokea.new_key(scope) for scope in ("read", "webhooks", "replay", "campaigns")}
    without = {
        scope: pokea.new_key(*(one for one in scopes if one not in (scope, "webhooks", "admin")))
        for scope in ("read", "webhooks", "replay", "campaigns")
    }
    for method, path, scope in GUARDED:
        refused = pokea.api(method, path, key=without[scope])
        assert (refused.status_code, refused.json()["success"]) == (403, False), (method, path, refused.text)
        assert "scope" in refused.json()["error"]
        assert pokea.api(method, path, key=keys[scope]).status_code not in (401, 403), (method, path)


def test_a_key_that_is_made_without_scopes_may_all(pokea: Pokea) -> None:
    for method, path, _scope in GUARDED:
        assert pokea.api(method, path).status_code not in (401, 403), (method, path)


def test_a_wrong_method_is_405_and_names_the_right_ones(pokea: Pokea) -> None:
    answer = pokea.api("PUT", "/webhooks")
    assert (answer.status_code, answer.json()["success"]) == (405, False)
    assert {"GET", "POST"} <= set(re.split(r",\s*", answer.headers["Allow"]))


def test_too_many_wrong_keys_are_429_with_retry_after(strict: Pokea) -> None:
    answers = [strict.api("GET", "/balance", key=f"pk_{number}") for number in range(40)]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code == 429)
    assert all(answer.json()["success"] is False for answer in answers)


# § 5, endpoints


def test_an_endpoint_is_made_with_201_its_secret_and_defaults(pokea: Pokea) -> None:
    answer = pokea.api("POST", "/webhooks", json={"url": f"{pokea.receiver.url}/made", "events": ["sms.*", "call.completed"]})
    made = answer.json()["data"]
    pokea.api("DELETE", f"/webhooks/{made['webhookId']}")
    assert (answer.status_code, answer.json()["success"]) == (201, True)
    assert made.keys() >= {"webhookId", "url", "events", "secret", "active"}
    assert (made["url"], made["events"], made["active"], made["format"]) == (
        f"{pokea.receiver.url}/made",
        ["sms.*", "call.completed"],
        True,
        "json",
    )
    assert made["webhookId"].startswith("webhook_")
    assert made["secret"].startswith("whsec_")
    assert 24 <= len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)) <= 64


def test_the_secret_is_shown_only_when_it_is_made(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping")
    answers = [
        pokea.api("GET", "/webhooks?limit=500"), pokea.api("GET", f"/webhooks/{one.id}"), pokea.api("PATCH", f"/webhooks/{one.id}", json={"active": True}),
        pokea.api("POST", f"/webhooks/{one.id}/ping"), pokea.api("GET", f"/webhooks/{one.id}/deliveries"), pokea.api("DELETE", f"/webhooks/{one.id}"),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200] * 6
    assert one.id in answers[0].text
    assert not [answer.text for answer in answers if "whsec_" in answer.text or one.secret[6:] in answer.text]


def test_an_unknown_event_is_400_and_lists_the_known_ones(pokea: Pokea) -> None:
    answer = pokea.api("POST", "/webhooks", json={"url": f"{pokea.receiver.url}/x", "events": ["sms.recieved"]})
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert not [name for name in EVENTS if name not in answer.text]
    assert "events" in answer.json()["fields"]


@pytest.mark.parametrize(
    ("left_out", "changed"), [("url", {}), ("events", {}), ("", {"events": []}), ("", {"format": "xml"}), ("", {"active": "maybe"})]
)
def test_an_endpoint_that_cannot_be_is_400_by_field(pokea: Pokea, left_out: str, changed: dict[str, Any]) -> None:
    body = {"url": f"{pokea.receiver.url}/x", "events": ["ping"], **changed}
    answer = pokea.api("POST", "/webhooks", json={name: value for name, value in body.items() if name != left_out})
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert answer.json()["fields"].keys() == {left_out or next(iter(changed))}


def test_every_event_may_be_asked_for_and_a_star_selects_a_family(pokea: Pokea, hook: MakeHook) -> None:
    wanted = [*EVENTS, "*", *sorted({f"{name.partition('.')[0]}.*" for name in EVENTS if "." in name})]
    for first in range(0, len(wanted), 20):
        assert hook(*wanted[first : first + 20]).made["events"] == wanted[first : first + 20]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/h", "https://user:password@example.com/h", "ftp://example.com/h", "file:///etc/passwd", "https://127.0.0.1/h", "https://localhost/h",
        "https://[::1]/h", "https://10.0.0.1/h", "https://192.168.1.1/h", "https://172.16.0.1/h", "https://169.254.10.10/h", "https://[fe80::1]/h",
        "https://169.254.169.254/latest/meta-data", "https://0.0.0.0/h", "https://[::ffff:127.0.0.1]/h", "https://2130706433/h", "https://[fd00::1]/h", "nonsense", "",
    ],
)  # fmt: skip
def test_urls_that_the_world_cannot_reach_are_400(strict: Pokea, url: str) -> None:
    answer = strict.api("POST", "/webhooks", json={"url": url, "events": ["ping"]})
    assert (answer.status_code, answer.json()["success"], "url" in answer.json()["fields"]) == (400, False, True)
    kept = strict.data("POST", "/webhooks", json={"url": "https://8.8.8.8/h", "events": ["ping"]})["webhookId"]
    changed = strict.api("PATCH", f"/webhooks/{kept}", json={"url": url})
    assert (changed.status_code, strict.data("GET", f"/webhooks/{kept}")["url"]) == (400, "https://8.8.8.8/h")
    strict.data("DELETE", f"/webhooks/{kept}")


def test_the_name_of_the_signature_header_is_a_setting_and_private_addresses_are_refused_when_sending(strict: Pokea) -> None:
    made = strict.data("POST", "/webhooks", json={"url": "https://8.8.8.8/h", "events": ["ping"]})
    one = Hook(strict, made, f"/{fresh('hook')}")
    strict.execute(update(Endpoint).where(Endpoint.id == one.id).values(url=strict.receiver.url + one.path))
    one.ping()
    strict.web.flask("worker", "--once")
    assert one.came == []
    assert one.tried()["attempts"][0]["problem"]
    strict.data("POST", f"/deliveries/{one.tried()['id']}/retry")
    strict.web.environment["WEBHOOKS_ALLOW_PRIVATE"] = "1"
    strict.web.flask("worker", "--once")
    strict.web.environment["WEBHOOKS_ALLOW_PRIVATE"] = "0"
    (came,) = one.came
    assert came.headers["X-Acme-Signature"] == plain_signature(one.secret, came.body)
    assert "X-Pokea-Signature" not in came.headers
    strict.data("DELETE", f"/webhooks/{one.id}")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"id=%s&status=Sent&phoneNumber=%%2B254711000017&x=%%C3%%A9+1", f"{FORM}; charset=utf-8"),
        (b'{ "id":"%s",  "status":"Sent","n":1.50 }', JSON),
    ],
    ids=["form", "json"],
)
def test_the_original_format_sends_the_very_bytes_and_content_type(pokea: Pokea, hook: MakeHook, body: bytes, content_type: str) -> None:
    one, raw = hook("sms.delivery_report", format="original"), body % fresh().encode()
    pokea.post("/api/sms/delivery-reports", raw, headers={"Content-Type": content_type})
    came = one.wait()[0]
    assert (came.body, came.headers["Content-Type"]) == (raw, content_type)
    assert came.headers["webhook-signature"] == standard_signature(one.secret, came)
    assert came.headers["X-Pokea-Signature"] == plain_signature(one.secret, raw)


def test_to_an_inactive_endpoint_nothing_is_sent_and_a_replay_sends_what_was_kept(pokea: Pokea, hook: MakeHook) -> None:
    one, name, since = hook("sms.opt_out", active=False), fresh(), datetime.now(UTC) - timedelta(seconds=1)
    other = hook("sms.opt_out")
    pokea.call_back("sms.opt_out", name)
    other.wait()
    time.sleep(0.5)
    assert one.came == []
    assert len(pokea.rows("callbacks", kind="sms.opt_out", q=name)) == 1
    assert pokea.data("PATCH", f"/webhooks/{one.id}", json={"active": True})["active"] is True
    pokea.data("POST", f"/webhooks/{one.id}/replay", params={"since": since.isoformat()})
    assert json.loads(one.wait()[0].body)["data"]["fields"]["senderId"] == name


def test_an_endpoint_is_changed_and_removed(pokea: Pokea, hook: MakeHook) -> None:
    one, moved = hook("ping"), f"/{fresh('moved')}"
    changed = pokea.data(
        "PATCH", f"/webhooks/{one.id}", json={"url": pokea.receiver.url + moved, "events": ["sms.*", "ping"], "format": "original"}
    )
    assert (changed["url"], changed["events"], changed["format"]) == (pokea.receiver.url + moved, ["sms.*", "ping"], "original")
    assert pokea.data("GET", f"/webhooks/{one.id}") == changed
    one.path = moved
    one.ping()
    one.wait()
    assert pokea.api("PATCH", f"/webhooks/{one.id}", json={"events": ["nothing.real"]}).status_code == 400
    assert pokea.data("DELETE", f"/webhooks/{one.id}") is not None
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/ping"), ("POST", "/rotate-secret"), ("GET", "/deliveries")):
        assert pokea.api(method, f"/webhooks/{one.id}{path}", json={"active": True} if method == "PATCH" else None).status_code == 404


def test_a_rotation_gives_a_new_secret_and_both_sign_for_24_hours(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping")
    rotated = pokea.data("POST", f"/webhooks/{one.id}/rotate-secret")
    new = rotated["secret"]
    assert new.startswith("whsec_")
    assert new != one.secret
    one.ping()
    came = one.wait()[0]
    assert came.headers["webhook-signature"].split(" ") == [standard_signature(new, came), standard_signature(one.secret, came)]
    assert came.headers["X-Pokea-Signature"] == plain_signature(new, came.body)
    assert came.headers["X-Pokea-Signature-Previous"] == plain_signature(one.secret, came.body)
    for hours, signs in ((23.9, 2), (24.1, 1)):
        pokea.data("POST", f"/webhooks/{one.id}/rotate-secret")
        with pokea.engine.begin() as connection:
            until = connection.execute(text("select previous_until from endpoints where id = :id"), {"id": one.id}).scalar_one()
        earlier = datetime.fromisoformat(str(until)).replace(tzinfo=UTC) - timedelta(hours=hours)
        pokea.execute(update(Endpoint).where(Endpoint.id == one.id).values(previous_until=earlier))
        number = len(one.came)
        one.ping()
        headers = one.wait(number + 1)[-1].headers
        assert (len(headers["webhook-signature"].split(" ")), "X-Pokea-Signature-Previous" in headers) == (signs, signs == 2)


def test_a_ping_is_delivered(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("sms.*")
    assert pokea.api("POST", f"/webhooks/{one.id}/ping").ok
    assert json.loads(one.wait()[0].body)["event"] == "ping"


def test_deliveries_tell_each_attempt_with_status_answer_ms_and_next_try(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping")
    one.answers(Answer(503, b"not now", after_s=0.2))
    one.ping()
    delivery = one.tried()
    (attempt,) = delivery["attempts"]
    assert (attempt["status"], attempt["answer"]) == (503, "not now")
    assert 190 <= attempt["ms"] < 3000
    assert moment(attempt["nextTryAt"]) > datetime.now(UTC)
    one.answers(Answer(200, b"taken"))
    retried = pokea.api("POST", f"/deliveries/{delivery['id']}/retry")
    assert (retried.ok, retried.json()["success"]) == (True, True)
    pokea.late(lambda: one.deliveries()[0]["state"] == "delivered")
    (first, second) = one.deliveries()[0]["attempts"]
    assert (first["status"], second["status"], second["answer"], second["nextTryAt"]) == (503, 200, "taken", None)


LONG_ANSWER = b"x" * 30_000


def test_answers_of_receivers_are_cut_at_16_kb(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping")
    one.answers(Answer(500, LONG_ANSWER))
    one.ping()
    whole = pokea.data("GET", f"/deliveries/{one.tried()['id']}")["attempts"][0]["answer"]
    assert 15_900 <= len(whole) <= 16_384
    assert set(whole) == {"x"}


def test_the_list_of_deliveries_has_answers_cut_at_16_kb(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping")
    one.answers(Answer(500, LONG_ANSWER))
    one.ping()
    assert 15_900 <= len(one.tried()["attempts"][0]["answer"]) <= 16_384


def test_a_replay_sends_all_since_a_time_and_nothing_from_before(pokea: Pokea, hook: MakeHook) -> None:
    one, before, after = hook("sms.opt_out"), fresh("before"), fresh("after")
    pokea.call_back("sms.opt_out", before)
    one.wait()
    time.sleep(0.05)
    since = datetime.now(UTC).isoformat()
    pokea.call_back("sms.opt_out", after)
    one.wait(2)
    assert pokea.api("POST", f"/webhooks/{one.id}/replay", params={"since": since}).ok
    senders = [json.loads(came.body)["data"]["fields"]["senderId"] for came in one.wait(3)]
    time.sleep(0.4)
    assert senders == [before, after, after]
    assert len(one.came) == 3
    for wrong in ({}, {"since": "yesterday"}):
        assert pokea.api("POST", f"/webhooks/{one.id}/replay", params=wrong).status_code == 400


# § 5, what is sent


def test_every_kind_of_callback_is_an_event(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("*")
    names = {kind: fresh() for kind in KINDS}
    for kind, name in names.items():
        pokea.call_back(kind, name)
    pokea.late(lambda: {json.loads(came.body)["event"] for came in one.came} >= set(KINDS))
    told = {body["event"]: body for came in one.came if (body := json.loads(came.body))["event"] in KINDS}
    assert all(names[kind] in json.dumps(told[kind]["data"]) for kind in KINDS)


def test_a_body_is_compact_utf_8_json_with_event_timestamp_and_data(pokea: Pokea, hook: MakeHook) -> None:
    one, before = hook("sms.incoming_message"), datetime.now(UTC) - timedelta(seconds=1)
    pokea.call_back("sms.incoming_message", fresh())
    came = one.wait()[0]
    body = json.loads(came.body)
    assert came.body == json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    assert "Habari ☀ é".encode() in came.body
    assert list(body) == ["event", "timestamp", "data"]
    assert (body["event"], came.headers["Content-Type"].partition(";")[0]) == ("sms.incoming_message", "application/json")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", body["timestamp"])
    assert before < moment(body["timestamp"]) <= datetime.now(UTC)


def test_both_signatures_are_of_the_exact_bytes_each_with_its_key(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("sms.incoming_message")
    pokea.call_back("sms.incoming_message", fresh())
    came = one.wait()[0]
    assert came.headers.keys() >= {"webhook-id", "webhook-timestamp", "webhook-signature", "X-Pokea-Signature"}
    assert came.headers["webhook-signature"] == standard_signature(one.secret, came)
    assert came.headers["X-Pokea-Signature"] == plain_signature(one.secret, came.body)
    assert abs(int(came.headers["webhook-timestamp"]) - time.time()) < 5
    assert "X-Pokea-Signature-Previous" not in came.headers


def test_a_family_gets_its_events_and_no_others(pokea: Pokea, hook: MakeHook) -> None:
    family, single, name = hook("sms.*"), hook("sms.opt_out"), fresh()
    for kind in ("airtime.status", "sms.opt_out", "sms.subscription"):
        pokea.call_back(kind, name)
    assert [json.loads(came.body)["event"] for came in family.wait(2)] == ["sms.opt_out", "sms.subscription"]
    time.sleep(0.4)
    assert [json.loads(came.body)["event"] for came in single.wait()] == ["sms.opt_out"]
    assert len(family.came) == 2


CALL_KEYS = {"callId", "status", "duration", "toNumber", "recording", "transcript"}


def final(pokea: Pokea, session: str, **fields: str) -> None:
    common = {
        "sessionId": session,
        "isActive": "0",
        "direction": "Inbound",
        "callerNumber": ME,
        "destinationNumber": OWN,
        "callSessionState": "Completed",
    }
    assert pokea.post("/api/voice/events", {**common, **fields}).status_code == 200


def test_a_call_starts_with_its_first_instruction_and_is_completed_once(pokea: Pokea, hook: MakeHook) -> None:
    one, session = hook("call.*"), fresh()
    pokea.call_back("voice.instructions", session)
    pokea.call_back("voice.instructions", session, dtmfDigits="1")
    (started,) = one.told("call.started")
    assert started["data"].keys() >= CALL_KEYS
    assert (started["data"]["callId"], started["data"]["toNumber"]) == (session, OWN)
    assert [started["data"][name] for name in ("duration", "recording", "transcript")] == [None] * 3
    final(
        pokea, session, status="Success", durationInSeconds="42", recordingUrl="https://voice.example/c.mp3", hangupCause="NORMAL_CLEARING"
    )
    final(pokea, session, status="Success", durationInSeconds="42", hangupCause="NORMAL_CLEARING", eventType="again")
    (completed,) = one.told("call.completed")
    data = completed["data"]
    assert data.keys() >= CALL_KEYS
    assert (data["callId"], data["duration"], data["toNumber"], data["transcript"]) == (session, 42, OWN, None)
    assert (data["status"], data["recording"]) == ("completed", "https://voice.example/c.mp3")
    pokea.rows("sessions", session=session)
    time.sleep(0.5)
    assert Counter(json.loads(came.body)["event"] for came in one.came) == {"call.started": 1, "call.completed": 1}


def test_a_call_that_was_not_answered_failed_once(pokea: Pokea, hook: MakeHook) -> None:
    one, session = hook("call.*"), fresh()
    final(pokea, session, direction="Outbound", status="Failed", hangupCause="USER_BUSY", durationInSeconds="0")
    final(pokea, session, direction="Outbound", status="Failed", hangupCause="NO_ANSWER", durationInSeconds="0")
    (failed,) = one.told("call.failed")
    assert (failed["data"]["callId"], failed["data"]["status"]) == (session, "failed")
    assert failed["data"].keys() >= CALL_KEYS
    time.sleep(0.5)
    assert [json.loads(came.body)["event"] for came in one.came] == ["call.failed"]


def test_an_accepted_call_of_ours_is_started(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("call.started")
    pokea.invoke("voice/invoke-call", phone="254711000031")
    (started,) = one.told("call.started")
    assert (started["data"]["callId"], started["data"]["toNumber"]) == (pokea.at.last_id, "+254711000031")
    pokea.call_back("voice.instructions", pokea.at.last_id)
    time.sleep(0.5)
    assert len(one.came) == 1


@pytest.mark.parametrize(
    ("status", "event"), [("Success", "message.delivered"), ("Failed", "message.failed"), ("AbsentSubscriber", "message.failed")]
)
def test_the_end_of_a_message_is_an_event_once(pokea: Pokea, hook: MakeHook, status: str, event: str) -> None:
    one, name = hook("message.*"), fresh()
    for told in ("Sent", "Buffered", status):
        pokea.call_back("sms.delivery_report", name, status=told)
    pokea.call_back("sms.delivery_report", name, status=status, retryCount="1")
    (body,) = one.told(event)
    assert name in json.dumps(body["data"])
    time.sleep(0.4)
    assert len(one.came) == 1


# § 5, tries


def test_the_id_is_the_same_on_every_attempt(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping")
    one.answers(FAILED, FAILED, Answer())
    one.ping()
    for times in (1, 2):
        pokea.data("POST", f"/deliveries/{one.tried(times)['id']}/retry")
    came = one.wait(3)
    assert len({each.headers["webhook-id"] for each in came}) == 1
    assert {each.body for each in came} == {came[0].body}
    assert all(each.headers["webhook-signature"] == standard_signature(one.secret, each) for each in came)


def waits_s(attempt: dict[str, Any]) -> float:
    """Return how long after an attempt ended the next is."""
    return (moment(attempt["nextTryAt"]) - moment(attempt["at"])).total_seconds() - attempt["ms"] / 1000


def test_the_table_of_tries_is_the_life_of_a_delivery_jittered_by_a_fifth(pokea: Pokea, hook: MakeHook) -> None:
    one, shares = hook("ping"), []
    one.answers(FAILED)
    one.ping()
    for number, pause_s in enumerate(PAUSES_S, 1):
        delivery = one.tried(number)
        assert delivery["state"] == "waiting"
        shares.append(waits_s(delivery["attempts"][-1]) / pause_s)
        if number < len(PAUSES_S):
            pokea.data("POST", f"/deliveries/{delivery['id']}/retry")
    # By hand it would begin a new life, so the last try comes by itself.
    now = datetime.now(UTC)
    old = now - timedelta(seconds=sum(PAUSES_S))
    pokea.execute(update(Delivery).where(Delivery.id == delivery["id"]).values(created_at=old, revived_at=old, due_at=now))
    pokea.execute(update(Endpoint).where(Endpoint.id == one.id).values(next_try_at=now))
    assert all(0.79 < share < 1.25 for share in shares), shares
    assert max(shares) - min(shares) > 0.01
    last = one.tried(10)
    assert (last["state"], last["attempts"][-1]["nextTryAt"]) == ("dead", None)


def test_the_second_try_comes_by_itself_after_five_seconds(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping")
    one.answers(FAILED, Answer())
    one.ping()
    first, second = one.wait(2, 9)
    assert 3.9 < second.at - first.at < 7.5


@pytest.mark.parametrize(
    ("status", "asked", "least", "most"),
    [(503, "120", 96, 145), (503, "9999999", 60, 8000), (500, "1", 3.9, 7), (429, None, 47, 8000), (429, "600", 470, 730)],
    ids=["obeyed", "not too long", "not too short", "429 a minute", "429 obeyed"],
)
def test_retry_after_is_obeyed_within_bounds_and_429_waits_a_minute(
    pokea: Pokea, hook: MakeHook, status: int, asked: str | None, least: float, most: float
) -> None:
    one = hook("ping")
    one.answers(Answer(status, headers={"Retry-After": asked} if asked else {}))
    one.ping()
    assert least < waits_s(one.tried()["attempts"][0]) < most


def test_429_waits_a_minute_at_least_whatever_the_jitter(pokea: Pokea, hook: MakeHook) -> None:
    waited = []
    for _ in range(12):
        one = hook("ping")
        one.answers(Answer(429))
        one.ping()
        waited.append(waits_s(one.tried()["attempts"][0]))
    assert min(waited) >= 59.5, waited


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_failures_and_not_followed(pokea: Pokea, hook: MakeHook, status: int) -> None:
    one, elsewhere = hook("ping"), f"/{fresh('elsewhere')}"
    one.answers(Answer(status, headers={"Location": pokea.receiver.url + elsewhere}))
    one.ping()
    delivery = one.tried()
    assert (delivery["state"], delivery["attempts"][0]["status"]) == ("waiting", status)
    assert delivery["nextTryAt"]
    assert not [came for came in pokea.receiver.came if came.path == elsewhere]


@pytest.mark.parametrize("status", [400, 404, 500])
def test_any_other_status_than_2xx_is_tried_again(pokea: Pokea, hook: MakeHook, status: int) -> None:
    one = hook("ping")
    one.answers(Answer(status))
    one.ping()
    assert (one.tried()["state"], one.tried()["nextTryAt"] is None) == ("waiting", False)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_2xx_is_delivered(pokea: Pokea, hook: MakeHook, status: int) -> None:
    one = hook("ping")
    one.answers(Answer(status, b"" if status == 204 else b"ok"))
    one.ping()
    pokea.late(lambda: one.deliveries()[0]["state"] == "delivered")
    assert one.deliveries()[0]["attempts"][0]["status"] == status


def test_410_turns_the_endpoint_off_and_says_so(pokea: Pokea, hook: MakeHook) -> None:
    told, one = hook("endpoint.*"), hook("ping")
    one.answers(Answer(410))
    one.ping()
    pokea.late(lambda: pokea.data("GET", f"/webhooks/{one.id}")["active"] is False)
    assert any(one.id in json.dumps(body["data"]) for body in told.told("endpoint.disabled"))
    number = len(one.came)
    pokea.api("POST", f"/webhooks/{one.id}/ping")
    time.sleep(0.4)
    assert len(one.came) == number == 1


@pytest.mark.parametrize(("hours", "active"), [(119, True), (121, False)])
def test_120_hours_of_nothing_but_failure_turn_an_endpoint_off_and_say_so(pokea: Pokea, hook: MakeHook, hours: int, active: bool) -> None:
    told, one = hook("endpoint.disabled"), hook("ping")
    one.answers(FAILED)
    one.ping()
    delivery = one.tried()
    pokea.execute(update(Endpoint).where(Endpoint.id == one.id).values(failing_since=datetime.now(UTC) - timedelta(hours=hours)))
    pokea.data("POST", f"/deliveries/{delivery['id']}/retry")
    one.tried(2)
    pokea.late(lambda: pokea.data("GET", f"/webhooks/{one.id}")["active"] is active)
    if active:
        time.sleep(0.4)
        assert told.came == []
    else:
        assert one.id in json.dumps(told.told("endpoint.disabled")[0]["data"])


def test_a_failing_endpoint_is_tried_at_least_every_5_minutes_and_its_recovery_is_told(pokea: Pokea, hook: MakeHook) -> None:
    told, one = hook("endpoint.recovered"), hook("ping")
    one.answers(FAILED)
    one.ping()
    for times in (1, 2, 3, 4):
        delivery = one.tried(times)
        pokea.late(lambda: pokea.data("GET", f"/webhooks/{one.id}")["nextTryAt"])
        assert moment(pokea.data("GET", f"/webhooks/{one.id}")["nextTryAt"]) <= datetime.now(UTC) + timedelta(minutes=5)
        if times == 4:
            one.answers(Answer())
        pokea.data("POST", f"/deliveries/{delivery['id']}/retry")
    assert one.id in json.dumps(told.told("endpoint.recovered")[0]["data"])


def failing(pokea: Pokea, one: Hook, waiting: int) -> str:
    """Let an endpoint fail with its oldest delivery, and others wait; return the oldest's id."""
    one.answers(FAILED)
    one.ping()
    oldest = one.tried()["id"]
    pokea.late(lambda: pokea.data("GET", f"/webhooks/{one.id}")["nextTryAt"])
    for _ in range(waiting):
        pokea.call_back("sms.opt_out", fresh())
    pokea.late(lambda: len(one.deliveries()) == 1 + waiting)
    return oldest


def test_of_a_failing_endpoint_the_others_wait(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping", "sms.opt_out")
    failing(pokea, one, 3)
    time.sleep(SHORTLY_S)
    assert len(one.came) == 1


def test_a_failing_endpoint_is_tried_with_its_oldest_and_then_with_the_next_alone(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping", "sms.opt_out")
    pokea.data("POST", f"/deliveries/{failing(pokea, one, 3)}/retry")
    one.wait(3)
    time.sleep(SHORTLY_S)
    # The next, so that one that is never taken does not stand in the way of all; never more of those that wait.
    assert [json.loads(came.body)["event"] for came in one.came] == ["ping", "ping", "sms.opt_out"]


def test_the_first_success_makes_all_that_wait_due_oldest_first(pokea: Pokea, hook: MakeHook) -> None:
    one = hook("ping", "sms.opt_out")
    oldest = failing(pokea, one, 6)
    one.answers(Answer())
    pokea.data("POST", f"/deliveries/{oldest}/retry")
    ids = [came.headers["webhook-id"] for came in one.wait(8)[1:]]
    assert ids == sorted(ids)
    pokea.late(lambda: {delivery["state"] for delivery in one.deliveries()} == {"delivered"})


def test_at_most_4_are_in_flight_to_an_endpoint(pokea: Pokea, hook: MakeHook) -> None:
    one, lock, now, most = hook("ping"), threading.Lock(), [0], [0]

    def answer(_came: Came) -> Answer:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(1)
        with lock:
            now[0] -= 1
        return Answer()

    pokea.answers[one.path] = answer
    for _ in range(10):
        one.ping()
    one.wait(10, 15)
    assert 2 <= most[0] <= 4


# § 5, reading


def seed(pokea: Pokea) -> dict[str, dict[str, str]]:
    """Make two things for each list, the second unlike the first in all that is filtered; return what the first has."""
    a, b, pa, pb = fresh("aa"), fresh("bb"), "+254711000041", "+254711000042"
    pokea.invoke("sms/invoke-bulk-sms", phone=pa, message=f"text {a}", reference=f"ref{a}")
    sms = pokea.at.last_id
    pokea.at.fault = stub_at.status(401, b"The supplied authentication is invalid")
    assert pokea.ask("GET", f"/api/voice/invoke-call?phone={pb[1:]}&reference=ref{b}", key=None).status_code == 502
    pokea.at.fault = None
    pokea.call_back("sms.delivery_report", f"dlr{b}", status="Failed", phoneNumber=pb)
    assert pokea.post("/api/sms/delivery-reports", {"id": b, "phoneNumber": pb}).status_code == 400
    pokea.call_back("sms.incoming_message", a, **{"from": pa, "text": f"text {a}"})
    pokea.call_back("ussd.session", a, phoneNumber=pa)
    pokea.call_back("ussd.session_end", f"end{a}", phoneNumber=pa, cost="KES 0.10")
    final(pokea, b, callerNumber=pb, status="Success", durationInSeconds="3", currencyCode="KES", amount="2.00")
    record(pokea, a, phoneNumber=pa, recordingUrl=f"https://voice.example/{a}.mp3", status="completed")
    record(pokea, b, phoneNumber=pb, recordingUrl=f"https://voice.example/{b}.mp3", status="failed")
    pokea.call_back("payments.notification", a, phoneNumber=pa, category="MobileCheckout", status="Success", productName=f"p{a}")
    pokea.call_back("payments.notification", b, phoneNumber=pb, category="MobileC2B", status="Failed", productName=f"p{b}")
    for name, phone in ((a, pa), (b, pb)):
        pokea.call_back("sms.opt_out", name, phoneNumber=phone)
    pokea.call_back("sms.subscription", a, phoneNumber=pa)
    pokea.call_back("sms.subscription", b, phoneNumber=pb, updateType="deletion")
    return {
        "callbacks": {"kind": "sms.incoming_message", "state": "accepted", "phone": pa, "session": a, "reference": a, "q": f"text {a}"},
        "invocations": {"kind": "sms.bulk", "state": "accepted", "phone": pa, "session": sms, "reference": f"ref{a}", "q": f"text {a}"},
        "sessions": {"kind": "ussd", "state": "open", "phone": pa, "session": a, "reference": a},
        "messages": {"kind": "in", "state": "received", "phone": pa, "reference": f"ref{a}", "q": f"text {a}"},
        "recordings": {"state": "completed", "phone": pa, "session": a, "reference": a, "q": f"{a}.mp3"},
        "payments": {"kind": "MobileCheckout", "state": "Success", "phone": pa, "reference": a, "q": f"p{a}"},
        "optouts": {"phone": pa, "q": a},
        "subscriptions": {"state": "addition", "phone": pa, "q": a},
        "costs": {"kind": "ussd", "phone": pa},
        "events": {"kind": "sms.incoming_message", "phone": pa, "session": a, "reference": a, "q": f"text {a}"},
        "names": {"a": a, "b": b},
    }  # fmt: skip


@pytest.fixture(scope="module")
def seeded(pokea: Pokea) -> dict[str, dict[str, str]]:
    """What the first of two things in each list has."""
    before = datetime.now(UTC).isoformat()
    made = seed(pokea)
    made["names"]["before"] = before
    return made


@pytest.mark.parametrize("name", [name for name in LISTS if name != "costs"])
def test_the_filters_of_a_list_find_what_has_it_and_nothing_else(pokea: Pokea, seeded: dict[str, dict[str, str]], name: str) -> None:
    a, b = seeded["names"]["a"], seeded["names"]["b"]
    every = json.dumps(pokea.rows(name, since=seeded["names"]["before"], limit=500))
    assert a in every
    assert b in every
    for filter_, value in seeded[name].items():
        rows = pokea.rows(name, **{filter_: value}, since=seeded["names"]["before"], limit=500)
        found = json.dumps(rows)
        assert a in found, (filter_, value)
        if (name, filter_) == ("callbacks", "state"):
            assert {row["state"] for row in rows} == {value} != {row["state"] for row in pokea.rows(name)}
        else:
            assert b not in found, (filter_, value)


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_read_since_and_until_a_time(pokea: Pokea, seeded: dict[str, dict[str, str]], name: str) -> None:
    before = seeded["names"]["before"]
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    assert pokea.rows(name, since=before)
    assert pokea.rows(name, until=later)
    assert pokea.rows(name, since=later) == []
    if name != "costs":  # which are counted by the day
        assert seeded["names"]["a"] not in json.dumps(pokea.rows(name, until=before, limit=500))
    else:
        assert pokea.rows(name, until=(datetime.now(UTC) - timedelta(days=2)).isoformat()) == []


def test_costs_are_told_by_what_they_are_for(pokea: Pokea, seeded: dict[str, dict[str, str]]) -> None:
    sums = {(row["product"], row["currency"]): row["amount"] for row in pokea.rows("costs", phone="+254711000041")}
    assert (float(sums["ussd", "KES"]), float(sums["sms", "KES"])) == (0.1, 0.8)
    assert {row["product"] for row in pokea.rows("costs", kind="ussd")} == {"ussd"}


@pytest.mark.parametrize("name", LISTS)
def test_a_filter_that_a_list_lacks_is_refused_and_never_passed_over(pokea: Pokea, seeded: dict[str, dict[str, str]], name: str) -> None:
    takes = {*seeded[name], "since", "until", "state" if name == "optouts" else "", "q" if name == "sessions" else ""}
    for filter_ in (*FILTERS, "nonsense"):
        value = {"optouts": "out"}.get(name, "x") if filter_ == "state" else "x"
        answer = pokea.api("GET", f"/{name}", params={filter_: value})
        if filter_ not in takes:
            assert (answer.status_code, answer.json()["success"]) == (400, False), (filter_, answer.text)
            assert filter_ in answer.json()["error"]


@pytest.mark.parametrize("name", [*(one for one in LISTS if one != "costs"), "webhooks"])
def test_a_list_is_an_array_with_next_a_cursor_that_leads_through_all_of_it(
    pokea: Pokea, seeded: dict[str, dict[str, str]], name: str
) -> None:
    since = {} if name == "webhooks" else {"since": seeded["names"]["before"]}
    whole = pokea.api("GET", f"/{name}", params={**since, "limit": "500"}).json()
    assert (whole["success"], isinstance(whole["data"], list), whole["next"]) == (True, True, None)
    assert len(whole["data"]) >= 2
    seen: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while len(seen) <= len(whole["data"]):
        page = pokea.api("GET", f"/{name}", params={**since, **after, "limit": str(max(1, len(whole["data"]) // 3))}).json()
        assert len(page["data"]) <= max(1, len(whole["data"]) // 3)
        seen += page["data"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == whole["data"]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=100000", "after=nonsense"])
def test_a_page_that_cannot_be_is_400(pokea: Pokea, query: str) -> None:
    answer = pokea.api("GET", f"/callbacks?{query}")
    assert (answer.status_code, answer.json()["success"]) == (400, False)


def waiting_for(pokea: Pokea, path: str, then: Callable[[], Any]) -> tuple[dict[str, Any], float]:
    """Ask an address that waits, do something a second later, and return its data and how long it took."""
    with ThreadPoolExecutor(1) as thread:
        began = time.monotonic()
        asked = thread.submit(lambda: (pokea.data("GET", path), time.monotonic() - began))
        time.sleep(1)
        assert not asked.done()
        then()
        return asked.result()


@pytest.mark.parametrize("by", ["reference", "id at Africa's Talking", "id"])
def test_a_message_is_told_when_its_state_changes(pokea: Pokea, by: str) -> None:
    reference = fresh("ref")
    pokea.invoke("sms/invoke-bulk-sms", phone="254711000044", message="Hi", reference=reference)
    theirs = pokea.at.last_id
    name = {"reference": reference, "id": pokea.data("GET", f"/messages/{theirs}")["id"]}.get(by, theirs)
    now = pokea.data("GET", f"/messages/{name}")
    assert now["state"] in ("Queued", "Sent")
    told, took_s = waiting_for(pokea, f"/messages/{name}?wait=20", lambda: pokea.call_back("sms.delivery_report", theirs, status="Success"))
    assert told["state"] == "Success"
    assert 1 <= took_s < 4


def test_a_message_that_does_not_change_is_told_when_the_wait_is_over(pokea: Pokea) -> None:
    pokea.call_back("sms.delivery_report", name := fresh(), status="Sent")
    began = time.monotonic()
    assert pokea.data("GET", f"/messages/{name}?wait=1")["state"] == "Sent"
    assert 0.95 < time.monotonic() - began < 3
    began = time.monotonic()
    assert pokea.api("GET", "/messages/nothing?wait=20").status_code == 404
    assert time.monotonic() - began < 3


def test_a_sim_swap_check_is_told_when_its_answer_comes(pokea: Pokea) -> None:
    pokea.invoke("sim-swap/invoke-check-simswap", phone="254711000045")
    request_id = pokea.at.last_id
    path = f"/sim-swap/checks/{request_id}"
    before = pokea.data("GET", path)
    told, took_s = waiting_for(pokea, f"{path}?wait=20", lambda: pokea.call_back("sim_swap.status", request_id))
    assert (told["requestId"], told["status"], told["lastSimSwapDate"]) == (request_id, "Swapped", "2026-01-01")
    assert before["state"] != told["state"]
    assert 1 <= took_s < 4
    assert pokea.api("GET", "/sim-swap/checks/nothing").status_code == 404


def test_the_balance_is_asked_for_at_most_once_a_minute(pokea: Pokea) -> None:
    def asked() -> int:
        return sum(seen.path.endswith("/user") for seen in pokea.at.seen)

    assert pokea.data("GET", "/balance")["balance"] == "KES 1234.5000"
    pokea.at.balance = "KES 99.0000"
    past = datetime.now(UTC) - timedelta(seconds=61)
    with pokea.engine.begin() as connection:
        value = connection.execute(text("select value from marks where name = 'balance'")).scalar_one()
    value = {**json.loads(value), "tried_at": past.isoformat(), "asked_at": past.isoformat()}
    before = asked()
    pokea.execute(update(Mark).where(Mark.name == "balance").values(value=value, updated_at=past))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: pokea.data("GET", "/balance"), range(24)))
    # While one asks, the others may be told what was known before.
    assert {answer["balance"] for answer in answers} <= {"KES 1234.5000", "KES 99.0000"}
    assert (pokea.data("GET", "/balance")["balance"], asked()) == ("KES 99.0000", before + 1)


# § 5, a callback once more


def hop(pokea: Pokea, typed: str = "") -> dict[str, Any]:
    """Keep a USSD hop and return its row."""
    name = fresh()
    pokea.call_back("ussd.session", name, text=typed)
    return pokea.rows("callbacks", session=name)[0]


def test_a_replay_is_a_new_row_and_never_a_repeat(pokea: Pokea) -> None:
    first = hop(pokea)
    answer = pokea.api("POST", f"/callbacks/{first['id']}/replay", json={})
    told = answer.json()["data"]
    assert answer.ok
    assert (told["replay_of"], told["id"] != first["id"]) == (first["id"], True)
    assert not told["difference"]
    again = pokea.data("POST", f"/callbacks/{first['id']}/replay")
    assert again["id"] not in (first["id"], told["id"])
    rows = {row["id"]: row for row in pokea.rows("callbacks", session=first["reference"])}
    assert rows.keys() == {first["id"], told["id"], again["id"]}
    assert {row["repeats"] for row in rows.values()} == {0}
    assert (rows[told["id"]]["replay_of"], rows[first["id"]]["replay_of"]) == (first["id"], None)
    assert rows[told["id"]]["fields"] == first["fields"]


def test_a_replay_with_other_fields_shows_the_difference_to_the_first_answer(pokea: Pokea) -> None:
    first = hop(pokea)
    told = pokea.data("POST", f"/callbacks/{first['id']}/replay", json={"fields": {"text": "2"}})
    difference = "\n".join(told["difference"])
    assert "-CON What would you want to check " in difference
    assert f"+END Your phone number is {ME}" in difference
    assert pokea.data("GET", f"/callbacks/{told['id']}")["fields"]["text"] == "2"
    assert pokea.data("GET", f"/callbacks/{first['id']}")["fields"]["text"] == ""


def test_a_replay_is_posted_to_another_address_byte_for_byte(pokea: Pokea) -> None:
    name, path = fresh(), f"/{fresh('program')}"
    pokea.answers[path] = lambda _came: Answer(200, b"END From elsewhere", {"Content-Type": "text/plain"})
    raw = f"sessionId={name}&phoneNumber=%2B254711000017&serviceCode=*384*1234%23&text=".encode()
    pokea.post("/api/ussd/session", raw, headers={"Content-Type": FORM})
    first = pokea.rows("callbacks", session=name)[0]
    told = pokea.data("POST", f"/callbacks/{first['id']}/replay", json={"to": pokea.receiver.url + path})
    (came,) = [one for one in pokea.receiver.came if one.path == path]
    assert (came.body, came.headers["Content-Type"]) == (raw, FORM)
    assert "+END From elsewhere" in "\n".join(told["difference"])


def test_a_replay_has_effects_only_where_they_are_asked_for(pokea: Pokea, hook: MakeHook) -> None:
    one, name = hook("sms.incoming_message"), fresh()
    pokea.call_back("sms.incoming_message", name)
    one.wait()
    first = pokea.rows("callbacks", reference=name)[0]
    pokea.data("POST", f"/callbacks/{first['id']}/replay", json={})
    time.sleep(SHORTLY_S)
    assert len(one.came) == 1
    told = pokea.data("POST", f"/callbacks/{first['id']}/replay", json={"effects": True})
    assert json.loads(one.wait(2)[1].body)["data"]["replayOf"] == first["id"]
    assert told["replay_of"] == first["id"]


@pytest.mark.parametrize("body", ["[]", "{", '{"effects": "yes"}', '{"fields": []}', '{"to": 1}'])
def test_a_replay_that_cannot_be_meant_is_400_and_an_unknown_callback_404(pokea: Pokea, body: str) -> None:
    first = hop(pokea)
    answer = pokea.api("POST", f"/callbacks/{first['id']}/replay", data=body, headers={"Content-Type": JSON})
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert len(pokea.rows("callbacks", session=first["reference"])) == 1
    assert pokea.api("POST", "/callbacks/cb_none/replay", json={}).status_code == 404


def test_money_that_nobody_knows_of_raises_an_alert(pokea: Pokea, slow: Slow) -> None:
    slow.settle(pokea)


# § 6


def people(first: int, number: int) -> list[dict[str, str]]:
    """Return recipients, each with a text of their own."""
    # That of other tests opted out.
    places = [place for place in range(first, 99) if f"+2547110000{place:02}" not in (ME, "+254711000041", "+254711000042")]
    return [{"phone": f"+2547110000{place:02}", "name": fresh("N")} for place in places[:number]]


def campaign(pokea: Pokea, recipients: list[Any], **asked: Any) -> dict[str, Any]:
    """Make a campaign, not started."""
    body = {"name": fresh("News"), "channel": "sms", "message": "Hi {name}", "recipients": recipients, **asked}
    return pokea.data("POST", "/campaigns", json={name: value for name, value in body.items() if value is not None})


def control(pokea: Pokea, made: dict[str, Any], what: str) -> dict[str, Any]:
    return pokea.data("POST", f"/campaigns/{made['campaignId']}/{what}")


def state_of(pokea: Pokea, made: dict[str, Any]) -> dict[str, Any]:
    return pokea.data("GET", f"/campaigns/{made['campaignId']}")


def texts(pokea: Pokea, recipients: list[dict[str, str]]) -> list[str]:
    """Return who of these was written to, once for each time."""
    wanted = {f"Hi {one['name']}": one["phone"] for one in recipients}
    return [wanted[seen.fields["message"]] for seen in pokea.at.calls("sms.bulk") if seen.fields.get("message") in wanted]


def ended(pokea: Pokea, made: dict[str, Any], seconds: float = 15) -> dict[str, Any]:
    pokea.late(lambda: state_of(pokea, made)["totals"]["created"] == 0, seconds)
    return state_of(pokea, made)


CAMPAIGN_KEYS = {"campaignId", "name", "accepted", "refused", "unknown", "total"}


def test_a_campaign_is_previewed_started_and_finished_and_tells_so(pokea: Pokea, hook: MakeHook) -> None:
    told, recipients = hook("campaign.*"), people(50, 4)
    answer = pokea.api("POST", "/campaigns", json={"name": "March", "channel": "sms", "message": "Hi {name}", "recipients": recipients})
    made = answer.json()["data"]
    assert (answer.status_code, answer.json()["success"]) == (201, True)
    assert made["preview"]["recipients"] == 4
    assert f"Hi {recipients[0]['name']}" in made["preview"]["first_texts"]
    time.sleep(0.6)
    assert texts(pokea, recipients) == []
    assert control(pokea, made, "start")["campaignId"] == made["campaignId"]
    over = ended(pokea, made)
    pokea.late(lambda: state_of(pokea, made)["state"] == "finished")
    assert sorted(texts(pokea, recipients)) == [one["phone"] for one in recipients]
    assert (over["totals"]["accepted"], over["totals"]["total"]) == (4, 4)
    assert state_of(pokea, made)["progress"]["percent"] == 100
    (started,), (finished,) = told.told("campaign.started"), told.told("campaign.finished")
    for body in (started, finished):
        assert body["data"].keys() >= CAMPAIGN_KEYS
        assert (body["data"]["campaignId"], body["data"]["name"], body["data"]["total"]) == (made["campaignId"], "March", 4)
    assert [finished["data"][name] for name in ("accepted", "refused", "unknown")] == [4, 0, 0]


@pytest.mark.parametrize("how", ["file", "body"])
def test_a_campaign_is_made_of_a_csv_with_columns(pokea: Pokea, how: str) -> None:
    recipients = people(54, 2)
    lines = "phone,name\n" + "".join(f"{one['phone']},{one['name']}\n" for one in recipients)
    parameters = {"name": "March", "channel": "sms", "message": "Hi {name}"}
    if how == "file":
        made = pokea.data("POST", "/campaigns", data=parameters, files={"recipients": ("people.csv", lines, "text/csv")})
    else:
        made = pokea.data("POST", "/campaigns", params=parameters, data=lines, headers={"Content-Type": "text/csv"})
    control(pokea, made, "start")
    ended(pokea, made)
    assert sorted(texts(pokea, recipients)) == [one["phone"] for one in recipients]


def test_a_campaign_of_calls_goes_out_as_calls(pokea: Pokea) -> None:
    before = len(pokea.at.calls("voice.call"))
    made = campaign(pokea, ["+254711000056", "+254711000057"], channel="voice", message=None)
    control(pokea, made, "start")
    assert ended(pokea, made)["totals"]["accepted"] == 2
    called = ",".join(seen.fields["to"] for seen in pokea.at.calls("voice.call")[before:])
    assert sorted(called.split(",")) == ["+254711000056", "+254711000057"]


def test_a_campaign_skips_opted_out_and_repeated_numbers(pokea: Pokea) -> None:
    recipients = people(60, 3)
    pokea.post(
        "/api/sms/twoway", {"id": fresh(), "from": recipients[1]["phone"], "to": "12345", "date": "2026-03-04 10:30:00", "text": "STOP"}
    )
    pokea.late(lambda: pokea.rows("optouts", phone=recipients[1]["phone"]))
    made = campaign(pokea, [*recipients, {"phone": recipients[0]["phone"][1:], "name": "again"}])
    assert (made["preview"]["repeated"], made["preview"]["opted_out"], made["preview"]["recipients"]) == (1, 1, 2)
    control(pokea, made, "start")
    ended(pokea, made)
    assert sorted(texts(pokea, recipients)) == [recipients[0]["phone"], recipients[2]["phone"]]
    assert not [seen for seen in pokea.at.calls("sms.bulk") if seen.fields["message"] == "Hi again"]


def test_a_campaign_is_paced_by_campaign_rate(pokea: Pokea) -> None:
    times: list[float] = []

    def note(handler: Handler, body: bytes) -> None:
        times.append(time.monotonic())
        handler.reply(201, body)

    made = campaign(pokea, people(0, 41))
    pokea.at.fault = note
    control(pokea, made, "start")
    ended(pokea, made)
    pokea.at.fault = None
    assert len(times) == 41
    assert 1.7 < times[-1] - times[0] < 6


def test_a_campaign_is_paused_resumed_and_cancelled(pokea: Pokea, hook: MakeHook) -> None:
    told, recipients = hook("campaign.paused"), people(0, 60)
    made = campaign(pokea, recipients)
    control(pokea, made, "start")
    pokea.late(lambda: len(texts(pokea, recipients)) >= 6)
    assert control(pokea, made, "pause")["state"] == "paused"
    (paused,) = told.told("campaign.paused")
    assert paused["data"].keys() >= CAMPAIGN_KEYS
    assert (paused["data"]["campaignId"], paused["data"]["total"]) == (made["campaignId"], 60)
    time.sleep(0.4)
    number = len(texts(pokea, recipients))
    time.sleep(0.6)
    assert len(texts(pokea, recipients)) == number < 60
    assert control(pokea, made, "resume")["state"] == "running"
    pokea.late(lambda: len(texts(pokea, recipients)) > number + 2)
    assert control(pokea, made, "cancel")["state"] == "cancelled"
    time.sleep(0.4)
    number = len(texts(pokea, recipients))
    time.sleep(0.4)
    assert len(texts(pokea, recipients)) == number < 60
    assert max(Counter(texts(pokea, recipients)).values()) == 1
    assert pokea.api("POST", f"/campaigns/{made['campaignId']}/resume").status_code == 409


@pytest.mark.parametrize("how", ["send_at", "quiet_hours"])
def test_a_campaign_waits_for_its_time_and_in_quiet_hours(pokea: Pokea, how: str) -> None:
    now, recipients = datetime.now(UTC), people(64, 2)
    # It is three hours later in Kenya.
    local = now + timedelta(hours=3)
    wait = {
        "send_at": (now + timedelta(hours=2)).isoformat(),
        "quiet_hours": {"from": f"{local - timedelta(hours=1):%H:%M}", "to": f"{local + timedelta(hours=1):%H:%M}"},
    }[how]
    made = campaign(pokea, recipients, **{how: wait})
    control(pokea, made, "start")
    time.sleep(SHORTLY_S)
    assert texts(pokea, recipients) == []
    assert state_of(pokea, made)["totals"]["created"] == 2
    control(pokea, made, "cancel")


def test_what_is_unknown_stays_unknown_until_a_person_chooses_for_the_batch(pokea: Pokea) -> None:
    recipients = people(70, 3)
    broken = {f"Hi {one['name']}" for one in recipients[:2]}

    def misbehave(handler: Handler, body: bytes) -> None:
        (stub_at.reset if pokea.at.seen[-1].fields["message"] in broken else lambda one, answer: one.reply(201, answer))(handler, body)

    pokea.at.fault = misbehave
    made = campaign(pokea, recipients)
    control(pokea, made, "start")
    totals = ended(pokea, made)["totals"]
    pokea.at.fault = None
    assert (totals["unknown"], totals["accepted"]) == (2, 1)
    assert len(texts(pokea, recipients)) == 3
    time.sleep(0.6)
    assert state_of(pokea, made)["totals"]["unknown"] == 2
    path = f"/campaigns/{made['campaignId']}/batches"
    first, second = (batch["number"] for batch in pokea.data("GET", f"{path}?state=unknown"))
    pokea.data("POST", f"{path}/{first}/settle", json={"choice": "treat_as_sent", "by": "Amina"})
    assert state_of(pokea, made)["totals"]["unknown"] == 1
    pokea.data("POST", f"{path}/{second}/settle", json={"choice": "send_again", "by": "Amina"})
    assert ended(pokea, made)["totals"]["unknown"] == 0
    assert sorted(Counter(texts(pokea, recipients)).values()) == [1, 1, 2]


def test_a_killed_worker_resumes_without_sending_twice(pokea: Pokea) -> None:
    recipients = people(0, 60)
    made = campaign(pokea, recipients)
    control(pokea, made, "start")
    pokea.late(lambda: len(texts(pokea, recipients)) >= 10)
    pokea.worker.kill()
    number = len(texts(pokea, recipients))
    pokea.worker.start()
    # What it was at, four batches at most, is not sent again before its end is known.
    pokea.late(lambda: state_of(pokea, made)["totals"]["created"] <= 4, 45)
    counts = Counter(texts(pokea, recipients))
    assert number < 60
    assert max(counts.values()) == 1
    assert len(counts) >= 56
    control(pokea, made, "cancel")


@pytest.mark.parametrize(
    "asked",
    [{"recipients": None}, {"channel": "fax"}, {"message": None}, {"message": "Hi {surname}"}, {"send_at": "soon"}, {"quiet_hours": {"from": "x"}}, {"name": None}],
)  # fmt: skip
def test_a_campaign_that_cannot_be_is_400(pokea: Pokea, asked: dict[str, Any]) -> None:
    body = {"name": "x", "channel": "sms", "message": "Hi {name}", "recipients": people(76, 1), **asked}
    answer = pokea.api("POST", "/campaigns", json={name: value for name, value in body.items() if value is not None})
    assert (answer.status_code, answer.json()["success"]) == (400, False), answer.text
    assert answer.json()["error"]


# § 8


def test_a_key_is_printed_as_json_and_is_limited_to_its_scopes(pokea: Pokea) -> None:
    printed = json.loads(pokea.web.flask("keys", "create", "--name", "one", "--scope", "read", "--json"))
    assert pokea.api("GET", "/callbacks", key=printed["key"]).status_code == 200
    assert pokea.api("POST", "/webhooks", key=printed["key"], json={}).status_code == 403


EXPORTED = ["id", "kind", "received_at", "state", "repeats", "fields", "raw_body"]


def test_an_export_is_one_json_object_a_line_oldest_first_and_unmasked(pokea: Pokea) -> None:
    name, raw = fresh(), b"id=%s&status=Sent&phoneNumber=%%2B254711000017&odd=\xff\xfe"
    pokea.call_back("sms.opt_out", name)
    pokea.post("/api/sms/delivery-reports", raw % name.encode(), headers={"Content-Type": FORM})
    pokea.call_back("ussd.session", name, text="1234")
    rows = [json.loads(line) for line in pokea.web.flask("callbacks", "export").splitlines()]
    assert all(set(EXPORTED) <= row.keys() for row in rows)
    assert [row["received_at"] for row in rows] == sorted(row["received_at"] for row in rows)
    opt_out, binary, typed = rows[-3:]
    assert (opt_out["kind"], opt_out["state"], opt_out["repeats"], opt_out["fields"]) == (
        "sms.opt_out", "accepted", 0, {"senderId": name, "phoneNumber": ME},
    )  # fmt: skip
    assert opt_out["raw_body"] == f"senderId={name}&phoneNumber=%2B254711000017"
    assert "raw_encoding" not in opt_out
    assert (binary["raw_encoding"], base64.b64decode(binary["raw_body"])) == ("base64", raw % name.encode())
    assert typed["fields"]["text"] == "1234"


def test_cells_of_an_exported_csv_that_a_spreadsheet_would_run_are_neutralised(pokea: Pokea) -> None:
    for start in "=+-@":
        pokea.post("/api/sms/opt-out", f"{start}cmd()", headers={"Content-Type": FORM})
    rows = list(csv.reader(io.StringIO(pokea.flask("callbacks", "export", "--format", "csv").decode())))
    assert rows[0][: len(EXPORTED)] == EXPORTED
    assert len([row for row in rows if "cmd()" in row[6]]) == 4
    assert not [cell for row in rows[1:] for cell in row if cell[:1] in ("=", "+", "-", "@")]


def test_an_export_as_curl_is_a_command_for_each_that_posts_it_again(strict: Pokea) -> None:
    raw = f"senderId={fresh()}&phoneNumber=%2B254711000018&odd=it's"
    strict.post("/api/sms/opt-out", raw, headers={"Content-Type": FORM})
    last = strict.flask("callbacks", "export", "--format", "curl").decode().splitlines()[-1]
    words = shlex.split(last)
    assert words[0] == "curl"
    assert {raw, f"Content-Type: {FORM}"} <= set(words)
    assert [word for word in words if word.endswith("/api/sms/opt-out")]


def test_an_export_as_curl_takes_bodies_that_are_no_text(strict: Pokea, monkeypatch: pytest.MonkeyPatch) -> None:
    strict.post("/api/sms/delivery-reports", b"id=a&status=Sent&odd=\xff\xfe", headers={"Content-Type": FORM})
    monkeypatch.setitem(strict.web.environment, "PYTHONIOENCODING", "utf-8:strict")
    assert strict.web.flask("callbacks", "export", "--format", "curl")


def test_privacy_masks_numbers_in_lists_and_exports(strict: Pokea) -> None:
    name = fresh()
    strict.call_back("sms.opt_out", name)
    assert strict.rows("optouts")
    exported = strict.web.flask("callbacks", "export")
    assert name in exported
    for shown in (exported, *(strict.api("GET", f"/{one}").text for one in LISTS)):
        assert "254711000017" not in shown


# What took long


def test_what_could_not_be_kept_is_503_and_a_webhook_error(pokea: Pokea) -> None:
    bodies = {
        "voice": {"sessionId": fresh()},
        "sms": {"id": fresh(), "status": "Sent"},
        "payments": {"transactionId": fresh(), "status": "Success"},
    }
    with pokea.engine.connect() as connection, ThreadPoolExecutor(3) as threads:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        answers = list(threads.map(lambda item: pokea.post(f"/api/v1/{item[0]}/webhook", item[1]), bodies.items()))
        connection.rollback()
    for answer in answers:
        assert (answer.status_code, answer.json().keys(), answer.json()["status"]) == (503, {"status", "error"}, "webhook_error")
        assert int(answer.headers["Retry-After"]) > 0
    wait_until(pokea.web.is_ready, 20, "the return of the database")


def test_the_settling_of_that_money_clears_the_alert(pokea: Pokea, slow: Slow) -> None:
    slow.settle(pokea)
    cleared = slow.alerts.told("alert.cleared", 1, 25)
    assert any("money" in json.dumps(body["data"]) for body in cleared)


def test_an_answer_that_takes_12_seconds_is_delivered(slow: Slow) -> None:
    attempt = slow.patient.tried(1, 25)["attempts"][0]
    assert (attempt["status"], slow.patient.tried()["state"]) == (200, "delivered")
    assert attempt["ms"] >= 11_900


def test_an_answer_after_15_seconds_is_a_failure_and_waits_a_minute_at_least(slow: Slow) -> None:
    delivery = slow.too_slow.tried(1, 25)
    attempt = delivery["attempts"][0]
    assert (delivery["state"], attempt["status"]) == ("waiting", None)
    assert 14_500 <= attempt["ms"] <= 16_500
    assert waits_s(attempt) > 47


def test_a_connection_has_5_seconds(slow: Slow) -> None:
    delivery = slow.unreached.tried(1, 25)
    attempt = delivery["attempts"][0]
    assert (delivery["state"], attempt["status"]) == ("waiting", None)
    assert 4_500 <= attempt["ms"] <= 6_500
    assert waits_s(attempt) > 47
