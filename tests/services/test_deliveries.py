"""What is sent to endpoints: when, what, how often; and what one that fails does to itself and to others."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text, update
from standardwebhooks import Webhook

from app.extensions import writing
from app.models import Attempt, Delivery, Endpoint, Event
from services import due
from services.webhooks import events
from services.webhooks.courier import MOST_ENDPOINTS
from services.webhooks.retrying import LIFE
from tests.invoking import ONLY_SQLITE
from tests.posting import OLD_SECRET, SECRET, START, Post
from tests.receiving import Answer, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def post(make_app: Callable[..., Flask]) -> Post:
    return Post(make_app(webhooks_allow_private=True))


def only(rows: list[Any]) -> Any:
    (row,) = rows
    return row


def test_a_kept_callback_is_sent_as_one_signed_post(post: Post, receiver: Receiver, stored: Callable[[type], list[Any]]) -> None:
    post.endpoint(receiver.url)
    with post.app.app_context():
        post.app.test_client().post(
            "/api/airtime/status", json={"requestId": "ATQid_1", "status": "Success", "value": 500.0, "phoneNumber": "+254711000017"}
        )
        due.catch_up()
    post.clock.now = datetime.now(UTC)
    post.send()
    came = next(one for one in receiver.came if b"airtime.status" in one.body)
    told = json.loads(came.body)
    assert list(told) == ["event", "timestamp", "data"]
    assert (told["event"], told["data"]["phoneNumber"], told["data"]["fields"]["value"]) == ("airtime.status", "+254711000017", 500)
    assert json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode() == came.body
    assert b"500.0" not in came.body
    assert Webhook(SECRET).verify(came.body, {name.lower(): value for name, value in came.headers.items()}) == told
    row = next(row for row in stored(Delivery) if row.event == "airtime.status")
    assert (row.state, row.status, row.answer, row.attempts, row.problem) == ("delivered", 200, "ok", 1, None)
    assert came.headers["webhook-id"] == row.event_id == row.callback_id.replace("cb_", "evt_")
    assert stored(Attempt) == []


def test_the_original_format_is_the_bytes_that_came(post: Post, receiver: Receiver) -> None:
    post.endpoint(receiver.url, format="original")
    raw = b"id=1&status=Success&note=%FF\xfe&phoneNumber=%2B254711000017"
    with post.app.app_context():
        post.app.test_client().post("/api/sms/delivery-reports", data=raw, content_type="application/x-www-form-urlencoded")
        due.catch_up()
    post.clock.now = datetime.now(UTC)
    post.send()
    came = next(one for one in receiver.came if one.body == raw)
    assert came.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_both_secrets_sign_during_a_rotation_and_the_old_one_not_after(post: Post, receiver: Receiver) -> None:
    post.endpoint(receiver.url, previous_secret=OLD_SECRET, previous_until=START + timedelta(hours=24))
    post.happens()
    post.send()
    post.clock.advance(24 * 3600)
    post.happens()
    post.send()
    during, after = receiver.came
    assert [len(came.headers["webhook-signature"].split()) for came in (during, after)] == [2, 1]
    assert "X-Pokea-Signature-Previous" in during.headers
    assert "X-Pokea-Signature-Previous" not in after.headers


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("answer", "problem", "least_s", "most_s"),
    [
        (Answer(500), "answered 500", 4, 6),
        (Answer(302, headers={"Location": "http://127.0.0.1:9/"}), "Redirects are not followed", 4, 6),
        (Answer(404), "answered 404", 4, 6),
        (Answer(429), "answered 429", 60, 72),
        (Answer(503, headers={"Retry-After": "600"}), "answered 503", 480, 720),
        (Answer(503, headers={"Retry-After": "999999"}), "answered 503", 2880, 4320),
        (Answer(500, headers={"Retry-After": "-5"}), "answered 500", 4, 6),
        (Answer(500, headers={"Retry-After": "\u00b2"}), "answered 500", 4, 6),
        (Answer(500, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 +99999999999999999999"}), "answered 500", 4, 6),
        (Answer(None), "connection broke", 4, 6),
    ],
)
def test_what_is_not_taken_comes_again(
    post: Post, receiver: Receiver, answer: Answer, problem: str, least_s: float, most_s: float, stored: Callable[[type], list[Any]]
) -> None:
    receiver.answer = lambda came: answer if len(receiver.came) == 1 else Answer(201)
    post.endpoint(receiver.url)
    (event_id,) = post.happens()
    post.send()
    row, attempt = only(stored(Delivery)), only(stored(Attempt))
    assert problem in attempt.problem
    assert (row.state, row.attempts, attempt.number) == ("waiting", 1, 1)
    assert least_s <= (row.due_at - post.clock.now).total_seconds() <= most_s
    assert least_s <= (only(stored(Endpoint)).next_try_at - post.clock.now).total_seconds() <= most_s
    post.clock.advance(most_s)
    post.send()
    assert receiver.ids() == [event_id, event_id]
    assert int(receiver.came[1].headers["webhook-timestamp"]) > int(receiver.came[0].headers["webhook-timestamp"])
    assert (only(stored(Delivery)).state, only(stored(Endpoint)).failing_since) == ("delivered", None)


def test_nothing_listening_is_told(post: Post, stored: Callable[[type], list[Any]]) -> None:
    post.endpoint("http://127.0.0.1:1/")
    post.happens()
    post.send()
    assert only(stored(Delivery)).problem == "Not reached: nothing is listening."


def test_a_private_address_is_not_reached(make_app: Callable[..., Flask], receiver: Receiver, stored: Callable[[type], list[Any]]) -> None:
    post = Post(make_app())
    post.endpoint(receiver.url)
    post.happens()
    post.send()
    assert receiver.came == []
    assert only(stored(Delivery)).problem == "Not reached: that address is private (127.0.0.1)."


def test_gone_turns_the_endpoint_off_and_says_so_to_others(post: Post, receiver: Receiver, stored: Callable[[type], list[Any]]) -> None:
    receiver.answer = lambda came: Answer(410 if came.path == "/gone" else 200)
    post.endpoint(receiver.url + "/gone", "gone")
    post.endpoint(receiver.url + "/other", "other", events=["endpoint.*"])
    post.happens(3)
    post.send()
    assert [(row.id, row.is_active) for row in stored(Endpoint)] == [("webhook_gone", False), ("webhook_other", True)]
    assert sum(came.path == "/gone" for came in receiver.came) == 1
    told = json.loads(next(came for came in receiver.came if came.path == "/other").body)
    assert (told["event"], told["data"]["webhookId"]) == ("endpoint.disabled", "webhook_gone")
    assert sum(row.state == "waiting" for row in stored(Delivery)) == 3


def test_five_days_of_nothing_but_failure_turn_it_off(post: Post, receiver: Receiver, stored: Callable[[type], list[Any]]) -> None:
    receiver.answer = lambda _came: Answer(500)
    post.endpoint(receiver.url)
    post.happens(2)
    for hours in (0, 1, 118, 1.5):
        post.clock.advance(hours * 3600)
        post.send()
    assert [row.name for row in stored(Event)] == ["ping", "ping", "endpoint.disabled"]
    assert not only(stored(Endpoint)).is_active


def test_a_delivery_ends_when_its_table_does(post: Post, receiver: Receiver, stored: Callable[[type], list[Any]]) -> None:
    receiver.answer = lambda came: Answer(500 if b'"n":0' in came.body else 200)
    post.endpoint(receiver.url)
    post.happens()
    while post.clock.now - START < LIFE * 1.3:
        post.send()
        post.clock.advance(7000)
        with post.app.app_context(), writing() as connection:
            events.publish(connection, "ping", {"n": 1}, post.clock.now)
    first = min(stored(Delivery), key=lambda row: row.event_id)
    # Once more after each of its own tries, to see whether the endpoint is back.
    assert first.state == "dead"
    assert 10 <= first.attempts <= 20
    assert LIFE <= first.attempted_at - START < LIFE * 1.05
    assert all(
        row.state == "delivered" for row in stored(Delivery) if row.id != first.id and row.created_at < post.clock.now - timedelta(hours=1)
    )


@ONLY_SQLITE
def test_a_failing_endpoint_is_tried_with_its_oldest_and_gets_all_in_order_when_back(
    post: Post, receiver: Receiver, stored: Callable[[type], list[Any]]
) -> None:
    is_back = [False]
    receiver.answer = lambda _came: Answer(200 if is_back[0] else 500)
    post.endpoint(receiver.url)
    ids = post.happens(40)
    for _ in range(72):
        post.send()
        post.clock.advance(300)
    refused = receiver.ids()
    assert refused.count(ids[0]) == 72
    assert len(refused) <= 2 * 72 + 8
    receiver.came.clear()
    is_back[0] = True
    post.send()
    assert receiver.ids()[:40] == ids
    assert {row.state for row in stored(Delivery)} >= {"delivered"}
    assert [row.name for row in stored(Event)][40:] == ["endpoint.recovered"]


def test_some_that_no_receiver_takes_do_not_stand_in_the_way(post: Post, receiver: Receiver, stored: Callable[[type], list[Any]]) -> None:
    bad = (b'"n":0', b'"n":1}', b'"n":2}')
    receiver.answer = lambda came: Answer(500 if any(one in came.body for one in bad) else 200)
    post.endpoint(receiver.url)
    post.happens(10)
    for _ in range(20):
        post.send()
        post.clock.advance(310)
    assert [row.state for row in sorted(stored(Delivery), key=lambda row: row.event_id)][:10] == ["waiting"] * 3 + ["delivered"] * 7


@ONLY_SQLITE
def test_a_receiver_that_is_away_for_two_days_loses_nothing(post: Post, receiver: Receiver, stored: Callable[[type], list[Any]]) -> None:
    is_back = [False]
    receiver.answer = lambda _came: Answer(200 if is_back[0] else 503)
    post.endpoint(receiver.url)
    ids = post.happens(10)
    while post.clock.now - START < LIFE - timedelta(hours=3):
        post.send()
        post.clock.advance(3600)
    is_back[0] = True
    post.send()
    assert {row.state for row in stored(Delivery) if row.event_id in ids} == {"delivered"}
    assert max(Counter(row.delivery_id for row in stored(Attempt)).values()) <= 50


def test_outcomes_that_cannot_be_recorded_make_no_storm(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda _came: Answer(500)
    post.endpoint(receiver.url)
    post.happens(3)
    with post.app.app_context(), writing() as connection:
        connection.execute(text("ALTER TABLE attempts RENAME TO attempts_away"))
    try:
        for _ in range(5):
            post.send()
        assert len(receiver.came) <= 2
    finally:
        with post.app.app_context(), writing() as connection:
            connection.execute(text("ALTER TABLE attempts_away RENAME TO attempts"))


def test_endpoints_that_recover_at_once_do_not_block_each_other(
    post: Post, receiver: Receiver, stored: Callable[[type], list[Any]]
) -> None:
    names = [f"{number}" for number in range(8)]
    for name in names:
        post.endpoint(f"{receiver.url}/{name}", name, failing_since=START - timedelta(hours=1), failures=9, next_try_at=START)
    post.happens()
    post.send()
    assert [row.failing_since for row in stored(Endpoint)] == [None] * 8
    assert sum(row.name == "endpoint.recovered" for row in stored(Event)) == 8
    assert len(receiver.came) == len(set(zip(receiver.ids(), (came.path for came in receiver.came), strict=True))) == 8 + 8 * 8


def test_many_endpoints_are_served_some_at_a_time(post: Post, receiver: Receiver) -> None:
    for number in range(MOST_ENDPOINTS + 8):
        post.endpoint(f"{receiver.url}/{number}", f"{number}")
    receiver.answer = lambda _came: Answer(after_s=0.05)
    post.happens()
    post.send()
    assert len({came.path for came in receiver.came}) == MOST_ENDPOINTS + 8
    assert receiver.most_at_once <= MOST_ENDPOINTS


@ONLY_SQLITE
def test_one_that_is_slow_gets_four_at_a_time_and_no_more(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda _came: Answer(after_s=0.3)
    post.endpoint(receiver.url)
    ids = post.happens(13)
    with post.app.app_context():
        post.courier.wake_due()
        while not post.courier.wait_until_idle(0.05):
            post.courier.widen()
    assert sorted(receiver.ids()) == ids
    assert receiver.most_at_once == 4


def test_a_lease_of_another_machine_is_respected_until_it_ends(post: Post, receiver: Receiver) -> None:
    post.endpoint(receiver.url, leased_by="elsewhere:1:x", leased_until=START + timedelta(seconds=30))
    post.happens()
    post.send()
    assert receiver.came == []
    post.clock.advance(31)
    post.send()
    assert len(receiver.came) == 1


def test_a_lease_of_a_process_that_is_gone_is_none(post: Post, receiver: Receiver) -> None:
    from services.upkeep.processes import own_name

    machine = own_name().partition(":")[0]
    post.endpoint(receiver.url, leased_by=f"{machine}:4194300:x", leased_until=START + timedelta(hours=1))
    post.happens()
    post.send()
    assert len(receiver.came) == 1


def test_a_long_answer_is_cut_and_taken(post: Post, receiver: Receiver, stored: Callable[[type], list[Any]]) -> None:
    receiver.answer = lambda _came: Answer(200, b"x" * 2_000_000)
    post.endpoint(receiver.url)
    post.happens()
    post.send()
    assert (only(stored(Delivery)).state, len(only(stored(Delivery)).answer)) == ("delivered", 16_000)


def test_an_inactive_endpoint_gets_nothing(post: Post, receiver: Receiver) -> None:
    post.endpoint(receiver.url, is_active=True)
    post.happens()
    with post.app.app_context(), writing() as connection:
        connection.execute(update(Endpoint).values(is_active=False))
    post.send()
    assert receiver.came == []
