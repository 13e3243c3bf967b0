"""Airtime, and what became of it."""

from flask import Blueprint, Response, jsonify

from emulator import airtime
from emulator.api.door import given, guard, idempotency_key
from emulator.here import the_world

bp = guard(Blueprint("airtime", __name__))


@bp.post("/version1/airtime/send")
def send() -> tuple[Response, int]:
    """Airtime for several phones."""
    world = the_world()
    order = given("username", "recipients", optional=("maxNumRetry",))
    return jsonify(airtime.send(world, airtime.read_recipients(order["recipients"]), idempotency_key())), 201
