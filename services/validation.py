"""Answers Africa's Talking's question whether airtime, or a payment, that is about to move money is expected."""

import logging
from time import monotonic
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.errors import StorageUnavailable, first_line
from app.schemas import answers
from app.schemas.answers import Answer
from app.schemas.fields import Amount
from app.settings import Settings
from services.apps import Apps
from services.expected import claim
from services.inbox import Received

logger = logging.getLogger(__name__)


def validate(received: Received, apps: Apps) -> Answer:
    """Return Validated only when everything says so; whatever goes wrong on the way is Failed."""
    order = _order(received.data)
    if order is None:
        return answers.FAILED.because("no amount that can be read")
    if received.kind == "airtime.validation" and apps.settings.airtime_validation == "ledger":
        began = monotonic()
        doubt = _not_ours(received, order, apps.settings)
        received.waited_s = monotonic() - began
        if doubt:
            return answers.FAILED.because(f"AIRTIME_VALIDATION is 'ledger', and {doubt}")
    return apps.guarded("the validation rule", answers.FAILED, lambda: _by_rule(order, apps))


def _not_ours(received: Received, order: dict[str, Any], settings: Settings) -> str | None:
    try:
        # A replay without effects is answered as it would be, and takes no order.
        return claim(order, received.fields, settings, received.received_at, takes=received.has_effects)
    except (SQLAlchemyError, StorageUnavailable, ArithmeticError, ValueError) as error:
        logger.error("airtime not validated: %s", first_line(error))
        return "the ledger could not be asked"


def _by_rule(order: dict[str, Any], apps: Apps) -> Answer:
    expected = apps.budget.run("airtime", lambda: apps.flows.airtime(order))
    return answers.VALIDATED if expected else answers.FAILED.because("the validation rule refused it")


def _order(data: dict[str, Any]) -> dict[str, Any] | None:
    money = data.get("amount") or data.get("value")
    if not isinstance(money, Amount):
        return None
    return {**data, "amount": money.value, "currency": money.currency or data.get("currency_code")}
