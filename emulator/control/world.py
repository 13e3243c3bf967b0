"""The control API of the whole: log, faults, settings, clock, reset."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from emulator.control.phones import shown_message
from emulator.errors import Refused
from emulator.here import the_world
from emulator.reading import amount_of, given, number_of
from emulator.state import Message
from emulator.world import World

MOST_WAIT_S = 60.0
# Whoever advances the clock waits so long for what is done on the way.
PATIENCE_S = 300.0
MOST_ADVANCE_S = 400 * 86_400
MOST_SCALE = 10_000
MOST_AHEAD_S = 100 * 366 * 86_400


bp = Blueprint("world", __name__, url_prefix="/control")


@bp.post("/reset")
def reset() -> Response:
    """All is as new."""
    world = the_world()
    world.reset()
    return jsonify(reset=True)


@bp.get("/messages/latest")
def latest() -> Response:
    """The newest message that a phone got, waited for if asked to; none if it got none."""
    world = the_world()
    number = number_of(request.args.get("to", ""))
    wait_s = min(amount_of(request.args.get("wait", "0"), "wait", 0, 10**6), MOST_WAIT_S)

    def found() -> Message | None:
        got = [one for one in world.state.messages.values() if one.direction == "in" and one.is_on_phone and number in ("", one.phone)]
        return got[-1] if got else None

    world.wait_for(lambda: found() is not None, wait_s)
    with world.lock:
        message = found()
    shown = [shown_message(message)] if message else []
    return jsonify(messages=shown)


@bp.get("/log")
def log() -> Response:
    """What went over the line."""
    world = the_world()
    return jsonify(world.log.after(int(amount_of(request.args.get("after", "0"), "after", 0, 10**12))))


@bp.get("/faults")
def faults() -> Response:
    """What is broken on purpose."""
    world = the_world()
    with world.lock:
        return jsonify(world.faults.shown())


@bp.put("/faults")
def set_faults() -> Response:
    """Something is broken on purpose, or mended."""
    world = the_world()
    body = given()
    with world.changing():
        world.faults.change(body)
        return jsonify(world.faults.shown())


@bp.delete("/faults")
def mend() -> Response:
    """All is mended."""
    world = the_world()
    with world.changing() as state:
        state.faults.clear()
        return jsonify(world.faults.shown())


@bp.get("/settings")
def settings() -> Response:
    """The settings in force."""
    world = the_world()
    with world.lock:
        return jsonify(world.settings.shown())


@bp.put("/settings")
def set_settings() -> Response:
    """Settings are changed."""
    world = the_world()
    body = given()
    with world.changing():
        world.settings.change(body)
        return jsonify(world.settings.shown())


@bp.get("/clock")
def clock() -> Response:
    """The time."""
    world = the_world()
    return jsonify(_time(world))


@bp.post("/clock")
def set_clock() -> Response:
    """Time is moved, or runs at another speed."""
    world = the_world()
    body = given()
    if set(body) - {"advance", "scale", "reset"} or not body:
        raise Refused('The body must be {"advance": seconds}, {"scale": n} or {"reset": true}')
    is_over = True
    if body.get("reset"):
        world.timetable.reset_clock()
    if "scale" in body:
        world.timetable.set_scale(amount_of(body["scale"], "scale", 0.001, MOST_SCALE))
    if "advance" in body:
        seconds = amount_of(body["advance"], "advance", 0, MOST_ADVANCE_S)
        if world.clock.ahead_s + seconds > MOST_AHEAD_S:
            raise Refused("The clock is a hundred years ahead: reset it first")
        is_over = world.timetable.advance(seconds, PATIENCE_S)
    with world.changing():
        return jsonify(_time(world) | ({} if is_over else {"advancing": True}))


def _time(world: World) -> dict[str, Any]:
    return {"now": world.now_iso(), "scale": world.clock.scale}
