from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.models import Callback
from tests.samples import post

Stored = Callable[[type], list[Any]]
MESSAGE = {"id": "m1", "from": "+254711000017", "to": "12345", "date": "2026-03-04 10:30:00", "text": "Hello"}


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        (MESSAGE, {"status": "webhook_received"}),
        ({"id": "r1", "status": "Success", "phoneNumber": "+254711000017"}, {"status": "webhook_received"}),
        (
            MESSAGE | {"text": " yes-C42 "},
            {"status": "webhook_received", "action": "confirm", "contract_id": "C42", "phone_number": "+254711000017"},
        ),
        (
            MESSAGE | {"text": "NO-C42"},
            {"status": "webhook_received", "action": "reject", "contract_id": "C42", "phone_number": "+254711000017"},
        ),
        (MESSAGE | {"text": "YES, C42"}, {"status": "webhook_received"}),
    ],
    ids=["message", "report", "yes", "no", "neither"],
)
def test_messages_and_reports_are_told_apart(client: FlaskClient, stored: Stored, fields: dict[str, str], answer: dict[str, str]) -> None:
    assert client.post("/api/v1/sms/webhook", data=fields).get_json() == answer
    [row] = stored(Callback)
    assert row.kind == ("sms.delivery_report" if "status" in fields else "sms.incoming_message")


@pytest.mark.parametrize("path", ["/api/v1/sms/webhook", "/api/v1/voice/webhook", "/api/v1/payments/webhook"])
def test_what_lacks_its_identity_is_an_error(client: FlaskClient, path: str) -> None:
    answer = client.post(path, data={"phoneNumber": "+254711000017"})
    assert (answer.status_code, answer.get_json()["status"]) == (400, "webhook_error")
    assert "Missing" in answer.get_json()["error"]


@pytest.mark.parametrize("amount", ["1,000.00", "KES 1,000", "1000"])
def test_amounts_are_read_in_every_form(client: FlaskClient, stored: Stored, amount: str) -> None:
    body = {"transactionId": "t1", "status": "PendingConfirmation", "phoneNumber": "+254711000017", "amount": amount}
    assert client.post("/api/v1/payments/webhook", data=body).get_json() == {"status": "webhook_processed", "transaction_id": "t1"}
    assert stored(Callback)[0].flags is None


def test_the_full_notification_is_taken_too(client: FlaskClient) -> None:
    assert post(client, "payments.notification", path="/api/v1/payments/webhook").get_json()["status"] == "webhook_processed"


def test_a_duration_that_is_no_number_is_kept_as_sent(client: FlaskClient, stored: Stored) -> None:
    client.post("/api/v1/voice/webhook", data={"sessionId": "s", "duration": "long", "status": "no-answer"})
    [row] = stored(Callback)
    assert (row.state, row.fields["duration"], row.flags) == ("accepted", "long", ["duration is not a whole number"])


def test_errors_say_success_false(client: FlaskClient) -> None:
    assert client.get("/api/v1/nothing").get_json()["success"] is False
    assert "success" not in client.get("/api/nothing").get_json()
