"""What a person does with a phone in a call: answer, reject, press keys, speak for a recording, hang up."""

from emulator.errors import Refused
from emulator.state import Call, Leg
from emulator.voice import bridges, calls, interpreter, questions, transfer
from emulator.voice.script import KEYS
from emulator.world import World


def answer(world: World, call: Call, phone: str | None) -> None:
    """Answer a phone that rings: the given one, else the first. Raises Refused."""
    with world.changing():
        leg = _ringing(call, phone)
        if world.settings.magic_of(leg.number) == "no_answer":
            raise Refused(f"{leg.number} never answers: see the magic numbers", 409)
        _pick_up(world, call, leg)


def _pick_up(world: World, call: Call, leg: Leg) -> None:
    calls.step(world, call, "Answered", leg.number)
    if leg.role == "called":
        leg.state, call.state, call.answered_at = "active", "active", world.now()
        call.todo = list(call.own_actions)
        if call.todo:
            interpreter.proceed(world, call)
        else:
            calls.ask(world, call)
    elif leg.role == "dialled":
        bridges.connect(world, call, leg)
    else:
        transfer.taken(world, call, leg)


def picked_up(world: World, call_id: str, leg: int) -> None:
    """Let a phone answer by itself."""
    with world.changing() as state:
        call = state.calls.get(call_id)
        if call and call.state != "ended" and call.legs[leg].state == "ringing":
            _pick_up(world, call, call.legs[leg])


def rang_out(world: World, call_id: str, leg: int) -> None:
    """Let a phone stop ringing that nobody answered."""
    with world.changing() as state:
        call = state.calls.get(call_id)
        if call and call.state != "ended" and call.legs[leg].state == "ringing":
            _fail(world, call, call.legs[leg], "NO_ANSWER")


def _fail(world: World, call: Call, leg: Leg, cause: str) -> None:
    if leg.role == "transferred":
        transfer.refused(world, call, leg, cause)
    else:
        interpreter.leg_failed(world, call, leg, cause)


def reject(world: World, call: Call, phone: str | None) -> None:
    """Reject a call on a phone that rings. Raises Refused."""
    with world.changing():
        _fail(world, call, _ringing(call, phone), "CALL_REJECTED")


def press(world: World, call: Call, keys: str) -> None:
    """Press keys. Raises Refused for what is no key, and after the call."""
    if not keys or any(key not in KEYS for key in keys):
        raise Refused(f"'digits' must be keys of 0-9, * and #, not '{keys:.40}'")
    with world.changing():
        _insist_on_active(call)
        questions.press(world, call, keys)


def speak(world: World, call: Call, seconds: float) -> None:
    """Speak for so many seconds into a recording. Raises Refused where nothing records."""
    with world.changing():
        _insist_on_active(call)
        if not call.doing or call.doing.name != "Record" or call.asking is not None:
            raise Refused("The call does not record now: 'waiting_for' says what it waits for", 409)
        questions.recorded(world, call, seconds)


def hang_up(world: World, call: Call, phone: str | None) -> None:
    """Hang up: the given phone, else the person's. Raises Refused after the call."""
    with world.changing():
        if call.state == "ended":
            raise Refused(f"The call is over: {call.hangup_cause}", 409)
        leg = _leg_of(call, phone) if phone else next((leg for leg in call.legs if leg.state != "ended"), None)
        if leg is None:
            # Its line was busy, and that is about to be told.
            calls.end(world, call, call.legs[0].cause or "ORIGINATOR_CANCEL")
            return
        if leg.state == "ringing":
            _fail(world, call, leg, "CALL_REJECTED")
            return
        transfer.left(world, call, leg)
        calls.step(world, call, "Hung up", leg.number)
        calls.end(world, call, "ORIGINATOR_CANCEL" if call.answered_at is None else "NORMAL_CLEARING")


def end(world: World, call_id: str, turn: int, cause: str) -> None:
    """End a call for a reason that was planned: a busy line, its longest duration."""
    with world.changing() as state:
        call = state.calls.get(call_id)
        if call and call.turn == turn:
            calls.end(world, call, cause)


def _insist_on_active(call: Call) -> None:
    if call.state != "active":
        raise Refused(f"The call is {call.state}" + (f": {call.hangup_cause}" if call.hangup_cause else ""), 409)


def _ringing(call: Call, phone: str | None) -> Leg:
    legs = [leg for leg in call.legs if leg.state == "ringing" and phone in (None, leg.number)]
    if not legs:
        raise Refused("No phone of this call rings" if phone is None else f"{phone} does not ring in this call", 409)
    return legs[0]


def _leg_of(call: Call, phone: str) -> Leg:
    legs = [leg for leg in call.legs if leg.number == phone and leg.state in ("ringing", "active")]
    if not legs:
        raise Refused(f"{phone} is not in this call", 409)
    return legs[0]
