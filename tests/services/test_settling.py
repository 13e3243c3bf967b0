"""What becomes of unknown invocations: a callback or a person ends them, and only where it is sure which one is meant."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, update
from sqlalchemy.pool import NullPool

from app.models import Invocation, Recipient
from services import past_invocations
from tests import stub_at
from tests.invoking import ONLY_SQLITE, PHONE, URLS
from tests.samples import post
from tests.stub_at import StubAT

Stored = Callable[[type], list[Any]]
TOLD_BY = {
    "sms.bulk": ("sms.delivery_report", {"id": "ATXid_1", "status": "Success", "phoneNumber": PHONE}),
    "sms.premium": ("sms.delivery_report", {"id": "ATXid_1", "status": "Failed", "phoneNumber": "254711000000", "failureReason": "UserIsInactive"}),
    "airtime.send": ("airtime.status", {"requestId": "ATQid_1", "status": "Success", "phoneNumber": PHONE, "value": "KES 10.0000"}),
    "payments.checkout": ("payments.notification", {"transactionId": "ATPid_1", "status": "Success", "source": PHONE, "value": "KES 10.0000"}),
}  # fmt: skip


@pytest.fixture
def client(sending: Callable[..., Flask], at: StubAT) -> FlaskClient:
    return sending().test_client()


def unknown(client: FlaskClient, at: StubAT, kind: str, query: str = "") -> str:
    """Place an order whose answer is lost, and return its id."""
    at.fault = stub_at.reset
    answer = client.get(URLS[kind] + query)
    at.fault = None
    assert answer.status_code == 202
    return answer.get_json()["invocation"]["id"]


def current(client: FlaskClient, invocation_id: str) -> Invocation:
    with client.application.app_context():
        return past_invocations.one(invocation_id)[0]


def test_a_call_is_settled_exactly(client: FlaskClient, at: StubAT, stored: Stored) -> None:
    # Two unknown calls to the same number: the callback names its own.
    first, second = unknown(client, at, "voice.call"), unknown(client, at, "voice.call")
    post(client, "voice.instructions", {"sessionId": "ATVId_1", "isActive": "1", "callerNumber": PHONE, "clientRequestId": second})
    settled = current(client, second)
    assert (settled.state, settled.settled["is_guess"], settled.settled["by"]) == ("accepted", False, "callback")
    assert current(client, first).state == "unknown"
    assert [(row.state, row.provider_id) for row in stored(Recipient)] == [("unknown", None), ("accepted", "ATVId_1")]


def test_of_several_called_each_is_settled_by_its_own_callback(client: FlaskClient, at: StubAT, stored: Stored) -> None:
    at.fault = stub_at.reset
    told = client.get(URLS["voice.call"] + ",254711000001").get_json()["invocation"]
    at.fault = None
    call = {"sessionId": "ATVId_2", "isActive": "0", "callerNumber": "+254711000001", "clientRequestId": told["id"], "status": "Aborted"}
    post(client, "voice.event", call)
    assert current(client, told["id"]).state == "unknown"
    assert [row.state for row in stored(Recipient)] == ["unknown", "accepted"]


@pytest.mark.parametrize("kind", TOLD_BY)
def test_the_only_one_that_can_be_meant_is_guessed(client: FlaskClient, at: StubAT, stored: Stored, kind: str) -> None:
    invocation_id = unknown(client, at, kind)
    callback_id = post(client, *TOLD_BY[kind]).headers["X-Pokea-Id"]
    settled = current(client, invocation_id)
    assert (settled.state, settled.settled) == ("accepted", {"by": "callback", "callback": callback_id, "is_guess": True})
    assert stored(Recipient)[0].provider_id == next(iter(TOLD_BY[kind][1].values()))


@pytest.mark.parametrize("kind", TOLD_BY)
def test_of_two_that_could_be_meant_neither_is_guessed(client: FlaskClient, at: StubAT, kind: str) -> None:
    both = [unknown(client, at, kind), unknown(client, at, kind)]
    post(client, *TOLD_BY[kind])
    assert [current(client, one).state for one in both] == ["unknown", "unknown"]


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("kind", "changes"),
    [("sms.bulk", {"phoneNumber": "+254711000009"}), ("airtime.send", {"value": "KES 11.0000"}), ("airtime.send", {"phoneNumber": "+254711000009"}),
        ("payments.checkout", {"value": "KES 9.0000"})],
)  # fmt: skip
def test_a_callback_about_something_else_settles_nothing(client: FlaskClient, at: StubAT, kind: str, changes: dict[str, str]) -> None:
    invocation_id = unknown(client, at, kind)
    name, fields = TOLD_BY[kind]
    post(client, name, fields | changes)
    assert current(client, invocation_id).state == "unknown"


def test_a_callback_of_an_order_that_is_known_settles_no_other(client: FlaskClient, at: StubAT) -> None:
    known = client.get(URLS["sms.bulk"]).get_json()
    invocation_id = unknown(client, at, "sms.bulk")
    report = {"id": known["response"]["SMSMessageData"]["Recipients"][0]["messageId"], "status": "Success", "phoneNumber": PHONE}
    post(client, "sms.delivery_report", report)
    assert current(client, invocation_id).state == "unknown"


def test_a_callback_from_before_the_order_settles_nothing(client: FlaskClient, at: StubAT) -> None:
    post(client, *TOLD_BY["sms.bulk"])
    assert current(client, unknown(client, at, "sms.bulk")).state == "unknown"


def test_a_settled_order_is_answered_as_it_ended(client: FlaskClient, at: StubAT) -> None:
    unknown(client, at, "airtime.send", "&idempotencyKey=order-1042")
    post(client, *TOLD_BY["airtime.send"])
    answer = client.get(URLS["airtime.send"] + "&idempotencyKey=order-1042")
    assert (answer.status_code, answer.get_json()["repeated"], answer.get_json()["invocation"]["state"]) == (200, True, "accepted")
    assert len(at.calls()) == 1


def test_what_nobody_knows_stays_unknown_for_a_person(client: FlaskClient, at: StubAT) -> None:
    invocation_id = unknown(client, at, "sim_swap.check")
    post(client, "sim_swap.status")
    assert current(client, invocation_id).state == "unknown"


def test_a_sum_in_another_currency_settles_nothing(client: FlaskClient, at: StubAT) -> None:
    invocation_id = unknown(client, at, "airtime.send")
    name, fields = TOLD_BY["airtime.send"]
    post(client, name, fields | {"value": "UGX 10.0000"})
    assert current(client, invocation_id).state == "unknown"


def test_one_that_was_taken_without_an_id_may_be_meant_too(client: FlaskClient, at: StubAT) -> None:
    def nameless(answer: dict[str, Any]) -> dict[str, Any]:
        answer["SMSMessageData"]["Recipients"][0]["messageId"] = "None"
        return answer

    at.change = nameless
    client.get(URLS["sms.bulk"])
    at.change = None
    invocation_id = unknown(client, at, "sms.bulk")
    post(client, *TOLD_BY["sms.bulk"])
    assert current(client, invocation_id).state == "unknown"


def test_a_failure_that_a_callback_tells_is_not_told_as_sent(client: FlaskClient, at: StubAT) -> None:
    unknown(client, at, "airtime.send", "&idempotencyKey=order-1042")
    name, fields = TOLD_BY["airtime.send"]
    post(client, name, fields | {"status": "Failed"})
    told = client.get(URLS["airtime.send"] + "&idempotencyKey=order-1042").get_json()
    assert told["message"] == "Africa's Talking took this order, as was learned later: Failed."
    assert told["invocation"]["recipients"][0]["reason"] == "The airtime was not sent."
    assert len(at.calls()) == 1


def test_a_repeated_unknown_order_is_not_told_to_be_sent_again(client: FlaskClient, at: StubAT) -> None:
    unknown(client, at, "airtime.send", "&idempotencyKey=order-1042")
    told = client.get(URLS["airtime.send"] + "&idempotencyKey=order-1042").get_json()
    assert (told["repeated"], "again" in told["advice"], "nobody knows" in told["advice"]) == (True, False, True)


@ONLY_SQLITE
def test_every_order_that_is_too_old_is_unknown_in_a_list(client: FlaskClient, at: StubAT, stored: Stored, database_url: str) -> None:
    for number in range(105):
        client.get(URLS["sim_swap.check"] + f"&reference={number}")
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(update(Invocation).values(state="pending", called_at=datetime.now(UTC) - timedelta(hours=1)))
        connection.execute(update(Recipient).values(state="pending"))
    with client.application.app_context():
        assert past_invocations.newest(200, state="pending") == []
    assert {row.state for row in stored(Invocation)} == {row.state for row in stored(Recipient)} == {"unknown"}
