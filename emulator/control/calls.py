"""The control API of calls: what the people in one do."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from emulator.errors import Refused
from emulator.here import the_world
from emulator.reading import given, number_of, text_of
from emulator.state import Call
from emulator.voice import calls, hands

MOST_SPOKEN_S = 3600


bp = Blueprint("calls", __name__, url_prefix="/control/calls")


def settled(call: Call) -> Response:
    """Wait until the application said what comes next, and show the call."""
    world = the_world()

    def is_settled() -> bool:
        return call.asking is None or world.state.calls.get(call.id) is not call

    world.wait_for(is_settled, world.settings.answer_within_s + 2)
    with world.lock:
        return jsonify(calls.shown(world, call))


def _after(call_id: str, act: Callable[[Call], None]) -> Response:
    """Act, and show what the application says to that."""
    call = calls.find(the_world(), call_id)
    act(call)
    return settled(call)


def _after_question(call_id: str, act: Callable[[Call], None]) -> Response:
    """Act, once the application said what it waits for, and show what it says to that."""
    settled(calls.find(the_world(), call_id))
    return _after(call_id, act)


@bp.get("")
def running() -> Response:
    """Calls that are not over."""
    world = the_world()
    with world.lock:
        return jsonify(calls=[calls.shown(world, call) for call in world.state.calls.values() if call.state != "ended"])


@bp.get("/<call_id>")
def one(call_id: str) -> Response:
    """One call."""
    world = the_world()
    with world.lock:
        return jsonify(calls.shown(world, calls.find(world, call_id)))


@bp.post("/<call_id>/answer")
def answer(call_id: str) -> Response:
    """A phone that rings is answered."""
    world = the_world()
    phone = _phone()
    return _after(call_id, lambda call: hands.answer(world, call, phone))


@bp.post("/<call_id>/reject")
def reject(call_id: str) -> Response:
    """A phone that rings is not taken."""
    world = the_world()
    phone = _phone()
    return _after(call_id, lambda call: hands.reject(world, call, phone))


@bp.post("/<call_id>/digits")
def digits(call_id: str) -> Response:
    """Keys are pressed."""
    world = the_world()
    keys = text_of(given(), "digits")
    return _after_question(call_id, lambda call: hands.press(world, call, keys))


@bp.post("/<call_id>/record")
def record(call_id: str) -> Response:
    """Somebody speaks into a recording."""
    world = the_world()
    seconds = given().get("seconds", 3)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MOST_SPOKEN_S:
        raise Refused(f"'seconds' must be a number above 0, {MOST_SPOKEN_S} at most")
    return _after_question(call_id, lambda call: hands.speak(world, call, float(seconds)))


@bp.post("/<call_id>/hangup")
def hang_up(call_id: str) -> Response:
    """Somebody hangs up."""
    world = the_world()
    phone = _phone()
    return _after(call_id, lambda call: hands.hang_up(world, call, phone))


def _phone() -> str | None:
    body = given()
    return number_of(text_of(body, "phone")) if body.get("phone") is not None else None
