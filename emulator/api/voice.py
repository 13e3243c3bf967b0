"""Voice: calls, queues, media, transfers."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from emulator.api.door import JSON, given, guard, numbers_in
from emulator.errors import Refused
from emulator.here import the_world
from emulator.networks import is_landline, is_number
from emulator.state import Action
from emulator.voice import bridges, calls, transfer
from emulator.voice.script import BadScript, check
from emulator.world import World

OWN_ACTIONS = ("Say", "Play", "Dial")


bp = guard(Blueprint("voice", __name__))


@bp.post("/call")
def call() -> Response:
    """The account calls phones."""
    world = the_world()
    order = given("username", "from", "to", optional=("clientRequestId",))
    numbers = numbers_in(order["to"])
    actions = _own_actions()
    with world.changing():
        if str(order["from"]).lower().startswith(("invalid", "wrong")):
            return jsonify(entries=[], errorMessage="InvalidCallerId")
        if world.settings.balance < calls.PRICE_PER_MINUTE:
            return jsonify(entries=[], errorMessage="Insufficient balance")
        entries = [_place(world, number, str(order["from"]), str(order["clientRequestId"] or ""), actions) for number in numbers]
    return jsonify(entries=entries, errorMessage="None")


@bp.post("/queueStatus")
def queue_status() -> Response:
    """How many calls wait."""
    world = the_world()
    order = given("username", "phoneNumbers", optional=("queueName",))
    entries = bridges.queues(world, numbers_in(order["phoneNumbers"]), order["queueName"] or None)
    return jsonify(entries=entries, errorMessage="None", status="Success")


@bp.post("/mediaUpload")
def media_upload() -> tuple[Response, int]:
    """A sound file is kept for quicker playing."""
    world = the_world()
    order = given("username", "phoneNumber", "url")
    with world.changing() as state:
        media = state.media.setdefault(str(order["phoneNumber"]), [])
        if order["url"] not in media:
            media.append(str(order["url"]))
    return jsonify(success=True), 201


@bp.post("/callTransfer")
def call_transfer() -> Response:
    """A connected call is handed on."""
    world = the_world()
    order = given("username", "phoneNumber", "sessionId", optional=("callLeg", "holdMusicUrl"))
    which = str(order["callLeg"] or "callee")
    with world.lock:
        found = world.state.calls.get(str(order["sessionId"]))
    is_begun = (
        found is not None
        and which in transfer.LEGS
        and transfer.begin(world, found, str(order["phoneNumber"]), which, str(order["holdMusicUrl"] or ""))
    )
    status, problem = ("Success", "None") if is_begun else ("Aborted", "The call is not one that can be transferred")
    return jsonify(callTransferResponse={"errorMessage": problem, "status": status})


def _place(world: World, number: str, own: str, client_request_id: str, actions: list[Action]) -> dict[str, Any]:
    problem = "" if is_number(number) else "InvalidPhoneNumber"
    if not problem and not world.network_of(number).country and not is_landline(number):
        problem = "DestinationNotSupported"
    if problem:
        return {"phoneNumber": number, "sessionId": "None", "status": problem}
    made = calls.place(world, number, own, client_request_id, actions)
    return {"phoneNumber": number, "sessionId": made.id, "status": "Queued"}


def _own_actions() -> list[Action]:
    """Return the actions that a JSON order brings itself: {"actionType", "text", …}. Raises Refused."""
    items = given(optional=("callActions",))["callActions"] if request.mimetype == JSON else None
    if not items:
        return []
    if not isinstance(items, list) or not all(isinstance(one, dict) and one.get("actionType") in OWN_ACTIONS for one in items):
        raise Refused(f"The request content was malformed: callActions takes actions of {', '.join(OWN_ACTIONS)}")
    return [_own_action(one) for one in items]


def _own_action(item: dict[str, Any]) -> Action:
    attributes = {name: _text(value) for name, value in item.items() if name not in ("actionType", "text") and value is not None}
    try:
        known, _ = check(item["actionType"], attributes, "of callActions")
    except BadScript as bad:
        raise Refused(f"The request content was malformed: {bad}") from bad
    return Action(item["actionType"], known, str(item.get("text") or ""))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
