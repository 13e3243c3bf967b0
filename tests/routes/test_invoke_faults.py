"""The six invokes with a far side that misbehaves: every fault ends in its state, and nothing is sent twice."""

import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, update
from sqlalchemy.pool import NullPool

from app.models import Invocation, Recipient
from services import past_invocations
from tests import stub_at
from tests.invoking import KINDS, ONLY_SQLITE, PHONE, URLS, Sending, Stored
from tests.running import free_port
from tests.stub_at import StubAT

FAULTS: dict[str, tuple[stub_at.Fault, int, str]] = {
    "time-out": (stub_at.hang, 202, "unknown"),
    "dripping": (stub_at.drip, 202, "unknown"),
    "reset after reading": (stub_at.reset, 202, "unknown"),
    "cut in the body": (stub_at.cut, 202, "unknown"),
    "html": (stub_at.status(200, b"<html><body>Welcome</body></html>", "text/html"), 202, "unknown"),
    "json of another sort": (stub_at.status(200, b"[]", "application/json"), 202, "unknown"),
    "empty object": (stub_at.status(201, b"{}", "application/json"), 202, "unknown"),
    "half a json": (stub_at.half, 202, "unknown"),
    "500": (stub_at.status(500, b"There was an internal server error."), 202, "unknown"),
    "503": (stub_at.status(503), 202, "unknown"),
    "401": (stub_at.status(401, b"The supplied authentication is invalid"), 502, "refused"),
    "400": (stub_at.status(400, b"Request is missing required form field 'to'"), 502, "refused"),
    "429": (stub_at.status(429, b"", Retry_After="60"), 502, "refused"),
    "a charset": (stub_at.charset, 200, "accepted"),
}


@ONLY_SQLITE
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_ends_in_its_state_and_nothing_is_sent_twice(
    sending: Sending, at: StubAT, stored: Stored, capsys: pytest.CaptureFixture[str], kind: str, fault: str
) -> None:
    at.fault, status, state = FAULTS[fault]
    client = sending(at_timeout_s=0.25, at_api_key="a-very-secret-key").test_client()
    key = f"key-for-{kind}"
    answer = client.get(f"{URLS[kind]}&idempotencyKey={key}")
    assert (answer.status_code, answer.get_json()["invocation"]["state"]) == (status, state)
    assert [row.state for row in stored(Invocation)] == [row.state for row in stored(Recipient)] == [state]
    assert len(at.calls()) == 1
    if state == "unknown":
        assert "may have been sent: do not repeat" in answer.get_json()["message"]
    if fault == "401":
        assert "did not accept the API key for 'sandbox'" in answer.get_json()["error"]
    if fault == "429":
        assert answer.headers["Retry-After"] == "60"
    if state != "refused":  # the same order again: told, not sent
        again = client.get(f"{URLS[kind]}&idempotencyKey={key}")
        assert (again.status_code, again.get_json()["repeated"]) == (status, True)
        assert again.get_json()["invocation"] == answer.get_json()["invocation"]
        assert len(at.calls()) == 1
    sent = [seen.headers.get("Idempotency-Key") for seen in at.calls()]
    assert sent == [key if kind == "airtime.send" else None]
    logged = capsys.readouterr().err
    assert "a-very-secret-key" not in logged + answer.text
    assert "711000000" not in logged


def sms_answer(number: str = PHONE, code: str = "101", cost: str = '"KES 1"', more: str = "") -> bytes:
    recipient = f'{{"number":"{number}","statusCode":{code},"status":"Success","cost":{cost},"messageId":"ATXid_1"}}'
    return f'{{"SMSMessageData":{{"Message":"Sent","Recipients":[{recipient}{more}]}}}}'.encode()


BLOCKED = f',{{"number":"{PHONE}","statusCode":406,"status":"UserInBlacklist"}}'
ODD = {
    "a lone surrogate": (sms_answer(cost='"\\ud800"'), "accepted"),
    "a NUL": (sms_answer(cost='"KES\\u0000 1"'), "accepted"),
    "a bare control": (sms_answer(cost='"\x01"'), "unknown"),
    "not a number": (sms_answer(cost="NaN"), "unknown"),
    "an endless number": (sms_answer(cost="1e999"), "accepted"),
    "a huge sum": (sms_answer(cost='"KES 999999999999999"'), "accepted"),
    "a sum of no currency": (sms_answer(cost='{"amount":{},"currencyCode":[]}'), "accepted"),
    "nested without end": (sms_answer(cost="[" * 5000 + "]" * 5000), "unknown"),
    "nested deep": (sms_answer(cost="[" * 200 + "]" * 200), "unknown"),
    "a list for a code": (sms_answer(code="[101]"), "unknown"),
    "no code": (sms_answer(code="null"), "accepted"),
    "a huge code": (sms_answer(code="1" * 5000), "unknown"),
    "the number without plus": (sms_answer("254711000000"), "accepted"),
    "another number": (sms_answer("+254711999999"), "accepted"),
    "the number twice": (sms_answer(more=BLOCKED), "accepted"),
    "a huge id": (sms_answer().replace(b"ATXid_1", b"".join(b"%d" % (n * 7919 % 10) for n in range(20000))), "accepted"),
    "a list": (b"[1]", "unknown"),
    "no list of recipients": (b'{"SMSMessageData":{"Message":"Sent","Recipients":{}}}', "unknown"),
    "says sent and names nobody": (b'{"SMSMessageData":{"Message":"Sent to 1/1","Recipients":[]}}', "unknown"),
    "sent to none": (b'{"SMSMessageData":{"Message":"Sent to 0/1","Recipients":[]}}', "refused"),
    "says nothing": (b'{"SMSMessageData":{"Message":"","Recipients":[]}}', "unknown"),
    "bytes": (b"\xff\xfe\x00", "unknown"),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_is_never_an_error_of_ours(sending: Sending, at: StubAT, stored: Stored, odd: str) -> None:
    body, state = ODD[odd]
    at.fault = stub_at.status(201, body, "application/json")
    answer = sending().test_client().get(URLS["sms.bulk"])
    assert (answer.status_code, answer.get_json()["invocation"]["state"]) == (
        {"accepted": 200, "unknown": 202, "refused": 502}[state],
        state,
    )
    assert "kept" not in answer.get_json()
    assert [row.state for row in stored(Invocation)] == [state]


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
def test_a_redirect_is_not_followed(sending: Sending, at: StubAT, kind: str) -> None:
    with StubAT() as other:
        at.fault = stub_at.status(302, b"", Location=f"{other.url}/version1/messaging")
        answer = sending().test_client().get(URLS[kind])
        assert (answer.status_code, answer.get_json()["invocation"]["state"]) == (202, "unknown")
        assert other.seen == []


@pytest.mark.parametrize("kind", KINDS)
@ONLY_SQLITE
def test_with_nothing_listening_nothing_was_sent(make_app: Callable[..., Flask], stored: Stored, kind: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    answer = make_app(emulator_url=url, at_base_url=url).test_client().get(URLS[kind])
    assert (answer.status_code, answer.get_json()["invocation"]["state"]) == (503, "refused")
    assert (
        answer.get_json()["error"]
        == f"Nothing is listening at {url}: nothing was sent. Start the emulator with make run, or set AT_USERNAME and AT_API_KEY."
    )
    assert [row.state for row in stored(Recipient)] == ["refused"]


@ONLY_SQLITE
def test_an_answer_that_tells_the_key_back_is_masked(sending: Sending, at: StubAT, stored: Stored) -> None:
    at.fault = stub_at.status(400, b"bad key a-very-secret-key <script>alert(1)</script>")
    answer = sending(at_api_key="a-very-secret-key").test_client().get(URLS["sms.bulk"])
    assert "a-very-secret-key" not in answer.text + json.dumps(stored(Invocation)[0].answer)
    assert "<script>" not in answer.text
    assert "bad key ****" in answer.get_json()["error"]


@ONLY_SQLITE
def test_without_a_row_there_is_no_call(sending: Sending, at: StubAT, tmp_path: Any) -> None:
    answer = sending(database_url=f"sqlite:///{tmp_path}/never-migrated.db").test_client().get(URLS["airtime.send"])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert at.seen == []


@ONLY_SQLITE
def test_a_database_lost_during_the_call_leaves_it_unknown(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()
    path = app.config["POKEA"].database_url.removeprefix("sqlite:///")

    def break_it(answer: dict[str, Any]) -> dict[str, Any]:
        with sqlite3.connect(path) as other:
            other.execute("ALTER TABLE recipients RENAME TO elsewhere")
        other.close()
        return answer

    at.change = break_it
    answer = app.test_client().get(URLS["airtime.send"] + "&idempotencyKey=order-1042")
    # The truth, to who asked
    assert (answer.status_code, answer.get_json()["invocation"]["state"], answer.get_json()["kept"]) == (200, "accepted", False)
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE elsewhere RENAME TO recipients")
    other.close()
    assert [row.state for row in stored(Invocation)] == ["pending"]
    assert app.test_client().get(URLS["airtime.send"] + "&idempotencyKey=order-1042").status_code == 409
    assert len(at.calls()) == 1


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("kind", "answer", "state"),
    [
        *(("sms.bulk", {"SMSMessageData": {"Message": word, "Recipients": []}}, state) for word, state in (
            ("InternalServerError", "unknown"), ("GatewayError", "unknown"), ("Queued", "unknown"), ("Request timed out", "unknown"),
            ("InsufficientBalance", "refused"), ("Something they never said before", "refused"))),
        ("voice.call", {"entries": [], "errorMessage": "Internal error"}, "unknown"),
        ("airtime.send", {"responses": [], "errorMessage": "A timeout occurred while processing"}, "unknown"),
        ("sim_swap.check", {"responses": [], "status": "InternalError"}, "unknown"),
        *(("airtime.send", {"errorMessage": "None", "responses": [{"phoneNumber": PHONE, "status": "Failed", "errorMessage": said, "requestId": "ATQid_5"}]}, state)
            for said, state in (("Internal server error", "unknown"), ("Request timed out while talking to operator", "unknown"), ("Insufficient Credit", "refused"))),
        ("payments.checkout", {"status": "Failed", "description": "Request timed out at the provider", "transactionId": "T1"}, "unknown"),
        ("payments.checkout", {"status": "Failed", "description": "The person has no account", "transactionId": "T1"}, "refused"),
        ("sim_swap.check", {"responses": [], "status": "InvalidRequest"}, "refused"),
    ],
)  # fmt: skip
def test_a_word_for_everybody_is_refused_only_if_nothing_can_have_happened(
    sending: Sending, at: StubAT, kind: str, answer: dict[str, Any], state: str
) -> None:
    at.change = lambda _usual: answer
    assert sending().test_client().get(URLS[kind]).get_json()["invocation"]["state"] == state


@pytest.mark.parametrize(
    "duplicate",
    [
        lambda at: setattr(
            at, "change", lambda _usual: {"responses": [], "errorMessage": "A duplicate request was received within the last 5 minutes"}
        ),
        lambda at: setattr(at, "fault", stub_at.status(409, b"DuplicateRequest: this idempotency key was used")),
    ],
    ids=["in the body", "by status"],
)
def test_a_duplicate_means_that_an_earlier_try_was_sent(
    sending: Sending, at: StubAT, stored: Stored, duplicate: Callable[[StubAT], None]
) -> None:
    app = sending()
    client, url = app.test_client(), URLS["airtime.send"] + "&idempotencyKey=order-1042"
    at.fault = stub_at.reset
    client.get(url)
    with app.app_context():
        past_invocations.settle(stored(Invocation)[0].id, "refused", "a person", "was mistaken")
    at.fault = None
    duplicate(at)
    assert (client.get(url).status_code, stored(Invocation)[0].state) == (202, "unknown")
    duplicate(at)
    assert client.get(URLS["airtime.send"]).status_code == 502  # of a first try it says that this one was not taken


@ONLY_SQLITE
def test_an_answer_that_comes_after_another_is_nobody_elses(sending: Sending, at: StubAT) -> None:
    def early(handler: stub_at.Handler, body: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        time.sleep(0.1)
        handler.reply(201, body)

    client = sending().test_client()
    at.fault = early
    assert client.get(URLS["payments.checkout"]).get_json()["invocation"]["state"] == "unknown"
    late, at.fault = at.last_id, None
    answer = client.get(URLS["payments.checkout"].replace("amount=10", "amount=999"))
    assert (answer.get_json()["response"]["transactionId"] == at.last_id, late in answer.text) == (True, False)


def test_an_answer_to_an_earlier_try_does_not_end_a_later_one(sending: Sending, at: StubAT, stored: Stored, database_url: str) -> None:
    engine = create_engine(database_url, poolclass=NullPool)

    def another_try(answer: dict[str, Any]) -> dict[str, Any]:
        """As another process would, after this call was given up and settled as not sent."""
        with engine.begin() as connection:
            connection.execute(update(Invocation).values(attempts=2))
        return answer

    at.change = another_try
    told = sending().test_client().get(URLS["airtime.send"]).get_json()
    assert (told["invocation"]["state"], told["kept"]) == ("accepted", False)
    assert [row.state for row in stored(Invocation)] == [row.state for row in stored(Recipient)] == ["pending"]


def test_a_thousand_recipients_are_told_one_by_one(sending: Sending, at: StubAT, stored: Stored) -> None:
    phones = [f"2547110{number:05}" for number in range(1000)]
    answer = sending(at_timeout_s=5.0).test_client().post("/api/sms/invoke-bulk-sms", json={"phone": phones, "message": "x"})
    assert answer.get_json()["message"] == "SMS sent to 1000 of 1000 recipients"
    assert {(row.state, row.status) for row in stored(Recipient)} == {("accepted", "Success")}
    too_many = sending().test_client().post("/api/sms/invoke-bulk-sms", json={"phone": [*phones, "254711999999"], "message": "x"})
    assert (too_many.status_code, len(at.calls())) == (400, 1)
