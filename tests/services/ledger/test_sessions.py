"""USSD sessions, calls and recordings, from callbacks in every order."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from app.models import Cost, Event, Recording, Session
from services import due
from services.ledger.call_events import was_answered
from tests.invoking import URLS
from tests.samples import post
from tests.services.ledger.folding import PHONE, Stored, folded, in_every_order, kept, ordered, part
from tests.stub_at import StubAT

OURS = "+254711082000"
CALL = {"sessionId": "ATVId_1", "direction": "Inbound", "callerNumber": PHONE, "destinationNumber": OURS}
OVER = {
    "isActive": "0",
    "status": "Success",
    "durationInSeconds": "42",
    "amount": "2.00",
    "currencyCode": "KES",
    "hangupCause": "NORMAL_CLEARING",
}
URL = "https://voice.africastalking.com/recordings/a.mp3"


def test_a_ussd_session_ends_alike_in_every_order(app: Flask) -> None:
    hop = {"sessionId": "ATUid_1", "phoneNumber": PHONE, "serviceCode": "*384*1234#", "networkCode": "63902"}
    end = {
        "sessionId": "ATUid_1",
        "status": "Incomplete",
        "durationInMillis": "9400",
        "cost": "KES 0.10",
        "hopsCount": "2",
        "errorMessage": "",
    }
    steps = [*(kept(app, "ussd.session", hop | {"text": text}) for text in ("", "1", "1*1")), kept(app, "ussd.session_end", end)]
    kept(app, "ussd.session", hop | {"text": "1"})
    (row, cost), told = in_every_order(app, steps, Session, Cost)
    assert part(row, "product", "phone", "own", "network_code", "state", "status", "steps", "duration_s", "cost", "currency") == (
        "ussd", PHONE, "*384*1234#", "63902", "ended", "Incomplete", 3, 9, Decimal("0.1"), "KES")  # fmt: skip
    assert (part(cost, "source", "phone", "amount"), told[0]) == (("ussd:ATUid_1", PHONE, Decimal("0.1")), [])


def test_a_call_ends_alike_in_every_order_and_each_event_is_told_once(app: Flask) -> None:
    steps = [
        kept(app, "voice.instructions", CALL | {"isActive": "1"}), kept(app, "voice.instructions", CALL | {"isActive": "1", "dtmfDigits": "1"}),
        kept(app, "voice.event", CALL | {"isActive": "1", "callSessionState": "Answered"}), kept(app, "voice.event", CALL | OVER),
    ]  # fmt: skip
    (row, cost), told = in_every_order(app, steps, Session, Cost)
    assert part(row, "phone", "own", "direction", "state", "status", "reason", "steps", "duration_s", "cost", "has_told_end") == (
        PHONE, OURS, "Inbound", "ended", "Success", "NORMAL_CLEARING", 2, 42, Decimal(2), True)  # fmt: skip
    assert part(cost, "source", "amount") == ("voice:ATVId_1", Decimal(2))
    assert {tuple(names) for names in told} == {("call.started", "call.completed"), ("call.completed",)}


def test_a_call_that_was_ordered_belongs_to_whom_it_was_for(app: Flask) -> None:
    told = {"sessionId": "ATVId_1", "callerNumber": PHONE, "destinationNumber": OURS, "clientRequestId": "inv_1"}
    steps = [
        ordered("voice.call", {"provider_id": "ATVId_1", "status": "Queued"}, own_number=OURS), kept(app, "voice.instructions", told),
        kept(app, "voice.event", told | OVER | {"direction": "Outbound"}),
    ]  # fmt: skip
    (row,), _ = in_every_order(app, steps, Session)
    assert part(row, "phone", "own", "direction", "invocation_id", "state") == (PHONE, OURS, "Outbound", "inv_1", "ended")


@pytest.mark.parametrize(("caller", "destination"), [(PHONE, OURS), (OURS, PHONE)])
@pytest.mark.parametrize("direction", ["Inbound", "Outbound"])
def test_our_own_number_is_never_taken_for_the_other_person(app: Flask, caller: str, destination: str, direction: str) -> None:
    fields = {"sessionId": "ATVId_1", "direction": direction, "callerNumber": caller, "destinationNumber": destination}
    (row,), _ = folded(app, [kept(app, "voice.instructions", fields)], Session)
    assert part(row, "phone", "own") == (PHONE, OURS)


@pytest.mark.parametrize(
    ("status", "duration", "cause", "is_completed"),
    [("Success", 0, None, True), ("completed", None, None, True), ("Aborted", 0, "USER_BUSY", False), ("Aborted", 5, None, True), (None, 0, "NO_ANSWER", False),
        (None, None, "NORMAL_CLEARING", True), ("Odd", None, None, False), ("NotAnswered", 0, "NO_ANSWER", False)],
)  # fmt: skip
def test_a_call_is_completed_when_somebody_spoke(status: str | None, duration: int | None, cause: str | None, is_completed: bool) -> None:
    assert was_answered(status, duration, cause) is is_completed


def test_events_of_a_call_say_what_it_was(sending: Callable[..., Flask], at: StubAT, stored: Stored) -> None:
    app = sending()
    client = app.test_client()
    invocation_id = client.get(URLS["voice.call"]).get_json()["invocation"]["id"]
    last = OVER | {
        "sessionId": at.last_id,
        "direction": "Outbound",
        "callerNumber": "+254711000000",
        "destinationNumber": OURS,
        "recordingUrl": URL,
    }
    post(client, "voice.instructions", last | {"isActive": "1", "recordingUrl": ""})
    post(client, "voice.event", last | {"clientRequestId": invocation_id})
    with app.app_context():
        due.catch_up()
    started, ended = stored(Event)
    common = {"callId": at.last_id, "toNumber": "+254711000000", "transcript": None, "direction": "Outbound"}
    assert (started.name, started.data) == (
        "call.started", common | {"status": "started", "duration": None, "recording": None, "hangupCause": None, "cost": None})  # fmt: skip
    assert (ended.name, ended.data) == (
        "call.completed", common | {"status": "completed", "duration": 42, "recording": URL, "hangupCause": "NORMAL_CLEARING", "cost": "KES 2.0000"},
    )  # fmt: skip
    assert [(row.invocation_id, row.state) for row in stored(Session)] == [(invocation_id, "ended")]
    assert [(row.url, row.status, row.participants) for row in stored(Recording)] == [(URL, "completed", ["+254711000000"])]


def test_a_call_without_an_id_makes_no_row(app: Flask) -> None:
    assert folded(app, [kept(app, "voice.event", {"isActive": "0"})], Session) == ([], [])


ROW = tuple[str, str | None, str | None, int | None, str | None]
RECORDINGS: dict[str, tuple[list[dict[str, Any]], list[ROW]]] = {
    "first without an address": ([{"status": "completed", "duration": "420"}, {"recordingUrl": URL}], [(URL, "completed", None, 420, None)]),
    "words of another vocabulary": (
        [{"recordingUrl": URL, "status": "NotAnswered"}, {"recordingUrl": URL, "duration": "10"}], [(URL, "no_answer", "NotAnswered", 10, None)]),
    "several of one call": (
        [{"recordingUrl": URL, "status": "completed"}, {"recordingUrl": URL + "2", "status": "completed"}],
        [(URL, "completed", None, None, None), (URL + "2", "completed", None, None, None)]),
    "a duration that is none": ([{"recordingUrl": URL, "duration": "about 7 min"}, {"recordingUrl": URL, "duration": ""}], [(URL, None, None, None, "about 7 min")]),
    "nothing in place of something": (
        [{"recordingUrl": URL, "status": "completed", "duration": "5"}, {"recordingUrl": URL, "status": "", "duration": ""}, {"status": ""}],
        [(URL, "completed", None, 5, None)]),
    "without an address beside two": (
        [{"recordingUrl": URL, "duration": "3"}, {"recordingUrl": URL + "2", "duration": "4"}, {"duration": "9"}],
        [("", None, None, 9, None), (URL, None, None, 3, None), (URL + "2", None, None, 4, None)]),
    "a word that nobody knows": ([{"recordingUrl": URL, "status": "Odd"}, {"recordingUrl": URL, "status": "busy"}], [(URL, "busy", None, None, None)]),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_end_alike_in_every_order(app: Flask, name: str) -> None:
    told, expected = RECORDINGS[name]
    steps = [
        kept(app, "voice.recording", {"sessionId": "s1", "phoneNumber": f"25471100000{number}", **fields})
        for number, fields in enumerate(told)
    ]
    rows, _ = in_every_order(app, steps, Recording)
    assert sorted(part(row, "url", "status", "sent_status", "duration_s", "sent_duration") for row in rows) == expected
    assert sorted({phone for row in rows for phone in row["participants"]}) == [f"+25471100000{number}" for number in range(len(told))]


def test_a_recording_keeps_its_id_when_its_address_comes(app: Flask, stored: Stored) -> None:
    ids = []
    for fields in ({"status": "completed"}, {"recordingUrl": URL}):
        kept(app, "voice.recording", {"sessionId": "s1", **fields})
        with app.app_context():
            due.catch_up()
        ids.append([row.id for row in stored(Recording)])
    assert ids[0] == ids[1]
    assert ids[0][0].startswith("rec_")
