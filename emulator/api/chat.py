"""WhatsApp: messages and templates."""

import json
from typing import Any

from flask import Blueprint, Response, jsonify

from emulator.api.door import given, guard
from emulator.errors import Refused
from emulator.here import the_world
from emulator.ids import SMS, new_id, new_uuid
from emulator.networks import is_number
from emulator.state import Message, keep

CATEGORIES = ("MARKETING", "UTILITY", "AUTHENTICATION")


bp = guard(Blueprint("chat", __name__))


@bp.post("/whatsapp/message/send")
def send() -> tuple[Response, int]:
    """One message for one person."""
    world = the_world()
    order = given("username", "waNumber", "phoneNumber", "body")
    number, body = str(order["phoneNumber"]), order["body"]
    if not isinstance(body, dict):
        raise Refused("The request content was malformed: body must be an object")
    if not is_number(number):
        raise Refused(f"Invalid phone number: {number:.40}")
    with world.changing() as state:
        world.phone(number)
        message = Message(new_id(SMS), "in", number, str(order["waNumber"]), number, _text_of(body), world.now(), "SENT")
        message.channel = "whatsapp"
        keep(state.messages, message.id, message)
    return jsonify(messageId=message.id, phoneNumber=number, status="SENT"), 201


@bp.post("/whatsapp/template/send")
def template() -> tuple[Response, int]:
    """A template is handed in."""
    order = given("username", "waNumber", "name", "language", "category", "components")
    if order["category"] not in CATEGORIES:
        raise Refused(f"category must be one of {', '.join(CATEGORIES)}")
    return jsonify(status="Success", templateId=new_uuid(), templateStatus="Pending"), 201


def _text_of(body: dict[str, Any]) -> str:
    """Return what a phone shows of a message's body."""
    if "message" in body:
        return str(body["message"])
    if "url" in body:
        return f"[{body.get('mediaType', 'media')}] {body['url']} {body.get('caption', '')}".strip()
    return json.dumps(body, ensure_ascii=False)
