"""Messages: whatever the order of reports and answers, the same state stands, and each end is told once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from app.extensions import writing
from app.models import Cost, Event, Message
from services import due
from tests.invoking import ONLY_SQLITE, URLS
from tests.samples import post
from tests.services.ledger.folding import PHONE, Step, Stored, folded, in_every_order, kept, ordered, part
from tests.stub_at import StubAT

ID = "ATXid_1"
SENT = {"provider_id": ID, "status": "Success", "cost": Decimal("0.8000"), "cost_currency": "KES"}


def report(app: Flask, status: str, **fields: str) -> Any:
    return kept(app, "sms.delivery_report", {"id": ID, "status": status, "phoneNumber": PHONE, "networkCode": "63902", **fields})


Report = tuple[str, dict[str, str]]
SETS: dict[str, tuple[list[Report], tuple[Any, ...], str]] = {
    "the usual way": (
        [("Queued", {}), ("Sent", {}), ("Buffered", {}), ("Success", {})], ("Success", None, None, None), "message.delivered"),
    "two ends": (
        [("Sent", {"retryCount": "2"}), ("Failed", {"failureReason": "DeliveryFailure"}), ("Success", {}), ("Expired", {})],
        ("Success", None, ["Expired", "Failed", "Success"], 2), ""),
    "two names of one end": (
        [("Delivered", {}), ("Success", {}), ("submitted", {}), ("Success", {"retryCount": "1"})], ("Success", None, None, 1), "message.delivered"),
    "words that nobody knows": (
        [("Queued", {}), ("Teleported", {}), ("Beamed", {}), ("Queued", {"retryCount": "1"})], ("Teleported", None, None, 1), "nothing"),
    "the reason of the last try": (
        [("Failed", {"retryCount": "1", "failureReason": "UserIsInactive"}), ("Failed", {"retryCount": "0", "failureReason": "UserInBlackList"}),
            ("Failed", {"retryCount": "2"}), ("Sent", {"failureReason": "None"})], ("Failed", "UserIsInactive", None, 2), "message.failed"),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_reports_end_alike_in_every_order(app: Flask, name: str) -> None:
    reports, expected, event = SETS[name]
    (row,), told = in_every_order(app, [report(app, word, **fields) for word, fields in reports], Message)
    assert part(row, "state", "reason", "conflicts", "retry_count") == expected
    assert part(row, "phone", "network_code", "direction", "provider_id") == (PHONE, "63902", "out", ID)
    if event:
        assert all(names == ([event] if event != "nothing" else []) for names in told)
    else:
        assert {tuple(names) for names in told} == {("message.delivered",), ("message.failed", "message.delivered")}


@ONLY_SQLITE
def test_a_delivery_after_a_failure_is_told_and_a_failure_after_a_delivery_is_not(app: Flask) -> None:
    failed, delivered = report(app, "Failed"), report(app, "Success")
    assert folded(app, [failed, delivered, delivered], Message)[1] == ["message.failed", "message.delivered"]
    assert folded(app, [report(app, "Delivered"), failed, delivered], Message)[1] == ["message.delivered"]


def test_the_answer_to_an_order_may_come_after_all_reports(app: Flask) -> None:
    steps = [
        ordered("sms.bulk", SENT, message="Hello", sender_id="MyBrand"), report(app, "Buffered"), report(app, "Queued"),
        kept(app, "sms.delivery_report", {"id": ID, "status": "Rejected", "phoneNumber": "254711000017", "failureReason": "UserInBlackList"}),
    ]  # fmt: skip
    (row, cost), told = in_every_order(app, steps, Message, Cost)
    assert part(row, "state", "reason", "text", "own", "invocation_id", "reference") == (
        "Rejected", "UserInBlackList", "Hello", "MyBrand", "inv_1", "order-1042")  # fmt: skip
    assert part(cost, "source", "day", "amount", "currency") == (f"sms:{ID}", "2026-03-04", Decimal("0.8000"), "KES")
    assert all(names == ["message.failed"] for names in told)


@pytest.mark.parametrize(("status", "state"), [("Success", "Sent"), ("Sent", "Sent"), ("Queued", "Queued"), ("Processed", "Queued")])
def test_the_answer_to_an_order_ends_nothing(app: Flask, status: str, state: str) -> None:
    (row,), told = folded(app, [ordered("sms.premium", {**SENT, "status": status}, message="Hi", sender="12345", link_id="L1")], Message)
    assert (part(row, "state", "own", "link_id"), told) == ((state, "12345", "L1"), [])


def test_what_was_sent_and_delivered_is_told_with_all_that_is_known(sending: Callable[..., Flask], at: StubAT, stored: Stored) -> None:
    app = sending()
    client = app.test_client()
    invocation_id = client.get(URLS["sms.bulk"] + "&reference=order-1042").get_json()["invocation"]["id"]
    assert [(row.state, row.provider_id) for row in stored(Message)] == [("Sent", at.last_id)]
    for status in ("Sent", "Success", "Failed"):
        post(client, "sms.delivery_report", {"id": at.last_id, "status": status, "phoneNumber": "+254711000000"})
        with app.app_context():
            due.catch_up()
    (event,) = stored(Event)
    assert (event.name, event.phone, event.reference) == ("message.delivered", "+254711000000", at.last_id)
    assert event.data == {
        "messageId": at.last_id, "phoneNumber": "+254711000000", "status": "Success", "reason": None, "reference": "order-1042",
        "invocationId": invocation_id, "cost": "KES 0.8000",
    }  # fmt: skip
    assert [(row.state, row.conflicts, row.cost) for row in stored(Message)] == [("Success", ["Failed", "Success"], Decimal("0.8000"))]
    assert [row.day for row in stored(Cost)] == [datetime.now(UTC).date().isoformat()]


def test_each_message_of_an_order_has_a_row(sending: Callable[..., Flask], at: StubAT, stored: Stored) -> None:
    def own_ids(answer: dict[str, Any]) -> dict[str, Any]:
        for number, recipient in enumerate(answer["SMSMessageData"]["Recipients"]):
            recipient.update({"messageId": f"m{number}"} | ({"statusCode": 403, "cost": "0"} if number == 2 else {}))
        return answer

    app = sending()
    kept(app, "sms.delivery_report", {"id": "m1", "status": "Success", "phoneNumber": "+254711000001"})
    with app.app_context():
        due.catch_up()
    at.change = own_ids
    app.test_client().get("/api/sms/invoke-bulk-sms?phone=254711000000,254711000001,254711000002,254711000003&message=x")
    rows = {row.provider_id: (row.phone, row.state, row.text) for row in stored(Message)}
    assert rows == {"m0": ("+254711000000", "Sent", "x"), "m1": ("+254711000001", "Success", "x"), "m3": ("+254711000003", "Sent", "x")}
    assert [row.source for row in stored(Cost)] == ["sms:m0", "sms:m1", "sms:m3"]


def test_reports_that_are_folded_at_once_tell_one_end(app: Flask, stored: Stored) -> None:
    steps = [report(app, status, retryCount=str(number)) for number, status in enumerate(["Success", "Sent", "Delivered", "Buffered"])]
    together = Barrier(len(steps))

    def fold(step: Step) -> None:
        together.wait(10)
        with app.app_context(), writing() as connection:
            step(connection)

    with ThreadPoolExecutor(len(steps)) as threads:
        list(threads.map(fold, steps))
    assert [(row.state, row.retry_count, row.conflicts) for row in stored(Message)] == [("Success", 3, None)]
    assert [event.name for event in stored(Event)] == ["message.delivered"]


def test_a_message_that_came_in_is_kept_with_its_text(app: Flask) -> None:
    fields = {
        "id": "7",
        "from": "254711000017",
        "to": "12345",
        "date": "2026-03-04 10:30:00",
        "text": "YES",
        "linkId": "L1",
        "cost": "KES 1.5",
    }
    steps = [kept(app, "sms.incoming_message", fields), kept(app, "sms.incoming_message", fields | {"text": "NO", "networkCode": "63902"})]
    steps.append(kept(app, "sms.incoming_message", fields | {"text": "NO", "cost": "USD 2"}))
    (row, cost), told = in_every_order(app, steps, Message, Cost)
    assert part(row, "direction", "state", "phone", "own", "text", "link_id", "network_code") == (
        "in", "received", PHONE, "12345", "YES", "L1", "63902")  # fmt: skip
    assert (part(cost, "source", "product", "amount"), told[0]) == (("sms:in:7", "sms", Decimal("1.5")), [])
    assert part(row, "cost", "currency") == (Decimal("1.5"), "KES")


@pytest.mark.parametrize("fields", [{"id": "None", "status": "Success"}, {"id": ID, "status": "None"}])
def test_what_names_nothing_makes_no_row(app: Flask, fields: dict[str, str]) -> None:
    assert folded(app, [kept(app, "sms.delivery_report", fields)], Message) == ([], [])


@pytest.mark.parametrize("number", ["9" * 18, "-1", "two"])
def test_a_number_that_no_column_holds_is_left_out(app: Flask, number: str) -> None:
    (row,), _ = folded(app, [report(app, "Sent", retryCount=number)], Message)
    assert row["retry_count"] is None
