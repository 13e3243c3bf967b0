"""Payments, in either direction: what orders and notifications say of each, and the fee that it cost."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from app.models import Callback, Invocation, Payment, Recipient
from app.schemas.callbacks import KINDS
from app.schemas.fields import Amount, is_phone
from services.ledger import costs
from services.ledger.readings import amount_of, key_of, larger, larger_amount, money, named, phone_between, phone_of
from services.ledger.rows import Row, changed, held, new_id, sources
from services.ledger.states import PAYMENTS

CHECKOUT = "MobileCheckout"
NOTIFICATION = "payments.notification"


def notification(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add a notification, in Africa's Talking's form or in a shorter one."""
    provider_id, word = key_of(data["transaction_id"]), named(data["status"])
    if provider_id is None or word is None:
        return
    fields = callback.fields
    row = _row(connection, provider_id, callback.received_at, now)
    told = amount_of(data.get("value"), fields.get("currencyCode")) or amount_of(data.get("amount"), fields.get("currencyCode"))
    values = PAYMENTS.risen(row, word, named(fields.get("description"))) | money(row, told) | sources(row, callback.received_at)
    values |= {
        "phone": row["phone"] if row["invocation_id"] else phone_between(row["phone"], _phone(data)),
        "category": larger(row["category"], named(data.get("category"))),
        "product_name": larger(row["product_name"], named(data.get("product_name"))),
        "about": _about(row["about"], data.get("request_metadata") or fields.get("metadata")),
    }
    _write(connection, row, values, amount_of(data.get("transaction_fee")), now)


def started(connection: Connection, invocation: Invocation, recipients: Sequence[Recipient], now: datetime) -> None:
    """Add the payments of a checkout that were taken."""
    for recipient in recipients:
        row = _row(connection, str(recipient.provider_id), invocation.called_at, now)
        word = PAYMENTS.spelled(recipient.status or "")
        # The answer to an order ends nothing: a notification does.
        state = word if any(word in step for step in PAYMENTS.steps[:-1]) else PAYMENTS.steps[0][0]
        told = Amount(recipient.amount, recipient.currency) if recipient.amount is not None else None
        values = PAYMENTS.risen(row, state, None) | money(row, told) | sources(row, invocation.called_at, invocation)
        values |= {
            "phone": recipient.phone,
            "category": larger(row["category"], CHECKOUT),
            "product_name": larger(row["product_name"], invocation.ordered.get("product_name")),
            "about": _about(row["about"], invocation.ordered.get("metadata")),
        }
        fee = Amount(recipient.cost, recipient.cost_currency) if recipient.cost is not None else None
        _write(connection, row, values, fee, now)


def _row(connection: Connection, provider_id: str, since: datetime, now: datetime) -> Row:
    new = {"id": new_id("pay", since), "state": PAYMENTS.steps[0][0], "created_at": since, "updated_at": now}
    return held(connection, Payment, {"provider_id": provider_id}, new)


def _phone(data: dict[str, Any]) -> str | None:
    """Return whose payment it is: the first that is a number, for the own side is a word."""
    sides = [phone_of(data.get(name)) for name in ("phone_number", "source", "destination")]
    return next((side for side in sides if side and is_phone(side)), sides[0])


def _about(known: dict[str, Any] | None, told: Any) -> dict[str, Any] | None:
    if not isinstance(told, dict) or not told:
        return known
    return max((one for one in (known, told) if one), key=lambda one: json.dumps(one, sort_keys=True))


def _write(connection: Connection, row: Row, values: Row, fee: Amount | None, now: datetime) -> None:
    fee = _fee(connection, row, fee)
    row = changed(connection, Payment, row, values | {"fee": fee and fee.value}, now)
    if fee:
        has_failed = PAYMENTS.is_end(row["state"]) and row["state"] != "Success"
        paid, currency = None if has_failed else fee.value, fee.currency or row["currency"]
        costs.put_one(connection, "payments", row["provider_id"], row["created_at"], row["phone"], paid, currency)


def _fee(connection: Connection, row: Row, told: Amount | None) -> Amount | None:
    """Return the fee that counts of all that were told, in its own currency: the row's currency is that of the value."""
    notified = select(Callback.fields).where(
        Callback.reference == row["provider_id"], Callback.kind == NOTIFICATION, Callback.state != "refused", Callback.has_effects
    )
    ordered = select(Recipient.cost, Recipient.cost_currency).where(Recipient.provider_id == row["provider_id"])
    schema = KINDS[NOTIFICATION].schema
    fees = [amount_of(schema.load(fields).get("transaction_fee")) for fields in connection.scalars(notified)]
    fees += [Amount(cost, currency) for cost, currency in connection.execute(ordered) if cost is not None]
    found = larger_amount(told, *fees)
    # What told of it is kept no more.
    return Amount(row["fee"], row["currency"]) if found is None and row["fee"] is not None else found
