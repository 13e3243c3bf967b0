"""The rule of flows/ that airtime and payments are asked about: it can only refuse, and never harm."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app.models import Callback, Recipient
from services.apps import Flows
from tests import stub_at
from tests.invoking import ONLY_SQLITE
from tests.samples import post
from tests.stub_at import StubAT


def with_rule(app: Flask, rule: Callable[[dict[str, Any]], bool]) -> Flask:
    apps = app.extensions["pokea.apps"]
    app.extensions["pokea.apps"] = replace(apps, flows=replace(apps.flows, airtime=rule))
    return app


@pytest.mark.parametrize("kind", ["airtime.validation", "payments.validation"])
@pytest.mark.parametrize(
    ("rule", "answer"), [(lambda order: order["amount"] == 500 or order["amount"] == 375, "Validated"), (lambda _order: False, "Failed")]
)
def test_the_rule_decides(app: Flask, kind: str, rule: Callable, answer: str) -> None:
    assert post(with_rule(app, rule).test_client(), kind).text == f'{{"status":"{answer}"}}'


def test_the_rule_gets_number_amount_and_currency(app: Flask) -> None:
    seen: list[dict[str, Any]] = []
    client = with_rule(app, lambda order: bool(seen.append(order)) or True).test_client()
    post(client, "payments.validation", {"phoneNumber": "+254711000017", "value": "KES 412", "productName": "duka"})
    assert (seen[0]["phone_number"], seen[0]["amount"], seen[0]["currency"]) == ("+254711000017", 412, "KES")


def test_a_rule_that_breaks_or_hangs_is_a_failed_validation(make_app: Callable[..., Flask], stored: Callable) -> None:
    hang = threading.Event()
    app = with_rule(make_app(app_budget_s=0.2), lambda _order: 1 / 0 > 0)
    assert post(app.test_client(), "airtime.validation").text == '{"status":"Failed"}'
    with_rule(app, lambda _order: hang.wait(5))
    assert post(app.test_client(), "payments.validation").text == '{"status":"Failed"}'
    hang.set()
    flags = [row.flags[0] for row in stored(Callback)]
    assert flags[0].startswith("the validation rule failed: ZeroDivisionError at test_validation.py line ")
    assert flags[1].startswith("the validation rule did not answer in time")


def test_the_table_of_flows_needs_no_rule() -> None:
    assert Flows().airtime({}) is True


LIVE = {
    "at_mode": "live", "at_username": "acme", "at_api_key": "live-key-12345678", "callback_token": ("c" * 24,), "invoke_token": "i" * 32,
}  # fmt: skip
TOKEN = "&token=" + "i" * 32
ORDER = "/api/airtime/invoke-send-airtime?phone=254711000017&amount=50&currency=KES" + TOKEN


def asked(client: FlaskClient, transaction: str, **changes: Any) -> str:
    """Ask as Africa's Talking would, and return the status answered."""
    fields = {"transactionId": transaction, "phoneNumber": "+254711000017", "currencyCode": "KES", "amount": 50.0, **changes}
    return post(client, "airtime.validation", fields, path="/api/airtime/validation?token=" + "c" * 24).get_json()["status"]


@pytest.fixture
def live(sending: Callable[..., Flask], at: StubAT) -> Callable[..., Flask]:
    return lambda **settings: sending(**{**LIVE, "at_base_url": at.url, "at_timeout_s": 0.5, **settings})


def test_live_only_what_this_app_sent_is_validated(live: Callable[..., Flask], stored: Callable) -> None:
    client = live().test_client()
    assert asked(client, "T0") == "Failed"
    assert client.get(ORDER).status_code == 200
    assert asked(client, "T1", amount=51) == "Failed"
    assert asked(client, "T2", phoneNumber="+254711000018") == "Failed"
    assert asked(client, "T3", currencyCode="UGX") == "Failed"
    assert asked(client, "T4") == "Validated"
    assert asked(client, "T4") == "Validated"  # a repeat is answered alike
    assert asked(client, "T5") == "Failed"  # the order is taken
    assert [row.validated_for for row in stored(Recipient)] == ["T4"]
    assert client.get(ORDER + "&again=1").status_code == 200
    assert asked(client, "T6", phoneNumber="254711000017", amount="50") == "Validated"


def test_one_order_is_validated_for_one_of_eight_at_once(live: Callable[..., Flask]) -> None:
    app = live()
    app.test_client().get(ORDER)
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda n: asked(app.test_client(), f"T{n}"), range(8)))
    assert sorted(told) == ["Failed"] * 7 + ["Validated"]


@pytest.mark.parametrize(("fault", "told"), [(stub_at.reset, "Validated"), (stub_at.status(400), "Failed")], ids=["unknown", "refused"])
def test_an_order_that_may_have_been_sent_is_expected(live: Callable[..., Flask], at: StubAT, fault: stub_at.Fault, told: str) -> None:
    client, at.fault = live().test_client(), fault
    client.get(ORDER)
    assert asked(client, "T1") == told


def test_africas_talking_may_ask_while_the_order_is_under_way(live: Callable[..., Flask], at: StubAT) -> None:
    app, told = live(at_timeout_s=5.0), []

    def ask(answer: dict[str, Any]) -> dict[str, Any]:
        told.append(asked(app.test_client(), "T1"))
        return answer

    at.change = ask
    assert app.test_client().get(ORDER).status_code == 200
    assert told == ["Validated"]


def test_the_daily_cap_of_a_number_holds(live: Callable[..., Flask]) -> None:
    client = live(airtime_daily_cap=Decimal(100)).test_client()
    for number in range(3):
        assert client.get(ORDER + f"&reference={number}").status_code == 200
    assert [asked(client, f"T{number}") for number in range(3)] == ["Validated", "Validated", "Failed"]


def test_the_rule_can_refuse_what_the_ledger_let_pass(live: Callable[..., Flask]) -> None:
    client = with_rule(live(), lambda _order: False).test_client()
    client.get(ORDER)
    assert asked(client, "T1") == "Failed"


def test_yesterdays_order_is_over(live: Callable[..., Flask]) -> None:
    client = live().test_client()
    with time_machine.travel(datetime(2026, 3, 4, 10, 0, tzinfo=UTC), tick=True) as clock:
        client.get(ORDER)
        clock.shift(timedelta(hours=25))
        assert asked(client, "T1") == "Failed"


@ONLY_SQLITE
@pytest.mark.parametrize("amount", [999999999999999, "10000000000", 50.00004, -50, 0], ids=str)
def test_amounts_that_no_order_has_are_failed(live: Callable[..., Flask], amount: object) -> None:
    client = live().test_client()
    client.get(ORDER)
    assert asked(client, "T1", amount=amount) == "Failed"
    assert asked(client, "T2") == "Validated"


def test_the_cap_holds_for_an_order_that_was_tried_again(live: Callable[..., Flask], at: StubAT) -> None:
    client = live(airtime_daily_cap=Decimal(60)).test_client()
    at.fault = stub_at.status(402, b"Insufficient balance")
    client.get(ORDER + "&idempotencyKey=order-1042")
    at.fault = None
    client.get(ORDER + "&idempotencyKey=order-1043")
    assert asked(client, "T1") == "Validated"
    assert client.get(ORDER + "&idempotencyKey=order-1042").status_code == 200
    assert asked(client, "T2") == "Failed"


def test_a_transaction_takes_no_second_order(live: Callable[..., Flask], stored: Callable) -> None:
    client = live().test_client()
    client.get(ORDER)
    client.get(ORDER.replace("254711000017", "254711000018"))
    assert asked(client, "T1") == "Validated"
    assert asked(client, "T1", phoneNumber="+254711000018") == "Failed"
    assert asked(client, "T2", phoneNumber="+254711000018") == "Validated"
    assert [row.validated_for for row in stored(Recipient)] == ["T1", "T2"]
