"""Alerts: what raises each, that each is told once, and where they go."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, update

from app.extensions import writing
from app.models import Alert, Delivery, Endpoint, Event, Invocation, Reaction
from services.upkeep import alerts
from services.webhooks.alert_endpoint import ID
from tests.invoking import ONLY_SQLITE
from tests.rows import NOW, Row, callback, endpoint, invocation, keep, reaction
from tests.stub_at import StubAT

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]
URL = "https://receiver.example/alerts"


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def check(app: Flask, now: datetime = NOW) -> None:
    with app.app_context():
        alerts.check(now)


def raised(stored: Stored) -> dict[str, str]:
    return {row.name: row.detail for row in stored(Alert) if row.cleared_at is None}


CAUSES: list[Any] = [
    pytest.param("dead_work", [callback(due_at=None, last_error="x"), reaction(state="dead")], "Given up until a person looks: 1 callbacks, 1 reactions.", id="dead"),
    pytest.param("queue_age", [callback(due_at=NOW - timedelta(seconds=61))], "callbacks 61 s", id="old"),
    pytest.param("refused_callbacks", [callback(NOW - minutes(9), state="refused") for _ in range(5)], "5 callbacks were refused", id="refused"),
    pytest.param("failing_endpoint", [endpoint("webhook_x", failing_since=NOW - minutes(16))], "webhook_x fails since 2026-03-04 10:14 UTC", id="failing"),
    pytest.param("failing_endpoint", [endpoint("webhook_x", is_active=False, off_because="410")], "webhook_x was turned off", id="off"),
    pytest.param("unknown_money", [invocation()], "1 order of money may", id="airtime"),
    pytest.param("unknown_money", [invocation(kind="payments.checkout"), invocation()], "2 orders of money", id="checkout"),
]  # fmt: skip
HARMLESS: list[Row] = [
    callback(due_at=NOW - timedelta(seconds=59)),
    callback(due_at=NOW + minutes(1), last_error="tried again"),
    *(callback(NOW - minutes(11), state="refused") for _ in range(5)),
    *(callback(NOW - minutes(1), state="refused") for _ in range(4)),
    endpoint("webhook_new", failing_since=NOW - minutes(14)),
    endpoint("webhook_off", is_active=False),
    invocation(kind="sms.bulk"),
    invocation(state="pending"),
    invocation(state="accepted"),
]


@ONLY_SQLITE
@pytest.mark.parametrize(("name", "rows", "said"), CAUSES)
def test_an_alert_is_raised_and_told_once(app: Flask, stored: Stored, name: str, rows: list[Row], said: str) -> None:
    keep(app, *rows)
    for _ in range(2):
        check(app)
    [row] = stored(Alert)
    assert (row.name, said in row.detail, row.raised_at, row.cleared_at) == (name, True, NOW, None)
    [told] = stored(Event)
    data = {"alert": name, "detail": row.detail, "raisedAt": "2026-03-04T10:30:00Z"}
    assert (told.name, told.data, told.created_at) == ("alert.raised", data, NOW)


def test_what_is_usual_raises_nothing(app: Flask, stored: Stored) -> None:
    keep(app, *HARMLESS)
    check(app)
    assert (stored(Alert), stored(Event)) == ([], [])


def test_an_alert_is_cleared_once_and_may_be_raised_again(app: Flask, stored: Stored) -> None:
    def gone(table: type) -> None:
        with app.app_context(), writing() as connection:
            connection.execute(delete(table))

    keep(app, reaction(state="dead"))
    check(app)
    gone(Reaction)
    for _ in range(2):
        check(app, NOW + minutes(1))
    [row] = stored(Alert)
    assert (row.raised_at, row.cleared_at) == (NOW, NOW + minutes(1))
    keep(app, reaction(state="dead"))
    check(app, NOW + minutes(2))
    [row] = stored(Alert)
    assert (row.raised_at, row.cleared_at) == (NOW + minutes(2), None)
    assert [event.name for event in stored(Event)] == ["alert.raised", "alert.cleared", "alert.raised"]
    assert stored(Event)[1].data["clearedAt"] == "2026-03-04T10:31:00Z"


def test_what_an_alert_says_is_kept_up_to_date_without_telling_again(app: Flask, stored: Stored) -> None:
    keep(app, invocation())
    check(app)
    keep(app, invocation())
    check(app, NOW + minutes(1))
    [row] = stored(Alert)
    assert (row.detail[:8], row.raised_at, len(stored(Event))) == ("2 orders", NOW, 1)


def test_of_many_workers_one_tells(app: Flask, stored: Stored) -> None:
    keep(app, invocation(), reaction(state="dead"))
    start = threading.Barrier(6)

    def work() -> None:
        start.wait()
        check(app)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event.data["alert"] for event in stored(Event)) == ["dead_work", "unknown_money"]


def test_a_low_balance_is_asked_for_every_ten_minutes(sending: Make, at: StubAT, stored: Stored) -> None:
    app, seen = sending(alert_balance_below=Decimal(100)), []
    for after, left in ((0, "KES 99.5000"), (9, "KES 500.0000"), (11, "not told"), (22, "KES 100.0000")):
        at.balance = left
        check(app, NOW + minutes(after))
        seen.append((len(at.seen), raised(stored).get("low_balance")))
    low = "KES 99.5000 are left, less than 100. Top up."
    assert seen == [(1, low), (1, low), (2, low), (3, None)]


def test_no_balance_is_asked_for_without_a_limit(sending: Make, at: StubAT) -> None:
    check(sending())
    assert at.seen == []


def test_alerts_are_delivered_to_alert_url(make_app: Make, stored: Stored) -> None:
    keep(app := make_app(alert_url=URL), invocation())
    check(app)
    [row] = stored(Endpoint)
    assert (row.id, row.url, row.events, row.is_for_alerts, row.is_active) == (ID, URL, ["alert.*", "endpoint.disabled"], True, True)
    assert [(delivery.endpoint_id, delivery.event) for delivery in stored(Delivery)] == [(ID, "alert.raised")]
    assert row.secret.startswith("whsec_")
    assert len(row.secret) == 50
    moved = make_app(alert_url=URL + "/2")
    check(moved)
    [after] = stored(Endpoint)
    assert (after.url, after.secret) == (URL + "/2", row.secret)
    check(make_app())
    assert [one.is_active for one in stored(Endpoint)] == [False]
    assert raised(stored).keys() == {"unknown_money"}


def test_the_list_tells_what_is_and_what_was(make_app: Make) -> None:
    keep(app := make_app(), invocation(), reaction(state="dead"))
    check(app)
    with app.app_context(), writing() as connection:
        connection.execute(update(Invocation).values(state="accepted"))
    check(app, NOW + minutes(1))
    made = app.test_cli_runner().invoke(args=["keys", "create", "--name", "x", "--scope", "read", "--json"]).stdout
    client = app.test_client()
    assert client.get("/api/v1/alerts").status_code == 401
    told = client.get("/api/v1/alerts", headers={"Authorization": f"Bearer {json.loads(made)['key']}"}).json
    assert [(row["alert"], row["is_raised"], row["cleared_at"]) for row in told["data"]] == [
        ("dead_work", True, None),
        ("unknown_money", False, "2026-03-04T10:31:00+00:00"),
    ]


@ONLY_SQLITE
def test_a_queue_whose_age_goes_up_and_down_around_the_limit_is_told_once(app: Flask, stored: Stored) -> None:
    keep(app, callback(due_at=NOW))
    for age_s, is_raised in ((31, False), (61, True), (59, True), (61, True), (31, True), (29, False), (59, False)):
        check(app, NOW + timedelta(seconds=age_s))
        assert (age_s, "queue_age" in raised(stored)) == (age_s, is_raised)
    assert [event.name for event in stored(Event)] == ["alert.raised", "alert.cleared"]
