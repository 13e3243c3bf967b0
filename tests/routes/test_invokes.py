"""The six invoke addresses: what they answer, what reaches Africa's Talking, and that nothing does twice."""

import json
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import Invocation, Recipient
from app.schemas.invokes import INVOKES
from tests import stub_at
from tests.routes.test_guide_lines import LINES
from tests.running import free_port
from tests.samples import post
from tests.stub_at import StubAT

Sending = Callable[..., Flask]
Stored = Callable[[type], list[Any]]
PHONE = "+254711000000"
URLS = {
    "sms.bulk": "/api/sms/invoke-bulk-sms?phone=254711000000&message=Hello",
    "sms.premium": "/api/sms/invoke-twoway-sms?phone=254711000000&message=Hello",
    "voice.call": "/api/voice/invoke-call?phone=254711000000",
    "airtime.send": "/api/airtime/invoke-send-airtime?phone=254711000000&amount=10&currency=KES",
    "sim_swap.check": "/api/sim-swap/invoke-check-simswap?phone=254711000000",
    "payments.checkout": "/api/payments/invoke-mobile-checkout?phone=254711000000&amount=10&currency=KES&productName=duka",
}
KINDS = list(URLS)
LIVE = {
    "at_mode": "live", "at_username": "acme", "at_api_key": "live-key-12345678", "at_shortcode": "12345", "at_voice_number": "+254711082000",
    "callback_token": ("c" * 24,), "invoke_token": "i" * 32,
}  # fmt: skip
TOKEN = {"Authorization": f"Bearer {LIVE['invoke_token']}"}
ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def live(sending: Sending, at: StubAT, **settings: Any) -> Flask:
    return sending(**{**LIVE, "at_base_url": at.url, "at_timeout_s": 0.6, "ratelimit_enabled": False, **settings})


# What they answer


@ONLY_SQLITE
@pytest.mark.parametrize("line", [line for line in LINES if "/invoke-" in line[1]], ids=lambda line: line[1].rpartition("/")[2])
def test_a_guide_line_works_as_written(sending: Sending, at: StubAT, line: list[str]) -> None:
    method, path, body, status, answer = line
    response = sending().test_client().open(path, method=method, data=body)
    assert response.status_code == int(status)
    assert answer in response.text
    if status == "200":
        assert at.last_id in json.dumps(response.get_json()["response"])


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_is_told_and_kept(sending: Sending, at: StubAT, stored: Stored, kind: str) -> None:
    answer = sending().test_client().get(URLS[kind] + "&reference=R-1")
    told = answer.get_json()
    assert (answer.status_code, told["message"]) == (200, INVOKES[kind].message.format(to=PHONE))
    (row,), (recipient,) = stored(Invocation), stored(Recipient)
    assert told["invocation"]["id"] == row.id
    assert told["invocation"]["state"] == row.state == "accepted"
    named = told["invocation"]["recipients"][0]
    assert set(named) == {"phone", "state", "status", "reason", "advice", "cost"}
    assert (named["phone"], named["state"]) == (PHONE, "accepted")
    assert told["response"] == row.answer
    assert (row.kind, row.reference, row.asked_by, row.attempts) == (kind, "R-1", "request from 127.0.0.1", 1)
    assert (recipient.provider_id, row.ms is not None, row.answer_status in (200, 201)) == (at.last_id, True, True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.headers["Referrer-Policy"], answer.headers["X-Robots-Tag"]) == ("no-referrer", "noindex")


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["form", "multipart", "json"])
def test_a_post_does_the_same(sending: Sending, at: StubAT, kind: str, form: str) -> None:
    path, _, query = URLS[kind].partition("?")
    fields = dict(part.split("=") for part in query.split("&"))
    client = sending().test_client()
    if form == "json":
        answer = client.post(path, json=fields)
    else:
        answer = client.post(path, data=fields, content_type="multipart/form-data" if form == "multipart" else None)
    assert (answer.status_code, len(at.calls())) == (200, 1)
    assert at.calls()[0].fields == _fields_of(client.get(URLS[kind] + "&again=1"), at)


def _fields_of(answer: TestResponse, at: StubAT) -> dict[str, Any]:
    first, second = at.calls()[0].fields, at.calls()[-1].fields
    # Each call names its own invocation.
    return second | {"clientRequestId": first["clientRequestId"]} if "clientRequestId" in second else second


@ONLY_SQLITE
def test_a_call_carries_the_id_of_its_invocation(sending: Sending, at: StubAT) -> None:
    told = sending().test_client().get(URLS["voice.call"]).get_json()
    assert at.calls("voice.call")[0].fields == {
        "username": "sandbox", "from": "+254711082000", "to": PHONE, "clientRequestId": told["invocation"]["id"]}  # fmt: skip


@ONLY_SQLITE
def test_sender_linkid_and_metadata_go_along(sending: Sending, at: StubAT) -> None:
    client = sending(at_sender_id="House").test_client()
    client.get(URLS["sms.bulk"])
    client.get(URLS["sms.bulk"] + "&senderId=Other&enqueue=1")
    client.get(URLS["sms.premium"] + "&linkId=L1&keyword=NEWS")
    client.get(URLS["payments.checkout"] + "&metadata=" + quote('{"order":"1042"}'))
    client.post(
        "/api/payments/invoke-mobile-checkout",
        json={"phone": PHONE, "amount": 10.5, "currency": "KES", "productName": "d", "metadata": {"a": "b"}},
    )
    assert [seen.fields.get("from") for seen in at.calls("sms.bulk")] == ["House", "Other", "12345"]
    assert at.seen[1].fields["enqueue"] == "1"
    assert (at.seen[2].fields["linkId"], at.seen[2].fields["keyword"], at.seen[2].fields["bulkSMSMode"]) == ("L1", "NEWS", "0")
    assert at.seen[3].fields["metadata"] == {"order": "1042"}
    assert (at.seen[4].fields["amount"], at.seen[4].fields["metadata"]) == (10.5, {"a": "b"})


def test_several_recipients_are_told_one_by_one(sending: Sending, at: StubAT, stored: Stored) -> None:
    refused = {"cost": "0", "messageId": "None", "number": "+254711000002", "status": "UserInBlacklist", "statusCode": 406}

    def change(answer: dict[str, Any]) -> dict[str, Any]:
        recipients = answer["SMSMessageData"]["Recipients"]
        # In another order than asked for, as may be.
        answer["SMSMessageData"]["Recipients"] = [refused, *[one for one in reversed(recipients) if one["number"] != refused["number"]]]
        return answer

    at.change = change
    answer = (
        sending().test_client().get("/api/sms/invoke-bulk-sms?phone=254711000000,%2B254711000001, 254711000002,254711000003&message=Hi")
    )
    told = answer.get_json()
    assert (answer.status_code, told["message"]) == (200, "SMS sent to 3 of 4 recipients")
    assert [(one["phone"][-2:], one["state"]) for one in told["invocation"]["recipients"]] == [
        ("00", "accepted"), ("01", "accepted"), ("02", "refused"), ("03", "accepted")]  # fmt: skip
    blocked = told["invocation"]["recipients"][2]
    assert (blocked["status"], blocked["cost"]) == ("UserInBlacklist", None)
    assert "blocked" in blocked["reason"]
    assert stored(Recipient)[2].provider_id is None
    assert told["invocation"]["recipients"][0]["cost"] == "KES 0.8000"


@ONLY_SQLITE
def test_one_that_the_answer_does_not_name_is_unknown(sending: Sending, at: StubAT) -> None:
    def lose(answer: dict[str, Any]) -> dict[str, Any]:
        answer["SMSMessageData"]["Recipients"] = answer["SMSMessageData"]["Recipients"][:1]
        return answer

    at.change = lose
    answer = sending().test_client().get("/api/sms/invoke-bulk-sms?phone=254711000000,254711000001,254711000002&message=Hi")
    assert answer.status_code == 202
    assert [one["state"] for one in answer.get_json()["invocation"]["recipients"]] == ["accepted", "unknown", "unknown"]


def sms_code(code: Any, status: str = "Success") -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(answer: dict[str, Any]) -> dict[str, Any]:
        answer["SMSMessageData"]["Recipients"][0] |= {"statusCode": code, "status": status}
        return answer

    return change


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("code", "state"),
    [(100, "accepted"), (101, "accepted"), (102, "accepted"), ("101", "accepted"), (401, "refused"), (402, "refused"), (403, "refused"),
        (404, "refused"), (405, "refused"), (406, "refused"), (407, "refused"), (409, "refused"), (500, "unknown"), (501, "unknown"),
        (502, "refused"), (408, "unknown"), (777, "unknown")],
)  # fmt: skip
def test_every_code_of_a_recipient_ends_in_its_state(sending: Sending, at: StubAT, code: Any, state: str) -> None:
    at.change = sms_code(code)
    answer = sending().test_client().get(URLS["sms.bulk"])
    assert answer.status_code == {"accepted": 200, "refused": 502, "unknown": 202}[state]
    told = answer.get_json()["invocation"]
    assert (told["state"], told["recipients"][0]["state"]) == (state, state)
    assert told["recipients"][0]["reason"]
    assert told["recipients"][0]["advice"]


IN_BODY = {
    "sms.bulk": ({"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}, "AT_SENDER_ID"),
    "sms.premium": ({"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}, "AT_SENDER_ID"),
    "voice.call": ({"entries": [], "errorMessage": "Insufficient balance"}, "Top up"),
    "airtime.send": ({"errorMessage": "None", "numSent": 0, "responses": [{"amount": "KES 10.0000", "discount": "0", "errorMessage": "Insufficient Credit",
        "phoneNumber": PHONE, "requestId": "None", "status": "Failed"}], "totalAmount": "0", "totalDiscount": "0"}, "Top up"),
    "sim_swap.check": ({"responses": [{"phoneNumber": {"carrierName": "", "countryCode": 254, "number": PHONE, "numberType": "FixedLineOrMobile"},
        "status": "UnsupportedPhoneNumber"}], "status": "Processed", "transactionId": "t"}, "Check another way"),
    "payments.checkout": ({"status": "InvalidRequest", "description": "No such product"}, "No such product"),
}  # fmt: skip


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_within_a_2xx_is_a_refusal(sending: Sending, at: StubAT, stored: Stored, kind: str) -> None:
    body, said = IN_BODY[kind]
    at.change = lambda _answer: body
    answer = sending().test_client().get(URLS[kind])
    assert answer.status_code == 502
    assert said in answer.get_json()["error"]
    assert answer.get_json()["response"] == body
    assert [(row.state, row.provider_id) for row in stored(Recipient)] == [("refused", None)]


@ONLY_SQLITE
@pytest.mark.parametrize("kind", ["voice.call", "airtime.send"])
def test_a_whole_refusal_says_why(sending: Sending, at: StubAT, kind: str) -> None:
    at.change = lambda _answer: {"errorMessage": "A duplicate request was received", "responses": [], "entries": [], "numSent": 0}
    answer = sending().test_client().get(URLS[kind])
    assert (answer.status_code, "A duplicate request was received" in answer.get_json()["error"]) == (502, True)


# What goes wrong on the way

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


# What is asked


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phone", [None, "", "%20", "%09"], ids=["missing", "empty", "blank", "tab"])
def test_without_a_phone_the_answer_is_exact(sending: Sending, at: StubAT, kind: str, phone: str | None) -> None:
    path, _, rest = URLS[kind].partition("?")
    rest = "&".join(part for part in rest.split("&") if not part.startswith("phone"))
    answer = sending().test_client().get(f"{path}?{rest}" + ("" if phone is None else f"&phone={phone}"))
    assert (answer.status_code, answer.text) == (400, '{"error": "Missing \'phone\' query parameter"}')
    assert at.seen == []


@ONLY_SQLITE
@pytest.mark.parametrize("phone", ["254711000000", "+254711000000", "%2B254711000000"])
def test_a_phone_in_every_spelling(sending: Sending, at: StubAT, phone: str) -> None:
    answer = sending().test_client().get(f"/api/sms/invoke-bulk-sms?phone={phone}&message=x")
    assert (answer.get_json()["message"], at.seen[0].fields["to"]) == (f"SMS sent to {PHONE}", PHONE)


@ONLY_SQLITE
def test_a_national_number_needs_a_country(sending: Sending, at: StubAT) -> None:
    assert sending().test_client().get("/api/voice/invoke-call?phone=0711000000").status_code == 400
    assert sending(default_country="KE").test_client().get("/api/voice/invoke-call?phone=0711000000").status_code == 200
    assert at.seen[0].fields["to"] == PHONE


WRONG = {
    "phone": ["+254711XXXYYY", "07110", "254711000000%0A", "%2B254711000000%0A", "+254711000000%00", "%D9%A2%D9%A5%D9%A4%D9%A7%D9%A1%D9%A1%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0",
        "%EF%BC%92%EF%BC%95%EF%BC%94711000000", "1e9", "254_711_000000", "+1234", "%2B0000000", "25471100000000000000", "254-711-000000", "254711000000;1",
        "tel:254711000000", "254711000000x5", "%2B%2B254711000000", ",", "254711000000,", "+", "null", "254711000000%20", "%20%20254711000000"],
    "amount": ["0", "0.00", "-5", "-0.5", "nan", "inf", "1e9", "1E2", "1_000", "1,000", "10%0A", "%2010", "10%20", "0x10", "10.555", "10.", ".5", "12345678", "%D9%A1%D9%A0", "KES10", "", "+10", "1/2"],
    "currency": ["", "KE", "KESS", "kes", "K3S", "%0A%0A%0A", "ZZZ", "XXX", "KES%0A", "%EF%BC%ABES"],
}  # fmt: skip


@ONLY_SQLITE
def test_what_only_looks_right_is_refused_and_nothing_is_sent(sending: Sending, at: StubAT, stored: Stored) -> None:
    client = sending().test_client()
    for name, values in WRONG.items():
        for kind in KINDS if name == "phone" else ("airtime.send", "payments.checkout"):
            for value in values:
                url = re.sub(rf"{name}=[^&]*", lambda _found: f"{name}={value}", URLS[kind])  # noqa: B023
                answer = client.get(url)
                error = answer.get_json()["error"]
                assert answer.status_code == 400, (kind, name, value)
                assert f"'{name}'" in error, (kind, name, value, error)
                if name == "amount":
                    is_low = value in ("0", "0.00", "-5", "-0.5")
                    assert error == f"'amount' must be a {'positive' if is_low else 'valid'} number", value
                if name == "phone":
                    assert "254711000000" not in error.replace("for example 254711000000", ""), error
    assert (at.seen, stored(Invocation)) == ([], [])


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("query", "said"),
    [("message=", "'message' must not be empty"), ("message=%20%0A", "'message' must not be empty"), ("message=a%00b", "control characters"),
        ("message=a%09b", "control characters"), ("message=a%1Bb", "control characters"), ("message=%FF", "UTF-8"),
        ("message=x&idempotencyKey=short", "8 to 100 printable"), ("message=x&idempotencyKey=" + "k" * 101, "8 to 100 printable"),
        ("message=x&idempotencyKey=keykeyk%C3%A9", "8 to 100 printable"), ("message=x&preview=maybe", "'preview' must be 1 or 0"),
        ("message=x&senderId=%0A", "'senderId'"), ("message=x&reference=a%0Ab", "'reference'"), ("message=x&message=y", "'message' was given twice"),
        ("message=x&token=a&token=b&message=z", "'message' was given twice"), ("message=x&again=", "'again' must be 1 or 0")],
)  # fmt: skip
def test_other_parameters_are_told_what_would_be_right(sending: Sending, at: StubAT, query: str, said: str) -> None:
    answer = sending().test_client().get(f"/api/sms/invoke-bulk-sms?phone=254711000000&{query}")
    assert (answer.status_code, said in answer.get_json()["error"]) == (400, True)
    assert at.seen == []


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("body", "said"),
    [('{"phone": "254711000000", "phone": "254711000001"}', "'phone' was given twice"), ("[1]", "one object"), ("{", "neither a form nor JSON"),
        ('{"phone": {"a": 1}}', "'phone' must be text"), ('{"phone": 254711000000.5}', "not a phone number"), ('{"phone": 1e11}', "not a phone number")],
)  # fmt: skip
def test_json_bodies_are_read_strictly(sending: Sending, at: StubAT, body: str, said: str) -> None:
    answer = sending().test_client().post("/api/voice/invoke-call", data=body, content_type="application/json")
    assert (answer.status_code, said in answer.get_json()["error"]) == (400, True)
    assert at.seen == []


@ONLY_SQLITE
def test_a_parameter_in_query_and_body_is_given_twice(sending: Sending, at: StubAT) -> None:
    answer = sending().test_client().post("/api/voice/invoke-call?phone=254711000000", data={"phone": "254711000001"})
    assert (answer.status_code, at.seen) == (400, [])


@ONLY_SQLITE
def test_only_messages_and_calls_take_several_numbers(sending: Sending, at: StubAT) -> None:
    client = sending().test_client()
    for kind in ("airtime.send", "sim_swap.check", "payments.checkout"):
        answer = client.get(URLS[kind].replace("254711000000", "254711000000,254711000001"))
        assert (answer.status_code, "at most" in answer.get_json()["error"]) == (400, True)
    assert at.seen == []
    assert (
        client.get(URLS["voice.call"].replace("254711000000", "254711000000,254711000001,+254711000000")).get_json()["message"]
        == "Call initiated to 2 of 2 recipients"
    )


@ONLY_SQLITE
def test_newlines_may_stand_in_a_message(sending: Sending, at: StubAT) -> None:
    sending().test_client().post("/api/sms/invoke-bulk-sms", data={"phone": PHONE, "message": "One\r\nTwo\nThrée 👍"})
    assert at.seen[0].fields["message"] == "One\nTwo\nThrée 👍"


# What is missing


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("kind", "setting"), [*((kind, "at_api_key") for kind in KINDS), ("sms.premium", "at_shortcode"), ("voice.call", "at_voice_number")]
)
def test_a_missing_setting_is_named(sending: Sending, at: StubAT, kind: str, setting: str) -> None:
    answer = live(sending, at, **{setting: ""}).test_client().get(URLS[kind], headers=TOKEN)
    assert (answer.status_code, setting.upper() in answer.get_json()["error"]) == (503, True)
    assert at.seen == []


@ONLY_SQLITE
def test_the_sandbox_has_no_voice(make_app: Callable[..., Flask], sending: Sending, at: StubAT, stored: Stored) -> None:
    sandbox = {"at_mode": "sandbox", "at_username": "sandbox", "at_api_key": "k", "at_voice_number": "+254711082000"}
    answer = make_app(**sandbox).test_client().get(URLS["voice.call"])
    assert (answer.status_code, answer.get_json()["error"]) == (
        409, "The sandbox has no voice. Use the emulator (AT_MODE=emulator) or a live voice number.")  # fmt: skip
    assert stored(Invocation) == []
    assert sending(**sandbox, at_base_url=at.url).test_client().get(URLS["voice.call"]).status_code == 200


# Who opted out


def test_people_who_opted_out_are_skipped(sending: Sending, at: StubAT, stored: Stored) -> None:
    client = sending().test_client()
    post(client, "sms.opt_out", {"senderId": "MyBrand", "phoneNumber": "+254711000001"})
    post(client, "sms.opt_out", {"senderId": "MyBrand", "phoneNumber": "254711000002"})
    url = "/api/sms/invoke-bulk-sms?phone=254711000000,254711000001,254711000002&message=x"
    told = client.get(url).get_json()
    assert told["message"] == "SMS sent to 1 of 3 recipients"
    assert [one["state"] for one in told["invocation"]["recipients"]] == ["accepted", "skipped", "skipped"]
    assert at.seen[0].fields["to"] == PHONE
    for kind in ("sms.bulk", "sms.premium"):
        nobody = client.get(URLS[kind].replace("254711000000", "254711000001"))
        assert (nobody.status_code, "opted out" in nobody.get_json()["error"]) == (409, True)
        assert nobody.get_json()["recipients"] == [{"phone": "+254711000001", "state": "skipped", "status": "OptedOut"}]
    assert len(at.seen) == 1
    assert client.get(url + "&force=1").get_json()["message"] == "SMS sent to 3 of 3 recipients"
    assert client.get(URLS["voice.call"].replace("254711000000", "254711000001")).status_code == 200
    assert [row.state for row in stored(Invocation)] == ["accepted"] * 3


# Preview


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
def test_a_preview_sends_nothing(sending: Sending, at: StubAT, stored: Stored, kind: str) -> None:
    answer = sending().test_client().get(URLS[kind] + "&preview=1")
    assert (answer.status_code, answer.get_json()["preview"]["recipients"]) == (200, [PHONE])
    assert (at.seen, stored(Invocation)) == ([], [])


def test_a_preview_estimates_from_what_such_orders_cost(sending: Sending, at: StubAT) -> None:
    client = sending().test_client()
    url = "/api/sms/invoke-bulk-sms?phone=254711000001,254711000002&preview=1&message="
    assert client.get(url + "x").get_json()["preview"]["estimated_cost"] is None
    client.get(URLS["sms.bulk"])
    told = client.get(url + "x" * 200).get_json()["preview"]
    assert (told["parts"], told["encoding"], told["characters"]) == (2, "GSM-7", 200)
    assert told["estimated_cost"] == {"KES": "3.2000"}
    odd = client.get(url + quote("Jambo 👍")).get_json()["preview"]
    assert (odd["parts"], odd["encoding"], odd["unusual"]) == (1, "UCS-2", "👍")
    assert client.get("/api/sms/invoke-bulk-sms?phone=256700000001&message=x&preview=1").get_json()["preview"]["estimated_cost"] is None


# Doors


@ONLY_SQLITE
def test_programs_that_open_addresses_are_refused(sending: Sending, at: StubAT, stored: Stored) -> None:
    client = sending().test_client()
    refused = [
        {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Purpose": "preview"}, {"X-Moz": "prefetch"},
        {"Sec-Fetch-Dest": "image"}, {"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Dest": "script"}, {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"}, {"Origin": "null"},
        *({"User-Agent": agent} for agent in (
            "facebookexternalhit/1.1", "WhatsApp/2.23.20.0", "Slackbot-LinkExpanding 1.0", "TelegramBot (like TwitterBot)", "Twitterbot/1.0",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", "LinkedInBot/1.0", "Mozilla/5.0 (compatible; Googlebot/2.1)",
            "Mozilla/5.0 (compatible; bingbot/2.0)", "SkypeUriPreview Preview/0.5", "Applebot/0.1", "Mozilla/5.0 (compatible; YandexBot/3.0)")),
    ]  # fmt: skip
    for kind in KINDS:
        for headers in refused:
            for method in ("GET", "POST"):
                answer = client.open(URLS[kind], method=method, headers=headers)
                assert (answer.status_code, "nothing was sent" in answer.get_json()["error"]) == (403, True), headers
                assert answer.headers["Cache-Control"] == "no-store"
        head = client.head(URLS[kind])
        assert (head.status_code, head.headers["Allow"]) == (405, "GET, POST")
        assert client.options(URLS[kind]).status_code == 405
    assert (at.seen, stored(Invocation)) == ([], [])


@ONLY_SQLITE
@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}, {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"},
        {"User-Agent": "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36"}, {"User-Agent": "curl/8.0"}],
    ids=["address bar", "own page", "own form", "a phone called Cubot", "curl"],
)  # fmt: skip
def test_people_are_let_in(sending: Sending, headers: dict[str, str]) -> None:
    assert sending().test_client().get(URLS["sms.bulk"], headers=headers).status_code == 200


@ONLY_SQLITE
def test_live_needs_the_token(sending: Sending, at: StubAT, stored: Stored) -> None:
    client = live(sending, at).test_client()
    abuses: list[dict[str, Any]] = [
        {}, {"query": "&token="}, {"query": "&token=wrong"}, {"query": "&token=" + "i" * 31}, {"query": "&token=" + "I" * 32}, {"query": "&Token=" + "i" * 32},
        {"query": "&token=wrong&token=" + "i" * 32}, {"query": "&token=" + "i" * 32 + "&token=" + "i" * 32}, {"query": "&token=" + "c" * 24},
        {"headers": {"Authorization": "Bearer wrong"}}, {"headers": {"Authorization": "bearer " + "i" * 32}}, {"headers": {"Authorization": "Basic " + "i" * 32}},
        {"headers": {"X-Token": "i" * 32}}, {"headers": {"Cookie": "token=" + "i" * 32}}, {"headers": {"apiKey": LIVE["at_api_key"]}},
        {"headers": {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"}}, {"headers": {"X-Original-URL": "/healthz"}}, {"query": "&token=%00"}, {"query": "&token=%FF"},
        {"headers": {**TOKEN, "Sec-Purpose": "prefetch"}}, {"headers": {**TOKEN, "Sec-Fetch-Site": "cross-site"}}, {"headers": {**TOKEN, "User-Agent": "WhatsApp/2"}},
        {"data": {"token": "i" * 32}},
    ]  # fmt: skip
    for kind in KINDS:
        for abuse in abuses:
            for method in ("GET", "POST", "HEAD", "PUT", "DELETE"):
                answer = client.open(
                    URLS[kind] + abuse.get("query", ""), method=method, headers=abuse.get("headers"), data=abuse.get("data")
                )
                assert answer.status_code in (400, 403, 405), (kind, abuse, method)
    assert (at.seen, stored(Invocation)) == ([], [])
    for kind in KINDS:
        assert client.get(URLS[kind] + "&token=" + "i" * 32).status_code == 200
        assert client.get(URLS[kind] + "&again=1", headers=TOKEN).status_code == 200
    assert len(at.seen) == 12


@ONLY_SQLITE
def test_live_without_a_token_set_says_how(sending: Sending, at: StubAT) -> None:
    answer = live(sending, at, invoke_token="").test_client().get(URLS["sms.bulk"] + "&token=")
    assert (answer.status_code, "INVOKE_TOKEN" in answer.get_json()["error"]) == (403, True)
    assert "LIVE" in answer.get_json()["error"]


@ONLY_SQLITE
def test_guessing_the_token_is_slow(sending: Sending, at: StubAT) -> None:
    client = live(sending, at, ratelimit_enabled=True).test_client()
    statuses = [
        client.get(f"{URLS['sms.bulk']}&token=guess-{n}", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(15)
    ]
    assert statuses == [403] * 10 + [429] * 5
    assert at.seen == []


@ONLY_SQLITE
def test_a_forged_address_does_not_escape_the_limit(sending: Sending, at: StubAT) -> None:
    client = sending(ratelimit_enabled=True).test_client()
    answers = [client.get(URLS["sim_swap.check"], headers={"X-Forwarded-For": f"41.90.0.{n}"}) for n in range(40)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 10
    assert int(answers[-1].headers["Retry-After"]) <= 60
    assert len(at.seen) == 30


@ONLY_SQLITE
def test_whoever_sits_at_this_machine_may_be_quicker(sending: Sending, at: StubAT) -> None:
    client = sending(ratelimit_enabled=True).test_client()
    statuses = [client.get(URLS["sim_swap.check"] + "&preview=1").status_code for n in range(125)]
    assert statuses == [200] * 120 + [429] * 5


# Once


def test_the_same_key_is_answered_alike(sending: Sending, at: StubAT, stored: Stored) -> None:
    client = sending().test_client()
    url = URLS["airtime.send"] + "&idempotencyKey=order-1042"
    first, again = client.get(url), client.get(url.replace("amount=10", "amount=10.00"))
    assert (again.status_code, again.get_json()["repeated"]) == (200, True)
    assert {**again.get_json(), "repeated": None, "advice": None} == {**first.get_json(), "repeated": None, "advice": None}
    assert "not sent twice" in again.get_json()["advice"]
    assert [seen.headers["Idempotency-Key"] for seen in at.calls()] == ["order-1042"]
    other = client.get(url.replace("amount=10", "amount=11"))
    assert (other.status_code, "belongs to another order" in other.get_json()["error"]) == (409, True)
    assert client.get(URLS["sim_swap.check"] + "&idempotencyKey=order-1042").status_code == 200
    assert len(stored(Invocation)) == 2


def test_eight_at_once_with_one_key_are_one_call(sending: Sending, at: StubAT, stored: Stored) -> None:
    app, at.delay_s = sending(at_timeout_s=5.0), 0.3
    url = URLS["airtime.send"] + "&idempotencyKey=order-1042"
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: app.test_client().get(url), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert {answer.headers.get("Retry-After") for answer in answers if answer.status_code == 409} == {"2"}
    assert (len(at.calls()), len(stored(Invocation))) == (1, 1)


def test_live_a_double_click_is_one_call(sending: Sending, at: StubAT, stored: Stored) -> None:
    app, at.delay_s = live(sending, at, at_timeout_s=5.0), 0.2
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: app.test_client().get(URLS["sms.bulk"], headers=TOKEN), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    client = app.test_client()
    repeated = client.get(URLS["sms.bulk"], headers=TOKEN)
    assert (repeated.status_code, repeated.get_json()["repeated"], len(at.calls())) == (200, True, 1)
    assert client.get(URLS["sms.bulk"] + "&again=1", headers=TOKEN).get_json().get("repeated") is None
    assert client.get(URLS["sms.bulk"] + "&idempotencyKey=meant-it", headers=TOKEN).get_json().get("repeated") is None
    assert client.get(URLS["sms.bulk"] + "&reference=another", headers=TOKEN).get_json().get("repeated") is None
    assert (len(at.calls()), len(stored(Invocation))) == (4, 4)


@ONLY_SQLITE
def test_after_30_seconds_it_is_another_order(sending: Sending, at: StubAT) -> None:
    import time_machine

    client = live(sending, at).test_client()
    with time_machine.travel(datetime(2026, 3, 4, 10, 0, tzinfo=UTC), tick=True) as clock:
        client.get(URLS["sms.bulk"], headers=TOKEN)
        clock.shift(25)
        assert client.get(URLS["sms.bulk"], headers=TOKEN).get_json()["repeated"] is True
        clock.shift(10)
        assert "repeated" not in client.get(URLS["sms.bulk"], headers=TOKEN).get_json()
    assert len(at.calls()) == 2


@ONLY_SQLITE
def test_outside_live_the_same_order_is_sent_again(sending: Sending, at: StubAT) -> None:
    client = sending().test_client()
    client.get(URLS["sms.bulk"])
    client.get(URLS["sms.bulk"])
    assert len(at.calls()) == 2


def test_what_was_refused_is_tried_again_on_the_same_row(sending: Sending, at: StubAT, stored: Stored) -> None:
    client = sending().test_client()
    url = URLS["airtime.send"] + "&idempotencyKey=order-1042"
    at.change = lambda _answer: IN_BODY["airtime.send"][0]
    first = client.get(url)
    at.change = None
    second = client.get(url)
    assert (first.status_code, second.status_code) == (502, 200)
    assert first.get_json()["invocation"]["id"] == second.get_json()["invocation"]["id"]
    (row,) = stored(Invocation)
    assert (row.state, row.attempts, row.problem) == ("accepted", 2, None)
    assert [recipient.state for recipient in stored(Recipient)] == ["accepted"]


def test_pending_becomes_unknown_by_age_and_is_never_sent_again(sending: Sending, at: StubAT, stored: Stored, database_url: str) -> None:
    from sqlalchemy import create_engine, update

    client = sending().test_client()
    url = URLS["airtime.send"] + "&idempotencyKey=order-1042"
    client.get(url)
    engine = create_engine(database_url)

    def pending_since(moment: datetime) -> None:
        """As a process that was killed between row and answer leaves it."""
        with engine.begin() as connection:
            connection.execute(update(Invocation).values(state="pending", called_at=moment, answer=None, ms=None))
            connection.execute(update(Recipient).values(state="pending", provider_id=None))

    pending_since(datetime.now(UTC) - timedelta(seconds=30))
    assert client.get(url).status_code == 409
    pending_since(datetime.now(UTC) - timedelta(seconds=61))
    answer = client.get(url)
    assert (answer.status_code, answer.get_json()["repeated"]) == (202, True)
    assert [row.state for row in stored(Invocation)] == [row.state for row in stored(Recipient)] == ["unknown"]
    assert len(at.calls()) == 1
    engine.dispose()


# Caps


@pytest.mark.parametrize(
    ("caps", "accepted"),
    [
        ({"spend_cap_daily": 100}, 10),
        ({"spend_cap_number": 55}, 5),
        ({"sends_per_day": 7}, 7),
        ({"spend_cap_order": 9}, 0),
        ({"spend_cap_order": 10}, 20),
    ],
    ids=["daily", "number", "sends", "order below", "order"],
)
def test_orders_at_once_never_pass_a_cap(sending: Sending, at: StubAT, stored: Stored, caps: dict[str, Any], accepted: int) -> None:
    from decimal import Decimal

    app = sending(at_timeout_s=10.0, **{name: value if name == "sends_per_day" else Decimal(value) for name, value in caps.items()})
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda n: app.test_client().get(URLS["airtime.send"] + f"&reference={n}"), range(20)))
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] * accepted + [429] * (20 - accepted)
    assert len(at.calls()) == accepted == len(stored(Invocation))
    for answer in answers:
        if answer.status_code == 429:
            assert next(iter(caps)).upper() in answer.get_json()["error"]
            assert int(answer.headers["Retry-After"]) >= 1


@ONLY_SQLITE
def test_what_counts_against_a_cap(sending: Sending, at: StubAT) -> None:
    from decimal import Decimal

    import time_machine

    client = sending(spend_cap_daily=Decimal(25), sends_per_day=5).test_client()
    with time_machine.travel(datetime(2026, 3, 4, 10, 0, tzinfo=UTC), tick=True) as clock:
        at.fault = stub_at.status(400)
        assert client.get(URLS["airtime.send"]).status_code == 502  # refused: costs nothing
        at.fault = stub_at.reset
        assert client.get(URLS["airtime.send"]).status_code == 202  # unknown: may have cost
        at.fault = None
        assert client.get(URLS["payments.checkout"]).status_code == 200
        assert client.get(URLS["payments.checkout"]).status_code == 429
        assert client.get(URLS["sms.bulk"].replace("254711000000", "254711000001,254711000002,254711000003")).status_code == 200
        assert client.get(URLS["sms.bulk"]).status_code == 429
        clock.shift(timedelta(hours=14, minutes=1))
        assert client.get(URLS["payments.checkout"]).status_code == 200
    other = client.get(URLS["airtime.send"].replace("KES", "UGX"))
    assert (other.status_code, "SPEND_CURRENCY" in other.get_json()["error"]) == (400, True)


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
def test_the_kill_switch_stops_every_order(sending: Sending, at: StubAT, stored: Stored, kind: str) -> None:
    client = sending(spend_enabled=False).test_client()
    answer = client.get(URLS[kind])
    assert (answer.status_code, "SPEND_ENABLED" in answer.get_json()["error"]) == (503, True)
    assert (at.seen, stored(Invocation)) == ([], [])
    assert post(client, "sms.delivery_report").status_code == 200


# The database


@ONLY_SQLITE
def test_without_a_row_there_is_no_call(sending: Sending, at: StubAT, tmp_path: Any) -> None:
    answer = sending(database_url=f"sqlite:///{tmp_path}/never-migrated.db").test_client().get(URLS["airtime.send"])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert at.seen == []


@ONLY_SQLITE
def test_a_database_lost_during_the_call_leaves_it_unknown(sending: Sending, at: StubAT, stored: Stored) -> None:
    import sqlite3

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
def test_log_lines_name_no_number_and_no_secret(
    sending: Sending, at: StubAT, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    client: FlaskClient = live(sending, at, log_format="json").test_client()
    capsys.readouterr()
    for kind in KINDS:
        client.get(URLS[kind] + "&token=" + "i" * 32)
        client.get(URLS[kind] + "&token=wrong-token-value")
    lines = capsys.readouterr().err
    for secret in ("254711000000", "i" * 32, "wrong-token-value", LIVE["at_api_key"]):
        assert secret not in lines
    told = [json.loads(line) for line in lines.splitlines() if '"outcome"' in line]
    assert [(line["kind"], line["outcome"]) for line in told] == [(kind, "accepted") for kind in KINDS]
    assert all(line["id"].startswith("inv_") and line["ms"] >= 0 for line in told)
