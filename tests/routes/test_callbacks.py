"""All fourteen kinds alike: kept, known again, told apart, refused; at every address."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app.models import Callback
from app.schemas.callbacks import KINDS
from services.slots import index_key
from tests.invoking import ONLY_SQLITE
from tests.samples import FORM, JSON, PATHS, Line, corpus, encoded, post

Stored = Callable[[type], list[Any]]
# What each kind answers to its sample, and to a body with nothing in it.
ANSWERS = {
    "sms.delivery_report": ("OK", 200, "BAD", 400),
    "sms.incoming_message": ("GOOD", 200, "BAD", 400),
    "sms.opt_out": ("OK", 200, "BAD", 400),
    "sms.subscription": ("OK", 200, "BAD", 400),
    "voice.instructions": ("<Response><Say>Welcome to the service. This is a demo voice application. Goodbye.</Say></Response>", 200, "<Say>Sorry", 200),
    "voice.event": ("OK", 200, "OK", 200),
    "voice.recording": ('{"status":"webhook_processed","session_id":"ATVoice_a1b2c3d4e5f6"}', 200, '{"status":"webhook_error"', 400),
    "airtime.validation": ('{"status":"Validated"}', 200, '{"status":"Failed"}', 200),
    "airtime.status": ("OK", 200, "BAD", 400),
    "sim_swap.status": ("OK", 200, "BAD", 400),
    "ussd.session": ("CON What would you want to check \n1. My Account \n2. My phone number", 200, "END Sorry", 200),
    "ussd.session_end": ("OK", 200, "BAD", 400),
    "payments.notification": ("OK", 200, "BAD", 400),
    "payments.validation": ('{"status":"Validated"}', 200, '{"status":"Failed"}', 200),
}  # fmt: skip
KIND_NAMES = list(KINDS)
REQUIRED = [
    (kind, field.data_key or name)
    for kind, row in KINDS.items()
    for name, field in row.schema.fields.items()
    if field.required
]  # fmt: skip
IDENTIFYING = [(kind, name) for kind, row in KINDS.items() for name in row.identity]
# A field of each kind that identifies nothing.
OTHER = {
    "sms.delivery_report": "networkCode", "sms.incoming_message": "text", "voice.event": "durationInSeconds", "voice.recording": "duration",
    "airtime.validation": "amount", "airtime.status": "value", "sim_swap.status": "lastSimSwapDate", "ussd.session": "networkCode",
    "ussd.session_end": "hopsCount", "payments.notification": "description", "payments.validation": "amount",
}  # fmt: skip


def test_every_kind_is_in_the_tables() -> None:
    assert len(KIND_NAMES) == 14
    assert set(ANSWERS) == set(PATHS) == set(KIND_NAMES)
    assert set(OTHER) == {kind for kind, row in KINDS.items() if row.identity}


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_callback_is_kept_whole_and_answered(client: FlaskClient, stored: Stored, kind: str) -> None:
    answer = post(client, kind, headers={"User-Agent": "at", "Authorization": "Basic geheim"})
    body, status, _, _ = ANSWERS[kind]
    assert (answer.text.endswith(body), answer.status_code) == (True, status)
    assert answer.mimetype == ("application/json" if body.startswith("{") else "text/plain")
    [row] = stored(Callback)
    raw, content_type = encoded(kind, KINDS[kind].sample)
    assert (row.id, row.kind, row.state, row.repeats) == (answer.headers["X-Pokea-Id"], kind, "accepted", 0)
    assert (row.raw_body, row.content_type, row.fields) == (raw, content_type, KINDS[kind].sample)
    assert (row.answer, row.answer_status, row.source, row.path) == (answer.text, status, "127.0.0.1", PATHS[kind])
    assert row.headers["User-Agent"] == "at"
    assert "geheim" not in json.dumps(row.headers)
    assert (row.errors, row.flags, row.checks) == (None, None, {})
    assert row.ms >= 0


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_nothing_is_refused_in_its_own_way_and_kept(client: FlaskClient, stored: Stored, kind: str) -> None:
    answer = client.post(PATHS[kind], data=b"", content_type=FORM)
    _, _, body, status = ANSWERS[kind]
    assert (body in answer.text, answer.status_code) == (True, status)
    [row] = stored(Callback)
    assert row.state == ("accepted" if kind == "voice.event" else "refused")
    assert (row.errors is None) == (kind == "voice.event")


@pytest.mark.parametrize(("kind", "name"), REQUIRED, ids=[f"{kind}-{name}" for kind, name in REQUIRED])
@pytest.mark.parametrize("value", [None, "", "  "], ids=["absent", "empty", "blank"])
@ONLY_SQLITE
def test_what_is_required_is_present_and_not_blank(client: FlaskClient, stored: Stored, kind: str, name: str, value: str | None) -> None:
    fields = {key: entry for key, entry in KINDS[kind].sample.items() if key != name} | ({} if value is None else {name: value})
    answer = post(client, kind, fields)
    [row] = stored(Callback)
    if (kind, name) == ("sms.incoming_message", "text") and value is not None:
        assert (answer.text, row.state) == ("GOOD", "accepted")
        return
    assert (answer.text.count(ANSWERS[kind][2]), answer.status_code) == (1, ANSWERS[kind][3])
    assert (row.state, list(row.errors)) == ("refused", [name])


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize(("raw", "content_type"), [(b"[1,2]", JSON), (b'{"a":', JSON), (b"null", JSON), (b"\xff\xfe\x00", FORM), (b'{"a":' * 60 + b"1" + b"}" * 60, JSON)], ids=["list", "half", "null", "bytes", "deep"])  # fmt: skip
@ONLY_SQLITE
def test_rubbish_is_kept_raw_and_refused(client: FlaskClient, stored: Stored, kind: str, raw: bytes, content_type: str) -> None:
    answer = client.post(PATHS[kind], data=raw, content_type=content_type)
    assert answer.status_code < 500
    [row] = stored(Callback)
    assert row.raw_body == raw
    if row.kind != "voice.event":
        assert (ANSWERS[kind][2] in answer.text, row.state) == (True, "refused")


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_repeat_is_counted_and_answered_alike(client: FlaskClient, stored: Stored, kind: str) -> None:
    first = post(client, kind)
    others = [post(client, kind) for _ in range(3)]
    rows = stored(Callback)
    assert {answer.text for answer in others} == {first.text}
    if KINDS[kind].is_each_new:
        assert [row.repeats for row in rows] == [0, 0, 0, 0]
        return
    [row] = rows
    assert (row.repeats, row.repeated_from) == (3, "127.0.0.1")
    assert row.repeated_at > row.received_at
    assert {answer.headers["X-Pokea-Id"] for answer in others} == {row.id}


@pytest.mark.parametrize("kind", [kind for kind in KIND_NAMES if KINDS[kind].sends_json])
def test_a_form_with_the_same_text_is_the_same_kind(client: FlaskClient, stored: Stored, kind: str) -> None:
    fields = {name: value for name, value in KINDS[kind].sample.items() if isinstance(value, str)} | {"amount": "500"}
    answers = [client.post(PATHS[kind], data=fields), client.post(PATHS[kind], json=fields), client.post(PATHS[kind], query_string=fields)]
    assert {answer.text for answer in answers} == {ANSWERS[kind][0]}
    [row] = stored(Callback)
    assert row.repeats == 2


@pytest.mark.parametrize(("kind", "name"), IDENTIFYING, ids=[f"{kind}-{name}" for kind, name in IDENTIFYING])
@ONLY_SQLITE
def test_another_identifying_field_is_another_callback(client: FlaskClient, stored: Stored, kind: str, name: str) -> None:
    sample = KINDS[kind].sample
    answers = [post(client, kind, sample), post(client, kind, sample | {name: f"{sample.get(name, '')}9"})]
    rows = stored(Callback)
    assert [(row.state, row.repeats) for row in rows if row.kind == kind] == [("accepted", 0)] * 2
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(("kind", "name"), OTHER.items(), ids=list(OTHER))
def test_another_field_is_a_differing_callback(client: FlaskClient, stored: Stored, kind: str, name: str) -> None:
    sample = KINDS[kind].sample
    changed = sample | {name: "77"}
    first, second, third = post(client, kind, sample), post(client, kind, changed), post(client, kind, changed)
    rows = stored(Callback)
    assert [(row.state, row.repeats) for row in rows] == [("accepted", 0), ("differing", 1)]
    assert rows[1].differs_from == rows[0].id
    if kind.endswith(".validation"):
        assert (first.text, second.text, third.text) == ('{"status":"Validated"}', '{"status":"Failed"}', '{"status":"Failed"}')
        assert rows[1].answer == '{"status":"Failed"}'
    else:
        assert first.text == second.text == third.text


def test_the_first_is_still_a_repeat_after_one_that_differed(client: FlaskClient, stored: Stored) -> None:
    sample = KINDS["airtime.validation"].sample
    answers = [post(client, "airtime.validation", fields).text for fields in (sample, sample | {"amount": 1}, sample)]
    assert answers == ['{"status":"Validated"}', '{"status":"Failed"}', '{"status":"Validated"}']
    assert [(row.state, row.repeats) for row in stored(Callback)] == [("accepted", 1), ("differing", 0)]


def test_addition_deletion_addition_are_three(client: FlaskClient, stored: Stored) -> None:
    sample = KINDS["sms.subscription"].sample
    for update in ("addition", "deletion", "addition", "addition"):
        post(client, "sms.subscription", sample | {"updateType": update})
    assert [(row.fields["updateType"], row.repeats, row.state) for row in stored(Callback)] == [
        ("addition", 0, "accepted"), ("deletion", 0, "accepted"), ("addition", 1, "accepted"),
    ]  # fmt: skip


def test_another_number_in_between_changes_nothing(client: FlaskClient, stored: Stored) -> None:
    sample = KINDS["sms.opt_out"].sample
    for phone in ("+254711000017", "+254711000018", "+254711000017"):
        post(client, "sms.opt_out", sample | {"phoneNumber": phone})
    assert [row.repeats for row in stored(Callback)] == [1, 0]


@pytest.mark.parametrize(("kind", "fields"), [("sms.opt_out", {}), ("airtime.status", {"requestId": "None"}), ("payments.validation", {"transactionId": ""})])  # fmt: skip
def test_without_an_identity_they_are_alike_for_ten_minutes(client: FlaskClient, stored: Stored, kind: str, fields: dict[str, str]) -> None:
    sample = KINDS[kind].sample | fields
    with time_machine.travel("2026-03-04T10:00:00Z", tick=False) as clock:
        post(client, kind, sample)
        clock.shift(timedelta(minutes=9))
        post(client, kind, sample)
        clock.shift(timedelta(minutes=11))
        answer = post(client, kind, sample)
    assert [(row.repeats, row.state) for row in stored(Callback)] == [(1, "accepted"), (0, "accepted")]
    assert answer.text == ANSWERS[kind][0]


def test_with_an_identity_they_are_alike_for_good(client: FlaskClient, stored: Stored) -> None:
    with time_machine.travel("2026-03-04T10:00:00Z", tick=False) as clock:
        post(client, "sms.delivery_report")
        clock.shift(timedelta(days=3))
        post(client, "sms.delivery_report")
    assert [row.repeats for row in stored(Callback)] == [1]


def test_a_refused_one_is_known_by_its_raw_body(client: FlaskClient, stored: Stored) -> None:
    for raw in (b"id=1", b"id=1", b"id=1&phoneNumber="):
        client.post("/api/sms/delivery-reports", data=raw, content_type=FORM)
    assert [(row.state, row.repeats) for row in stored(Callback)] == [("refused", 1), ("refused", 0)]


def test_a_refused_one_takes_no_identity(client: FlaskClient, stored: Stored) -> None:
    sample = KINDS["sms.incoming_message"].sample
    post(client, "sms.incoming_message", {"id": sample["id"]})
    post(client, "sms.incoming_message", sample)
    assert [row.state for row in stored(Callback)] == ["refused", "accepted"]


@pytest.mark.parametrize(
    ("kind", "path"), [("sms.incoming_message", "/api/v1/sms/webhook"), ("payments.notification", "/api/v1/payments/webhook")]
)
def test_a_repeat_at_another_address_is_answered_in_its_own_words(client: FlaskClient, stored: Stored, kind: str, path: str) -> None:
    usual, other, again = post(client, kind), post(client, kind, path=path), post(client, kind)
    assert usual.text == again.text == ANSWERS[kind][0]
    assert other.get_json()["status"].startswith("webhook_")
    assert [row.repeats for row in stored(Callback)] == [2]


def test_ussd_is_answered_afresh_at_both_addresses(client: FlaskClient, stored: Stored) -> None:
    answers = {post(client, "ussd.session", path=path).text for path in ("/api/ussd/session", "/api/v1/ussd/", "/api/v1/ussd")}
    assert answers == {ANSWERS["ussd.session"][0]}
    assert [row.repeats for row in stored(Callback)] == [2]


@pytest.mark.parametrize("active", ["0", "false", 0, False])
def test_the_end_of_a_call_at_the_instruct_address_is_an_event(client: FlaskClient, stored: Stored, active: Any) -> None:
    answer = client.post("/api/voice/instruct", json={"sessionId": "s", "isActive": active})
    assert answer.text == '<?xml version="1.0" encoding="UTF-8"?><Response/>'
    assert answer.mimetype == "text/plain"
    [row] = stored(Callback)
    assert (row.kind, row.state) == ("voice.event", "accepted")


@pytest.mark.parametrize("line", corpus(), ids=lambda line: f"{line.kind}-{line.note[:30] or line.body[:30]}")
def test_every_line_of_the_corpus_is_one_row(client: FlaskClient, stored: Stored, line: Line) -> None:
    answer = client.post(line.path, data=line.body.encode(), content_type=line.content_type)
    [row] = stored(Callback)
    assert row.raw_body == line.body.encode()
    assert row.state == ("accepted" if line.complete else "refused")
    if not line.complete:
        assert (ANSWERS[line.kind][2] in answer.text, answer.status_code) == (True, ANSWERS[line.kind][3])
    else:
        assert answer.status_code == 200


def test_the_corpus_in_file_order_twice(client: FlaskClient, stored: Stored) -> None:
    lines = corpus()
    for line in lines:
        assert client.post(line.path, data=line.body.encode(), content_type=line.content_type).status_code < 500
    rows = stored(Callback)
    assert len(rows) == len(lines)
    assert sum(row.repeats for row in rows) == 0
    differing = [row for row in rows if row.state == "differing"]
    assert {row.reference for row in differing} <= {"SomeTransactionID", "synthetic-session-a", "ATPid_SampleTxnId123"}
    assert len([row for row in differing if row.kind == "airtime.validation"]) == 1
    for line in lines:
        client.post(line.path, data=line.body.encode(), content_type=line.content_type)
    again = stored(Callback)
    new = [row for row in again if row.id not in {row.id for row in rows}]
    assert {row.kind for row in new} <= {"voice.instructions", "payments.validation", "sms.subscription"}
    assert sum(row.repeats for row in again) + len(new) == len(lines)


def test_numbers_that_are_none_and_unknown_words_are_flagged(client: FlaskClient, stored: Stored) -> None:
    post(client, "sms.delivery_report", {"id": "1", "status": "Odd", "phoneNumber": "+254711XXXYYY", "extra": "kept"})
    [row] = stored(Callback)
    assert row.state == "accepted"
    assert sorted(row.flags) == ["phoneNumber is not a phone number", "status 'Odd' is not a value we know"]
    assert row.fields["extra"] == "kept"


def test_a_raw_plus_is_repaired_and_is_the_same_callback(client: FlaskClient, stored: Stored) -> None:
    raw = "sessionId=s&serviceCode=*384*1234#&phoneNumber=+254711000046&text=2"
    answers = [client.post("/api/ussd/session", data=body, content_type=FORM).text for body in (raw, raw.replace("=+", "=%2B"))]
    assert answers == ["END Your phone number is +254711000046"] * 2
    [row] = stored(Callback)
    assert (row.phone, row.repeats, row.raw_body) == ("+254711000046", 1, raw.encode())


def test_link_id_is_asked_for_when_a_setting_says_so(make_app: Callable[..., Flask], stored: Stored) -> None:
    client = make_app(twoway_require_link_id=True).test_client()
    sample = {name: value for name, value in KINDS["sms.incoming_message"].sample.items() if name != "linkId"}
    assert post(client, "sms.incoming_message", sample).text == "BAD"
    assert post(client, "sms.incoming_message").text == "GOOD"
    assert [row.state for row in stored(Callback)] == ["refused", "accepted"]


def test_airtime_is_not_validated_in_live_mode_when_we_sent_none(make_app: Callable[..., Flask]) -> None:
    client = make_app(at_mode="live", callback_token=("t",)).test_client()
    assert post(client, "airtime.validation", query_string={"token": "t"}).text == '{"status":"Failed"}'


@pytest.mark.parametrize("amount", ["0", "-5", "nan", "ten"])
@ONLY_SQLITE
def test_a_sum_that_is_none_is_not_validated(client: FlaskClient, amount: str) -> None:
    assert post(client, "airtime.validation", KINDS["airtime.validation"].sample | {"amount": amount}).text == '{"status":"Failed"}'


def test_something_else_of_that_kind_in_between_ends_a_repeat(client: FlaskClient, stored: Stored) -> None:
    sample = KINDS["airtime.status"].sample
    nameless = sample | {"requestId": "None", "status": "Failed"}
    for fields in (nameless, sample, nameless, nameless, sample, nameless):
        post(client, "airtime.status", fields)
    assert [(row.fields["requestId"] == "None", row.repeats) for row in stored(Callback)] == [(True, 0), (False, 1), (True, 1), (True, 0)]


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30", "tomorrow"])
@ONLY_SQLITE
def test_no_date_is_an_error(client: FlaskClient, stored: Stored, date: str) -> None:
    assert post(client, "sms.incoming_message", KINDS["sms.incoming_message"].sample | {"date": date}).text == "GOOD"
    assert stored(Callback)[0].flags == ["date is not a time"]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("ussd.session", "phone_number"),
        ("sim_swap.status", "request_id"),
        ("sms.incoming_message", "sender"),
        ("airtime.validation", "phone_number"),
        ("voice.instructions", "caller_number"),
    ],
)
@pytest.mark.parametrize("value", [{"a": 1}, [1], 7, "+254711000099"], ids=["object", "list", "number", "text"])
@ONLY_SQLITE
def test_a_field_spelled_like_a_name_of_ours_takes_no_place(client: FlaskClient, stored: Stored, kind: str, field: str, value: Any) -> None:
    fields = KINDS[kind].sample | {field: value} | ({"text": "2"} if kind == "ussd.session" else {})
    answer = client.post(PATHS[kind], data=json.dumps(fields), content_type=JSON)
    assert (answer.status_code, "000099" in answer.text) == (200, False)
    [row] = stored(Callback)
    assert (row.state, row.fields[field]) == ("accepted", value)


@pytest.mark.parametrize("kind", [kind for kind, row in KINDS.items() if row.reference])
def test_an_id_of_any_length_is_kept(client: FlaskClient, stored: Stored, kind: str) -> None:
    long = "".join(f"{n:04x}" for n in range(2000))
    name = KINDS[kind].reference[0]
    answers = [post(client, kind, KINDS[kind].sample | {name: long}) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {200}
    row = stored(Callback)[0]
    assert (row.fields[name], row.reference) == (long, index_key(long))


def test_a_type_that_says_multipart_and_is_none_is_read_by_its_shape(client: FlaskClient) -> None:
    assert (
        client.post("/api/sms/delivery-reports", data="id=m1&status=Success", content_type="multipart/form-data; boundary=x").text == "OK"
    )


def test_a_plus_is_repaired_wherever_a_number_stands(client: FlaskClient, stored: Stored) -> None:
    client.post("/api/sms/twoway", data="id=1&from=+254711000017&to=+254711082000&text=a+b&date=2026-03-04+10:30:00", content_type=FORM)
    client.post(
        "/api/voice/events", data="sessionId=s&clientDialedNumber=+254711000018&callTransferredToNumber=+254711000019", content_type=FORM
    )
    message, event = stored(Callback)
    assert (message.fields["to"], message.fields["from"], message.fields["text"]) == ("+254711082000", "+254711000017", "a b")
    assert (event.fields["clientDialedNumber"], event.fields["callTransferredToNumber"]) == ("+254711000018", "+254711000019")
