"""Answers Africa's Talking's question whether airtime, or a payment, that is about to move money is expected."""

from typing import Any

from app.schemas import answers
from app.schemas.answers import Answer
from app.schemas.fields import Amount
from services.apps import Apps
from services.inbox import Received


def validate(received: Received, apps: Apps) -> Answer:
    """Return Validated only when everything says so; whatever goes wrong on the way is Failed."""
    order = _order(received.data)
    if order is None:
        return answers.FAILED.because("no amount that can be read")
    if received.kind == "airtime.validation" and apps.settings.airtime_validation == "ledger":
        # Only what this app sent is validated, and it has sent no airtime.
        return answers.FAILED.because("AIRTIME_VALIDATION is 'ledger', and no order of this app matches")
    return apps.guarded("the validation rule", answers.FAILED, lambda: _by_rule(order, apps))


def _by_rule(order: dict[str, Any], apps: Apps) -> Answer:
    expected = apps.budget.run("airtime", lambda: apps.flows.airtime(order))
    return answers.VALIDATED if expected else answers.FAILED.because("the validation rule refused it")


def _order(data: dict[str, Any]) -> dict[str, Any] | None:
    money = data.get("amount") or data.get("value")
    if not isinstance(money, Amount):
        return None
    return {**data, "amount": money.value, "currency": money.currency or data.get("currency_code")}
