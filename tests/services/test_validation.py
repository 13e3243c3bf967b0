"""The rule of flows/ that airtime and payments are asked about: it can only refuse, and never harm."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.models import Callback
from services.apps import Flows
from tests.samples import post


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
