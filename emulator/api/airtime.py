"""Airtime, and what became of it."""

from flask import Blueprint, Response, jsonify, request

from emulator import airtime
from emulator.api.door import given, guard
from emulator.here import the_world

# The SDKs' spelling and the documentation's.
KEY_HEADERS = ("Idempotency-Key", "Idempotence-Key")


bp = guard(Blueprint("airtime", __name__))


@bp.post("/version1/airtime/send")
def send() -> tuple[Response, int]:
    """Airtime for several phones."""
    world = the_world()
    order = given("username", "recipients", optional=("maxNumRetry",))
    key = next((request.headers[name] for name in KEY_HEADERS if request.headers.get(name)), "")
    return jsonify(airtime.send(world, airtime.read_recipients(order["recipients"]), key)), 201
