"""The six invoke addresses: what they answer, and what reaches Africa's Talking."""

import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import Invocation, Recipient
from app.schemas.invokes import INVOKES
from tests.invoking import IN_BODY, KINDS, LIVE, ONLY_SQLITE, PHONE, TOKEN, URLS, Sending, Stored, live
from tests.routes.test_guide_lines import LINES
from tests.samples import post
from tests.stub_at import StubAT


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
