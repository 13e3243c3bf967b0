"""Airtime: asked about, sent to a phone, and reported."""

import json
from decimal import Decimal
from typing import Any

from emulator import line
from emulator.caller import Said
from emulator.errors import Refused
from emulator.ids import AIRTIME, new_id
from emulator.networks import is_number
from emulator.once import DUPLICATE, forget, is_repeat
from emulator.reading import read_json
from emulator.settings import CURRENCY, money, read_sum
from emulator.state import Transaction, keep
from emulator.world import World

DISCOUNT = Decimal("0.04")
# In shillings. Sources: Africa's Talking's .Net SDK (most), its currencies as other SDKs have them (least).
LEAST, MOST = Decimal(5), Decimal(10_000)
VERDICTS = ("Validated", "Failed")
NO_VERDICT = 'a validation must be answered with 200 and {"status":"Validated"} or {"status":"Failed"}'
SOURCE_ADDRESS = "127.0.0.1"
DELIVERED_AFTER_S = 1.0


def send(world: World, recipients: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """Send airtime to several and return the whole answer. A key that was seen is answered as a duplicate."""
    with world.changing():
        if is_repeat(world, key):
            return _answer([], Decimal(0), Decimal(0), DUPLICATE)
        sent = [_send_one(world, one) for one in recipients]
        accepted = [transaction for _, transaction in sent if transaction]
        for transaction in accepted:
            world.later(0.2, "airtime.validate", transaction.id, transaction_id=transaction.id)
        if not accepted:
            forget(world, key)
    total = sum((one.amount for one in accepted), Decimal(0))
    refused = [one["errorMessage"] for one, transaction in sent if not transaction]
    problem = str(refused[0]) if refused and not accepted else "None"
    return _answer([one for one, _ in sent], total, total * DISCOUNT, problem)


def _answer(responses: list[dict[str, Any]], total: Decimal, discount: Decimal, problem: str) -> dict[str, Any]:
    return {
        "errorMessage": problem,
        "numSent": sum(one["status"] == "Sent" for one in responses),
        "responses": responses,
        "totalAmount": money(total),
        "totalDiscount": money(discount),
    }


def read_recipients(text: Any) -> list[dict[str, Any]]:
    """Read `recipients` of an order, JSON text or a list. Raises Refused."""
    try:
        recipients = read_json(text) if isinstance(text, str) else text
    except ValueError:
        recipients = None
    if not isinstance(recipients, list) or not recipients or not all(isinstance(one, dict) for one in recipients):
        raise Refused("The request content was malformed: recipients must be a JSON list of phoneNumber and amount")
    return recipients


def _send_one(world: World, order: dict[str, Any]) -> tuple[dict[str, Any], Transaction | None]:
    number = str(order.get("phoneNumber", ""))
    amount, problem = _checked(world, number, order)
    shown = money(amount)
    if problem:
        refused = {"amount": shown, "discount": "0", "errorMessage": problem, "phoneNumber": number}
        return refused | {"requestId": "None", "status": "Failed"}, None
    discount = amount * DISCOUNT
    world.settings.balance -= amount - discount
    world.phone(number)
    transaction = Transaction(new_id(AIRTIME), "airtime", number, amount, "Sent", world.now(), {"discount": money(discount)})
    keep(world.state.transactions, transaction.id, transaction)
    taken = {"amount": shown, "discount": money(discount), "errorMessage": "None", "phoneNumber": number}
    return taken | {"requestId": transaction.id, "status": "Sent"}, transaction


def _checked(world: World, number: str, order: dict[str, Any]) -> tuple[Decimal, str]:
    """Return the sum of one order, and what is wrong with it, "" when nothing is."""
    try:
        given = order.get("amount", "")
        amount = read_sum(f"{order['currencyCode']} {given}" if order.get("currencyCode") else given)
    except Refused:
        return Decimal(0), f"Invalid amount: only {CURRENCY} is sold here"
    if not is_number(number):
        return amount, "Invalid phone number"
    if not LEAST <= amount <= MOST:
        return amount, "Value is outside the allowed limits"
    if _is_duplicate(world, number, amount):
        return amount, DUPLICATE
    return amount, "Insufficient Credit" if world.settings.balance < amount * (1 - DISCOUNT) else ""


def _is_duplicate(world: World, number: str, amount: Decimal) -> bool:
    since = world.now() - world.settings.duplicate_airtime_s
    return any(
        one.sort == "airtime" and (one.phone, one.amount) == (number, amount) and one.at > since
        for one in world.state.transactions.values()
    )


def validate(world: World, transaction_id: str) -> None:
    """Ask the application whether an order is its own; what is not validated is not sent."""
    with world.lock:
        order = world.state.transactions.get(transaction_id)
    if not order:
        return
    asked = {"transactionId": order.id, "phoneNumber": order.phone, "sourceIpAddress": SOURCE_ADDRESS, "currencyCode": CURRENCY}
    problem = not_validated(world, "airtime.validation", asked | {"amount": float(order.amount)}, order.phone)
    world.later(DELIVERED_AFTER_S, "airtime.finish", order.id, transaction_id=order.id, problem=problem)


def not_validated(world: World, kind: str, fields: dict[str, Any], phone: str) -> str:
    """Ask the application about an order; return why it may not go on, "" when it may. Where no address is set, it may."""
    if world.settings.url_of(kind) is None:
        return ""
    said = line.ask(world, kind, fields, phone, lambda said: "" if _verdict(said) else NO_VERDICT)
    verdict = _verdict(said) if said else None
    if verdict == "Validated":
        return ""
    return f"Your application did not {'validate the transaction' if verdict else 'answer the validation'}"


def _verdict(said: Said) -> str | None:
    """Return what a validation was answered with, Validated or Failed, None for anything else."""
    try:
        status = json.loads(said.text)["status"] if said.status == 200 else None
    except (ValueError, KeyError, TypeError):
        return None
    return status if status in VERDICTS else None


def finish(world: World, transaction_id: str, problem: str) -> None:
    """Put the airtime on its phone, or give the money back, and tell the application."""
    with world.changing() as state:
        order = state.transactions.get(transaction_id)
        if not order or order.status != "Sent":
            return
        if not problem and world.settings.magic_of(order.phone) == "airtime_fails":
            problem = "The operator did not take the airtime"
        order.status = "Failed" if problem else "Success"
        if problem:
            world.settings.balance += order.amount * (1 - DISCOUNT)
        else:
            world.phone(order.phone).airtime += order.amount
        told = {"phoneNumber": order.phone, "description": problem or "Airtime Delivered Successfully", "status": order.status}
        told |= {"requestId": order.id, "discount": order.details["discount"], "value": money(order.amount)}
        line.tell(world, "airtime.status", told, order.id, order.phone)
