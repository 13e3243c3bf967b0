"""GetDigits and Record: what a person presses or says, until the application is told of it."""

from emulator.state import Action, Call
from emulator.voice import calls
from emulator.voice.speech import ask_aloud
from emulator.world import World

# Source: documentation of GetDigits and Record, older and newer.
DIGITS_WITHIN_S = 30
RECORD_WITHIN_S = 3600


def get_digits(world: World, call: Call, action: Action) -> bool:
    """Ask for keys."""
    seconds = ask_aloud(world, call, action)
    call.digits = ""
    _wait_for_key(world, call, seconds)
    early, call.keys = call.keys, ""
    press(world, call, early)
    return True


def _wait_for_key(world: World, call: Call, after_s: float) -> None:
    assert call.doing is not None
    within = int(call.doing.attributes.get("timeout", DIGITS_WITHIN_S))
    world.later(after_s + within, "call.digits_over", call.id, call_id=call.id, turn=call.turn)


def press(world: World, call: Call, keys: str) -> None:
    """Press keys, one after the other. Those that nothing waits for are kept for the next GetDigits."""
    for place, key in enumerate(keys):
        action = call.doing
        if not action or call.asking is not None or action.name not in ("GetDigits", "Record"):
            call.keys += keys[place:]
            return
        if action.name == "Record":
            if key == action.attributes.get("finishOnKey"):
                recorded(world, call, None)
            continue
        _press_one(world, call, action, key)


def _press_one(world: World, call: Call, action: Action, key: str) -> None:
    calls.step(world, call, "Key", key)
    call.turn += 1
    # A key ends the prompt.
    call.say_until = None
    if key == action.attributes.get("finishOnKey"):
        _send_digits(world, call, action)
        return
    call.digits += key
    has_end = "finishOnKey" in action.attributes or "numDigits" in action.attributes
    # With nothing that ends them, the first key is all.
    if not has_end or len(call.digits) == int(action.attributes.get("numDigits", 0)):
        _send_digits(world, call, action)
        return
    _wait_for_key(world, call, 0.0)


def is_over(world: World, call: Call) -> bool:
    """End the wait for keys: what was pressed is sent. Return whether nothing was, so that the next action comes."""
    assert call.doing is not None
    if call.digits:
        _send_digits(world, call, call.doing)
        return False
    calls.step(world, call, "No key", f"within {call.doing.attributes.get('timeout', DIGITS_WITHIN_S)} s")
    return True


def _send_digits(world: World, call: Call, action: Action) -> None:
    call.todo = []
    calls.move(call, action.attributes.get("callbackUrl"))
    calls.ask(world, call, dtmfDigits=call.digits)


def record(world: World, call: Call, action: Action) -> bool:
    """Begin to record."""
    seconds = ask_aloud(world, call, action)
    if action.attributes.get("playBeep") == "true":
        calls.hear(world, call, "Record", "[beep]")
    call.record_from = world.now() + seconds
    if is_terminal(action):
        call.todo = []
        return True
    limits = [int(action.attributes[name]) for name in ("maxLength", "timeout") if name in action.attributes]
    world.later(seconds + min([*limits, RECORD_WITHIN_S]), "call.recorded", call.id, call_id=call.id, turn=call.turn)
    return True


def is_terminal(action: Action) -> bool:
    """Whether a Record takes the rest of the call."""
    return not action.attributes and not action.prompt


def recorded(world: World, call: Call, seconds: float | None) -> None:
    """End a recording, or note how long the person spoke in one that goes on until the end. seconds: None for as long as it took."""
    action = call.doing
    assert action is not None and call.record_from is not None
    so_far = max(0.0, world.now() - call.record_from)
    length = so_far if seconds is None else seconds
    if is_terminal(action):
        call.record_s = (call.record_s or 0.0) + length
        _pass(call, length)
        return
    length = min(float(action.attributes.get("maxLength", RECORD_WITHIN_S)), length)
    if seconds is not None:
        _pass(call, length)
    url = calls.record(world, call, length)
    calls.step(world, call, "Recorded", f"{length:.0f} s")
    call.todo, call.record_from = [], None
    calls.move(call, action.attributes.get("callbackUrl"))
    calls.ask(world, call, recordingUrl=url)


def _pass(call: Call, seconds: float) -> None:
    """Let seconds be a part of the call that nobody had to wait for."""
    assert call.answered_at is not None
    call.answered_at -= seconds
