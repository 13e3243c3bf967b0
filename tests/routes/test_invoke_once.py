"""No order is sent twice, and no cap is passed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from sqlalchemy import create_engine, update

from app.models import Invocation, Recipient
from tests import stub_at
from tests.invoking import IN_BODY, KINDS, ONLY_SQLITE, PHONE, TOKEN, URLS, Sending, Stored, at_once, live
from tests.samples import post
from tests.stub_at import StubAT


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
    app = sending(at_timeout_s=30.0)
    answers = at_once(at, lambda: app.test_client().get(URLS["airtime.send"] + "&idempotencyKey=order-1042"))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert {answer.headers.get("Retry-After") for answer in answers if answer.status_code == 409} == {"2"}
    assert (len(at.calls()), len(stored(Invocation))) == (1, 1)


def test_what_was_refused_is_tried_again_by_one_of_eight(sending: Sending, at: StubAT, stored: Stored) -> None:
    app, url = sending(at_timeout_s=30.0), URLS["payments.checkout"] + "&idempotencyKey=order-1042"
    at.change = lambda _answer: IN_BODY["payments.checkout"][0]
    assert app.test_client().get(url).status_code == 502
    at.change = None
    answers = at_once(at, lambda: app.test_client().get(url))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert (len(at.calls()), [row.attempts for row in stored(Invocation)]) == (2, [2])


def test_live_a_double_click_is_one_call(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = live(sending, at, at_timeout_s=30.0)
    answers = at_once(at, lambda: app.test_client().get(URLS["sms.bulk"], headers=TOKEN))
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


@ONLY_SQLITE
def test_the_key_may_come_in_its_usual_header(sending: Sending, at: StubAT) -> None:
    client = sending().test_client()
    for _ in range(2):
        answer = client.post("/api/airtime/invoke-send-airtime", data={"phone": PHONE}, headers={"Idempotency-Key": "order-1042"})
    assert (answer.get_json()["repeated"], [seen.headers["Idempotency-Key"] for seen in at.calls()]) == (True, ["order-1042"])
    assert client.get(URLS["airtime.send"] + "&idempotencyKey=order-1042", headers={"Idempotency-Key": "order-1042"}).status_code == 400


@ONLY_SQLITE
def test_a_preview_says_what_would_refuse_the_order(sending: Sending, at: StubAT) -> None:
    client = sending(spend_cap_daily=Decimal(15)).test_client()
    assert client.get(URLS["airtime.send"] + "&preview=1").get_json()["preview"]["refused"] is None
    client.get(URLS["airtime.send"])
    told = client.get(URLS["airtime.send"] + "&preview=1").get_json()["preview"]
    assert (told["estimated_cost"], "SPEND_CAP_DAILY is 15 KES" in told["refused"]) == ({"KES": "10.0000"}, True)
    off = sending(spend_enabled=False).test_client().get(URLS["airtime.send"] + "&preview=1")
    assert (off.status_code, "SPEND_ENABLED" in off.get_json()["preview"]["refused"]) == (200, True)
