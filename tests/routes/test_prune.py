"""flask prune: what goes, and what stays."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import insert, update
from ulid import ULID

from app.extensions import writing
from app.models import Attempt, Callback, Delivery, Endpoint, Event, Reaction, UssdSession
from services.upkeep.retention import ANEW_EVERY, EVERY, TOGETHER, prune, prune_if_due
from tests.invoking import ONLY_SQLITE
from tests.samples import post

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]
NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=8)
ENDPOINT = {
    "id": "webhook_1",
    "url": "https://example.com",
    "events": ["*"],
    "format": "json",
    "secret": "s",
    "is_active": True,
    "created_at": NOW,
}


def put(app: Flask, model: type, *rows: dict[str, Any]) -> None:
    with app.app_context(), writing() as connection:
        connection.execute(insert(model), list(rows))


def change(app: Flask, callback_id: str, **values: Any) -> None:
    with app.app_context(), writing() as connection:
        connection.execute(update(Callback).where(Callback.id == callback_id).values(values))


def keep(app: Flask, kind: str = "sms.opt_out", **values: Any) -> str:
    """Keep a callback of which nothing is left to do."""
    fields = {"senderId": str(ULID()), "phoneNumber": "+254711000017"} if kind == "sms.opt_out" else None
    callback_id = post(app.test_client(), kind, fields).headers["X-Pokea-Id"]
    change(app, callback_id, **{"due_at": None, **values})
    return callback_id


def delivery(callback_id: str | None, event_id: str, state: str) -> dict[str, Any]:
    row = {"id": f"dlv_{ULID()}", "endpoint_id": "webhook_1", "event_id": event_id, "event": "x", "callback_id": callback_id}
    return row | {"state": state, "due_at": NOW, "created_at": NOW}


def reaction(callback_id: str, state: str) -> dict[str, Any]:
    return {"id": f"rct_{ULID()}", "callback_id": callback_id, "name": "f", "state": state, "due_at": NOW, "created_at": NOW}


def run(app: Flask, *words: str, **options: Any) -> Result:
    return app.test_cli_runner().invoke(args=["prune", *words], **options)


def test_only_what_nobody_needs_goes(app: Flask, stored: Stored) -> None:
    goes = [keep(app), keep(app, "ussd.session"), keep(app)]
    stays = [keep(app, pinned_at=NOW), keep(app, due_at=NOW), keep(app, last_error="Traceback"), keep(app, "payments.notification")]
    stays += [keep(app, "airtime.validation"), keep(app), keep(app)]
    event = {"name": "x", "data": {}, "created_at": NOW}
    put(app, Endpoint, ENDPOINT)
    waiting = f"evt_{ULID()}"
    put(app, Event, {"id": f"evt_{ULID()}", **event}, {"id": waiting, **event})
    deliveries = [delivery(goes[0], "e1", "delivered"), delivery(stays[-1], "e2", "waiting"), delivery(None, waiting, "waiting")]
    put(app, Delivery, *deliveries, delivery(None, "e3", "dead"))
    put(app, Attempt, {"delivery_id": deliveries[0]["id"], "number": 1, "attempted_at": NOW, "ms": 1, "problem": "p"})
    put(app, Reaction, reaction(goes[2], "done"), reaction(stays[-2], "waiting"))
    put(app, UssdSession, {"id": "s1", "memory": {}, "updated_at": NOW}, {"id": "s2", "memory": {}, "updated_at": NOW + timedelta(days=1)})
    with app.app_context():
        assert prune(7, NOW) == {"callbacks": 0, "deliveries": 0, "reactions": 0, "events": 0, "ussd_sessions": 0}
        assert prune(0, LATER)["callbacks"] == 0
        looked_at: list[int] = []
        removed = prune(7, LATER + timedelta(minutes=1), looked_at.append)
    assert removed == {"callbacks": 3, "deliveries": 2, "reactions": 1, "events": 1, "ussd_sessions": 1}
    assert sum(looked_at) == 10 + 4 + 2 + 2
    assert sorted(row.id for row in stored(Callback)) == sorted(stays)
    assert {row.id for row in stored(Delivery)} == {deliveries[1]["id"], deliveries[2]["id"]}
    assert ([row.id for row in stored(Event)], [row.id for row in stored(UssdSession)], stored(Attempt)) == ([waiting], ["s2"], [])


def test_it_goes_on_past_a_batch(app: Flask, stored: Stored) -> None:
    put(app, Event, *({"id": f"evt_{ULID()}", "name": "x", "data": {}, "created_at": NOW} for _ in range(2 * TOGETHER + 1)))
    with app.app_context():
        assert prune(7, LATER + timedelta(minutes=1))["events"] == 2 * TOGETHER + 1
    assert stored(Event) == []


def test_it_stops_between_batches(app: Flask, stored: Stored) -> None:
    put(app, Event, *({"id": f"evt_{ULID()}", "name": "x", "data": {}, "created_at": NOW} for _ in range(TOGETHER + 1)))
    looked_at: list[int] = []
    with app.app_context():
        assert prune(7, LATER + timedelta(minutes=1), looked_at.append, lambda: not looked_at)["events"] == TOGETHER
    assert (looked_at, len(stored(Event))) == ([TOGETHER], 1)


def test_of_all_that_would_prune_one_does_once_an_hour_from_where_the_last_one_came(app: Flask, stored: Stored) -> None:
    now = LATER + timedelta(minutes=1)

    def turn(after: timedelta, may_go_on: Callable[[], bool] = lambda: True) -> int:
        with app.app_context():
            return prune_if_due(7, now + after, may_go_on)["callbacks"]

    first, stays = keep(app), keep(app, pinned_at=NOW)
    assert (turn(timedelta(), lambda: False), turn(EVERY / 2), turn(1.1 * EVERY), turn(2 * EVERY)) == (0, 0, 1, 0)
    # What stayed is not looked at again until a day has passed, what came behind it is.
    change(app, stays, pinned_at=None)
    behind = keep(app)
    assert (turn(2.5 * EVERY), [row.id for row in stored(Callback)]) == (1, [stays])
    assert (turn(ANEW_EVERY - EVERY), turn(ANEW_EVERY + EVERY), stored(Callback)) == (0, 1, [])
    assert first < stays < behind


@ONLY_SQLITE
def test_the_command_asks_and_tells_how_many_went(make_app: Make, stored: Stored) -> None:
    app = make_app()
    old = f"cb_{ULID.from_datetime(NOW - timedelta(days=9))}"
    change(app, keep(app), id=old)
    assert run(app, "--days", "10", "--yes").stdout == "0 callbacks removed\n"
    refused = run(app, input="n\n")
    assert (refused.exit_code, len(stored(Callback))) == (1, 1)
    assert "older than 7 days" in refused.stderr
    kept = run(make_app(retention_days=0), "--yes")
    assert (kept.stdout, kept.exit_code, len(stored(Callback))) == ("0 callbacks removed\n", 0, 1)
    assert run(app, input="y\n").stdout.endswith("1 callback removed\n")
    assert json.loads(run(app, "--yes", "--json").stdout)["callbacks"] == 0


@pytest.mark.parametrize("days", ["0", "-1", "x"])
@ONLY_SQLITE
def test_days_are_whole_and_at_least_one(app: Flask, days: str) -> None:
    assert run(app, "--days", days, "--yes").exit_code == 2
