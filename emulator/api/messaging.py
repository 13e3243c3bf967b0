"""SMS: bulk, premium, fetched, hashed; subscriptions."""

from typing import Any

from flask import Blueprint, Response, jsonify

from emulator import sms, subscriptions
from emulator.api.door import asked, given, guard, numbers_in
from emulator.errors import NotFound, Refused
from emulator.here import the_world
from emulator.ids import SAFARICOM_SUBSCRIPTION, new_id
from emulator.networks import is_number
from emulator.reading import whole_of
from emulator.world import World

bp = guard(Blueprint("messaging", __name__))


@bp.post("/version1/messaging")
def send() -> tuple[Response, int]:
    """Bulk (bulkSMSMode=1) and premium (0) messages."""
    world = the_world()
    order = given("username", "to", "message", optional=("from", "bulkSMSMode", "enqueue", "linkId", "keyword"))
    is_premium = str(order["bulkSMSMode"]) == "0"
    sender = order["from"] or sms.DEFAULT_SENDER
    if is_premium and not order["from"]:
        raise Refused("Request is missing required form field 'from'")
    data = sms.send(
        world,
        numbers_in(order["to"]),
        str(order["message"]),
        str(sender),
        is_premium=is_premium,
        is_queued=str(order["enqueue"] or "") in ("1", "true", "True"),
        link_id=str(order["linkId"] or ""),
        keyword=str(order["keyword"] or ""),
    )
    return jsonify(SMSMessageData=data), 201


@bp.get("/version1/messaging")
def fetch() -> Response:
    """Messages to the account."""
    world = the_world()
    query = asked("username", optional=("lastReceivedId",))
    after = whole_of(query["lastReceivedId"], "lastReceivedId")
    return jsonify(SMSMessageData={"Messages": sms.fetch(world, after)})


@bp.post("/version1/messaging/bulk")
def send_hashed() -> tuple[Response, int]:
    """One message to numbers that are known only masked, or to plain ones."""
    world = the_world()
    order = given("username", "message", optional=("maskedNumber", "telco", "senderId", "phoneNumbers"))
    numbers = numbers_in(order["phoneNumbers"] or [])
    if not numbers and not order["maskedNumber"]:
        raise Refused("Request is missing required form field 'phoneNumbers'")
    sender = str(order["senderId"] or sms.DEFAULT_SENDER)
    if not numbers:
        return jsonify(SMSMessageData=_to_masked(world, str(order["maskedNumber"]), sender)), 201
    return jsonify(SMSMessageData=sms.send(world, numbers, str(order["message"]), sender, is_premium=False)), 201


@bp.post("/version1/subscription/safaricom")
def subscribe_safaricom() -> tuple[Response, int]:
    """A subscription that the person confirms on a page of the operator: here, it is made when a number is given."""
    world = the_world()
    order = given("username", "shortCode", "keyword", "redirectUrl", optional=("requestId", "phoneNumber"))
    if order["phoneNumber"]:
        _subscribe(world, order)
    transaction = new_id(SAFARICOM_SUBSCRIPTION)
    return jsonify(responseCode="Success", status="Sent", transactionId=transaction, url=order["redirectUrl"]), 201


@bp.post("/subscription/create")
@bp.post("/version1/subscription/create")
def subscribe() -> tuple[Response, int]:
    """A phone subscribes to a keyword."""
    world = the_world()
    return _subscribe(world, given("username", "shortCode", "keyword", "phoneNumber"))


@bp.post("/subscription/delete")
@bp.post("/version1/subscription/delete")
def unsubscribe() -> tuple[Response, int]:
    """A phone leaves a keyword."""
    world = the_world()
    order = given("username", "shortCode", "keyword", "phoneNumber")
    try:
        subscriptions.unsubscribe(world, str(order["phoneNumber"]), str(order["shortCode"]), str(order["keyword"]))
    except NotFound as unknown:
        return jsonify(status="Failed", description=unknown.message), 201
    return jsonify(status="Success"), 201


@bp.get("/subscription")
@bp.get("/version1/subscription")
def subscribers() -> Response:
    """Who subscribed to a keyword."""
    world = the_world()
    query = asked("username", "shortCode", "keyword", optional=("lastReceivedId",))
    after = whole_of(query["lastReceivedId"], "lastReceivedId")
    found = subscriptions.subscribers(world, query["shortCode"], query["keyword"], after)
    return jsonify(responses=found)


def _subscribe(world: World, order: dict[str, Any]) -> tuple[Response, int]:
    number = str(order["phoneNumber"])
    if not is_number(number):
        return jsonify(status="Failed", description="Invalid phone number"), 201
    subscriptions.subscribe(world, number, str(order["shortCode"]), str(order["keyword"]))
    return jsonify(status="Success"), 201


def _to_masked(world: World, masked: str, sender: str) -> dict[str, Any]:
    """Take a message to a number that nobody here can read: it is on no phone."""
    if not sms.has_sender(world, sender):
        return {"Message": "InvalidSenderId", "Recipients": []}
    taken = {"cost": "0", "messageId": sms.new_id(sms.SMS), "number": masked, "status": "Success", "statusCode": sms.SENT}
    return {"Message": "Sent to 1/1", "Recipients": [taken]}
