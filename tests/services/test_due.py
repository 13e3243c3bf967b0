"""What follows from a kept callback, and that it follows once."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from sqlalchemy import insert, update

from app.extensions import writing
from app.models import Callback, Delivery, Endpoint
from services import due

REPORT = {"id": "ATXid_1", "status": "Success", "phoneNumber": "+254711000017"}


def endpoint(events: list[str], is_active: bool = True) -> str:
    row = {
        "id": f"webhook_{'-'.join(events)}", "url": "https://example.com/hook", "events": events, "format": "json", "secret": "whsec_AAAA",
        "is_active": is_active, "created_at": datetime.now(UTC),
    }  # fmt: skip
    with writing() as connection:
        connection.execute(insert(Endpoint), row)
    return row["id"]


def test_each_endpoint_that_wants_it_gets_one_delivery(app: Flask, stored: Callable[[type], list[Any]]) -> None:
    with app.app_context():
        wanted = {endpoint(["sms.*"]), endpoint(["sms.delivery_report"]), endpoint(["*"])}
        endpoint(["voice.*"])
        endpoint(["sms.delivery_report", "ping"], is_active=False)
        app.test_client().post("/api/sms/delivery-reports", data=REPORT)
        app.test_client().post("/api/sms/delivery-reports", data=REPORT)
        due.catch_up()
        due.catch_up()
    (callback,) = stored(Callback)
    about = [row for row in stored(Delivery) if row.event == "sms.delivery_report"]
    assert {row.endpoint_id for row in about} == wanted
    assert {(row.callback_id, row.event_id) for row in about} == {(callback.id, callback.id.replace("cb_", "evt_"))}
    assert (callback.due_at, callback.last_error) == (None, None)


def test_a_refused_callback_means_nothing_to_others(app: Flask, stored: Callable[[type], list[Any]]) -> None:
    with app.app_context():
        endpoint(["*"])
        assert app.test_client().post("/api/sms/delivery-reports", data={"status": "Success"}).status_code == 400
        due.catch_up()
    assert stored(Callback)[0].due_at is None
    assert stored(Delivery) == []


def test_a_reference_is_caught_up_without_the_others(app: Flask, stored: Callable[[type], list[Any]]) -> None:
    with app.app_context():
        for name in ("a", "b"):
            app.test_client().post("/api/sms/delivery-reports", data=REPORT | {"id": name})
        due.catch_up(reference="b")
    assert [(row.reference, row.due_at is None) for row in stored(Callback)] == [("a", False), ("b", True)]


def test_one_that_cannot_be_processed_is_dead_in_the_end_and_can_be_tried_again(app: Flask, stored: Callable[[type], list[Any]]) -> None:
    with app.app_context():
        app.test_client().post("/api/sms/delivery-reports", data=REPORT)
        app.test_client().post("/api/sms/delivery-reports", data=REPORT | {"id": "ATXid_2"})
        # What no schema of today takes: the row is older than the code.
        with writing() as connection:
            connection.execute(update(Callback).where(Callback.reference == "ATXid_1").values(fields={}))
        for _ in range(len(due.PAUSES_S) + 1):
            due.catch_up()
            with writing() as connection:
                soon = Callback.due_at.is_not(None)
                connection.execute(update(Callback).where(soon).values(due_at=datetime(2026, 1, 1, tzinfo=UTC)))
        bad, good = sorted(stored(Callback), key=lambda row: row.reference)
        assert (good.due_at, good.last_error) == (None, None)
        assert (bad.due_at, bad.tries, "ValidationError" in bad.last_error) == (None, 5, True)
        runner = app.test_cli_runner()
        assert bad.id in runner.invoke(args=["callbacks", "list", "--state", "dead"]).stdout
        assert runner.invoke(args=["callbacks", "retry", good.id]).exit_code == 1
        assert runner.invoke(args=["callbacks", "retry", bad.id]).exit_code == 0
    assert min(stored(Callback), key=lambda row: row.reference).due_at is not None
