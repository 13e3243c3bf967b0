"""The account: its balance and its tokens."""

from flask import Blueprint, Response, jsonify

from emulator.api.door import TOKEN_LASTS_S, asked, given, guard
from emulator.here import the_world
from emulator.ids import WEBRTC, new_id
from emulator.settings import money
from emulator.state import keep

bp = guard(Blueprint("account", __name__))


@bp.get("/version1/user")
def user() -> Response:
    """The balance."""
    world = the_world()
    asked("username")
    return jsonify(UserData={"balance": money(world.settings.balance)})


@bp.post("/auth-token/generate")
def token() -> Response:
    """A token that stands for the key."""
    given("username")
    made = new_id("")
    world = the_world()
    with world.changing() as state:
        keep(state.tokens, made, world.now())
    return jsonify(token=made, lifetimeInSeconds=TOKEN_LASTS_S)


@bp.post("/capability-token/request")
def capability() -> tuple[Response, int]:
    """A token for a phone in a browser."""
    order = given("username", "clientName", "phoneNumber")
    client = {"clientName": order["clientName"], "incoming": True, "lifeTimeSec": "86400", "outgoing": True}
    return jsonify({**client, "token": new_id(WEBRTC)}), 201
