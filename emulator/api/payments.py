"""Payments and mobile data, and the questions about them, which airtime shares."""

from typing import Any

from flask import Blueprint, Response, jsonify

from emulator import payments
from emulator.api.door import asked, given, guard, idempotency_key
from emulator.clock import at_time
from emulator.errors import Refused
from emulator.here import the_world
from emulator.ids import PAYMENTS, new_id
from emulator.reading import whole_of
from emulator.settings import CURRENCY, money, read_sum

bp = guard(Blueprint("payments", __name__))

MOST_LISTED = 10


@bp.post("/mobile/checkout/request")
def checkout() -> tuple[Response, int]:
    """A person is asked to pay."""
    world = the_world()
    order = given("username", "productName", "phoneNumber", "currencyCode", "amount", optional=("metadata",))
    number, product, currency = (str(order[name]) for name in ("phoneNumber", "productName", "currencyCode"))
    return jsonify(payments.checkout(world, number, product, currency, order["amount"], _mapped(order["metadata"]))), 201


@bp.post("/mobile/b2c/request")
def pay_out() -> tuple[Response, int]:
    """People are paid."""
    world = the_world()
    order = given("username", "productName", "recipients")
    return jsonify(payments.pay_out(world, str(order["productName"]), _listed(order["recipients"]), idempotency_key())), 201


@bp.post("/mobile/data/request")
def send_data() -> tuple[Response, int]:
    """People get mobile data."""
    world = the_world()
    order = given("username", "productName", "recipients")
    return jsonify(payments.send_data(world, str(order["productName"]), _listed(order["recipients"]), idempotency_key())), 201


@bp.post("/topup/stash")
def top_up() -> tuple[Response, int]:
    """Money goes from the wallet to the account that messages, calls and airtime are paid from."""
    world = the_world()
    order = given("username", "productName", "currencyCode", "amount", optional=("metadata",))
    value = read_sum(f"{order['currencyCode']} {order['amount']}")
    transaction = new_id(PAYMENTS)
    with world.changing():
        settings = world.settings
        if value <= 0 or settings.wallet < value:
            return jsonify(description="Insufficient balance", status="Failed", transactionId=transaction), 201
        settings.wallet -= value
        settings.balance += value
    return jsonify(description=f"Topped up user stash. New Stash Balance: {money(settings.balance)}", status="Success",
                   transactionId=transaction), 201  # fmt: skip


@bp.get("/query/transaction/find")
def find() -> Response:
    """One payment, mobile data or airtime."""
    world = the_world()
    return jsonify(payments.find(world, asked("username", "transactionId")["transactionId"]))


@bp.get("/query/transaction/fetch")
def fetch() -> Response:
    """The payments of a product, newest first."""
    world = the_world()
    query = asked("username", "productName", optional=("pageNumber", "count"))
    page, count = (whole_of(query[name], name) for name in ("pageNumber", "count"))
    page, count = page or 1, count or MOST_LISTED
    with world.lock:
        found = [one for one in world.state.transactions.values() if one.details.get("productName") == query["productName"]]
        shown = [payments.notification(one) | {"creationTime": at_time(one.at)} for one in reversed(found)]
    return jsonify(status="Success", responses=shown[(page - 1) * count : page * count])


@bp.get("/query/wallet/balance")
def balance() -> Response:
    """What is in the wallet; in units where they are whole."""
    world = the_world()
    asked("username")
    wallet = world.settings.wallet
    is_whole = wallet == wallet.to_integral_value()
    return jsonify(status="Success", balance=f"{CURRENCY} {wallet:.0f}" if is_whole else money(wallet))


def _mapped(value: Any) -> dict[str, Any]:
    if value in (None, ""):
        return {}
    if not isinstance(value, dict):
        raise Refused("The request content was malformed: metadata must be an object")
    return value


def _listed(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Refused("The request content was malformed: recipients must be a list of objects")
    return value
