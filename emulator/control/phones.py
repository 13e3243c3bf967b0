"""The control API of phones: what a person does on one, and what it shows."""

import re
from collections import Counter
from typing import Any

from flask import Blueprint, Response, jsonify, request

from emulator import payments, sms, subscriptions, ussd
from emulator.clock import iso
from emulator.control.calls import settled
from emulator.errors import Refused
from emulator.here import the_world
from emulator.networks import is_number
from emulator.reading import given, number_of, text_of
from emulator.settings import money
from emulator.state import Call, Message, Phone
from emulator.voice import calls
from emulator.world import World

MOST_MESSAGES, MOST_CALLS = 200, 10
# What a message can be written to: a short code, a number, the name of a sender
_LINE = re.compile(r"\+?[0-9]{3,15}|[A-Za-z0-9][A-Za-z0-9 ._&-]{0,10}", re.ASCII)


bp = Blueprint("phones", __name__, url_prefix="/control/phones")


@bp.get("")
def phones() -> Response:
    """The numbers that are known."""
    world = the_world()
    with world.lock:
        return jsonify(phones=_lines(world, list(world.state.phones)))


@bp.post("")
def add() -> tuple[Response, int]:
    """A phone becomes known."""
    world = the_world()
    phone = world.phone(number_of(text_of(given(), "number")))
    return jsonify(shown(world, phone)), 201


@bp.get("/<number>")
def one(number: str) -> Response:
    """All that a phone shows."""
    world = the_world()
    return jsonify(shown(world, world.look_at_phone(number_of(number))))


@bp.post("/<number>/ussd")
def dial_ussd(number: str) -> tuple[Response, int]:
    """A code is dialled."""
    world = the_world()
    return jsonify(ussd.shown(ussd.dial(world, number_of(number), text_of(given(), "code")))), 201


@bp.post("/<number>/ussd/<session>")
def answer_ussd(number: str, session: str) -> Response:
    """A screen is answered."""
    world = the_world()
    return jsonify(ussd.shown(ussd.answer(world, number_of(number), session, text_of(given(), "input"))))


@bp.delete("/<number>/ussd/<session>")
def cancel_ussd(number: str, session: str) -> Response:
    """A session is left."""
    world = the_world()
    return jsonify(ussd.shown(ussd.cancel(world, number_of(number), session)))


@bp.post("/<number>/sms")
def write(number: str) -> tuple[Response, int]:
    """A message is written to the account."""
    world = the_world()
    body = given()
    link_id = None if body.get("linkId") is None else text_of(body, "linkId")
    to = text_of(body, "to").strip()
    if not _LINE.fullmatch(to):
        raise Refused(f"'to' must be a short code, a number or a name of 11 letters at most, not '{to:.40}'")
    message = sms.write(world, number_of(number), to, text_of(body, "text"), link_id)
    return jsonify(shown_message(message)), 201


@bp.get("/<number>/messages")
def messages(number: str) -> Response:
    """The messages on a phone."""
    world = the_world()
    with world.lock:
        return jsonify(messages=_messages(world, number_of(number)))


@bp.post("/<number>/messages/read")
def read(number: str) -> Response:
    """All messages are read."""
    world = the_world()
    with world.changing() as state:
        for message in state.messages.values():
            if message.phone == number_of(number):
                message.is_read = True
    return jsonify(unread=0)


@bp.post("/<number>/call")
def call(number: str) -> tuple[Response, int]:
    """The account's number is called."""
    world = the_world()
    to = text_of(given(), "to").strip()
    if not is_number(number_of(to)):
        raise Refused(f"'to' must be a number of the account, for example +254711082000, not '{to:.40}'")
    return settled(calls.dial(world, number_of(number), number_of(to))), 201


@bp.post("/<number>/opt-out")
def opt_out(number: str) -> Response:
    """A sender is left."""
    world = the_world()
    subscriptions.opt_out(world, number_of(number), text_of(given(), "senderId"))
    return jsonify(shown(world, world.phone(number_of(number))))


@bp.route("/<number>/subscriptions", methods=["POST", "DELETE"])
def subscribe(number: str) -> Response:
    """A keyword is subscribed to, or left."""
    world = the_world()
    body = given()
    change = subscriptions.subscribe if request.method == "POST" else subscriptions.unsubscribe
    change(world, number_of(number), text_of(body, "shortCode"), text_of(body, "keyword"))
    return jsonify(shown(world, world.phone(number_of(number))))


@bp.post("/<number>/payments")
def pay(number: str) -> tuple[Response, int]:
    """A person pays of their own accord."""
    world = the_world()
    body = given()
    account = text_of(body, "account", "")
    made = payments.pay_in(world, number_of(number), text_of(body, "product"), body.get("amount", ""), account)
    return jsonify(id=made.id, status=made.status), 201


@bp.post("/<number>/payments/<transaction>")
def answer_payment(number: str, transaction: str) -> Response:
    """What the phone asks to pay is paid or cancelled."""
    world = the_world()
    is_paid = given().get("pin")
    if not isinstance(is_paid, bool):
        raise Refused("'pin' must be true to pay, or false to cancel")
    made = payments.answer(world, number_of(number), transaction, is_paid)
    return jsonify(id=made.id, status=made.status)


def shown(world: World, phone: Phone) -> dict[str, Any]:
    """Return all that a phone shows."""
    number = phone.number
    with world.lock:
        network = world.network_of(number)
        sessions = [one for one in world.state.sessions.values() if one.phone == number]
        return {
            **_lines(world, [number])[0],
            "network_code": network.code,
            "ussd_input": network.ussd_input,
            "balance": money(phone.airtime),
            "data": phone.data,
            "opt_outs": [sender for sender, left in world.settings.opt_outs.items() if number in left],
            "subscriptions": [vars(one) for one in world.state.subscriptions if one.phone == number],
            "magic": world.settings.magic_of(number),
            "ussd": ussd.shown(sessions[-1]) if sessions else None,
            "sessions": [ussd.shown(one) for one in reversed(sessions[-MOST_CALLS:])],
            "calls": _calls(world, number),
            "messages": _messages(world, number),
            "payment_prompts": [
                {"id": one.id, "product": one.details["productName"], "amount": money(one.amount), "at": iso(one.at)}
                for one in payments.prompts(world, number)
            ],
        }


def _lines(world: World, numbers: list[str]) -> list[dict[str, Any]]:
    """Return what the list of phones tells of each, having looked at everything once."""
    state = world.state
    legs = [leg for call in state.calls.values() if call.is_open for leg in call.legs]
    ringing, active = ({leg.number for leg in legs if leg.state == wanted} for wanted in ("ringing", "active"))
    unread = Counter(one.phone for one in state.messages.values() if one.is_on_phone and not one.is_read)
    asked = {one.phone for one in state.transactions.values() if one.status == "PendingConfirmation"}
    in_session = {one.phone for one in state.sessions.values() if one.is_open}
    return [
        {
            "number": number,
            "carrier": world.network_of(number).name,
            "unread": unread[number],
            "ringing": number in ringing,
            "in_call": number in active,
            "in_session": number in in_session,
            "asked_to_pay": number in asked,
        }
        for number in numbers
    ]


def _calls(world: World, number: str) -> list[dict[str, Any]]:
    with_it = [call for call in world.state.calls.values() if any(leg.number == number for leg in call.legs)]
    return [_as_seen(world, call, number) for call in reversed(with_it[-MOST_CALLS:])]


def _as_seen(world: World, call: Call, number: str) -> dict[str, Any]:
    leg = [leg for leg in call.legs if leg.number == number][-1]
    seen = {**calls.shown(world, call), "role": leg.role, "leg_state": leg.state, "with": call.number}
    if leg.role not in ("dialled", "transferred"):
        return seen
    # Who was called further hears nothing of what was before, and sees the number that was asked for.
    was_connected = leg.state == "active" or call.bridged_to == number
    heard = [f"[connected to {call.person}]"] if was_connected else []
    talked_s = max(1, round((call.ended_at or world.now()) - call.bridged_at)) if was_connected and call.bridged_at else 0
    shown_number = call.doing.attributes.get("callerId", call.number) if call.doing else call.number
    return seen | {"heard": heard, "recording": None, "duration": talked_s, "with": shown_number, "waiting_for": None}


def _messages(world: World, number: str) -> list[dict[str, Any]]:
    on_phone = [one for one in world.state.messages.values() if one.phone == number]
    return [shown_message(message) for message in on_phone[-MOST_MESSAGES:]]


def shown_message(message: Message) -> dict[str, Any]:
    """Return a message as a phone shows it."""
    return {
        "id": message.id,
        "direction": message.direction,
        "from": message.sender,
        "to": message.to,
        "text": message.text,
        "at": iso(message.at),
        "status": message.status,
        "cost": message.cost,
        "link_id": message.link_id,
        "channel": message.channel,
        "is_read": message.is_read,
        "on_phone": message.is_on_phone,
    }
