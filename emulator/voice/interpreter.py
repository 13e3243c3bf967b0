"""Does what a document of voice instructions says, action by action, on the emulator's clock.

An action either is over at once or waits for something: the end of speech, keys, a recording, another phone. What was
planned for it is void when the call's turn changed meanwhile.
"""

from collections.abc import Callable
from typing import Any

from emulator import line
from emulator.caller import Said
from emulator.clock import at_time
from emulator.state import Action, Call, Leg, Prompt
from emulator.voice import calls
from emulator.voice.script import BadScript, read, wrong_with
from emulator.world import World

FAILED = "NORMAL_TEMPORARY_FAILURE"
# Source: documentation of GetDigits and Record, older and newer.
DIGITS_WITHIN_S = 30
RECORD_WITHIN_S = 3600
MOST_REDIRECTS = 20


def ask_app(world: World, call_id: str) -> None:
    """Ask the application what to do next, and begin to do it."""
    with world.lock:
        call = world.state.calls.get(call_id)
        if not call or call.asking is None:
            return
        asking, turn = call.asking, call.turn
        state = "Ringing" if call.state == "ringing" else "Active" if asking["extra"] or call.redirects else "Answered"
        fields = calls.fields_of(world, call, state, **asking["extra"])
        slower_s = float(world.faults.take("app_slow", "voice.instructions") or 0)

    def judge(said: Said) -> str:
        return _problem(said, slower_s, world.settings.answer_within_s) or wrong_with(said.body)

    said = line.ask(world, "voice.instructions", fields, call.person, judge, asking["url"])
    with world.changing():
        if call.turn != turn or call.state == "ended":
            return
        call.asking = None
        if said is None:
            calls.end(world, call, FAILED, "no address is set for voice.instructions")
        elif problem := _problem(said, slower_s, world.settings.answer_within_s):
            calls.end(world, call, FAILED, problem)
        else:
            _begin(world, call, said.body)


def _problem(said: Said, slower_s: float, within_s: float) -> str:
    """Return why a call cannot go on after an answer, whatever it says; "" when it can."""
    if broken := line.not_whole(said):
        return broken
    if said.ms / 1000 + slower_s > within_s:
        return f"your app took {said.ms / 1000 + slower_s:g} s; Africa's Talking waits {within_s:g} s"
    return "" if said.status == 200 else f"your app answered {said.status}; it must answer 200 and XML"


def _begin(world: World, call: Call, document: bytes) -> None:
    try:
        call.todo, notes = read(document)
    except BadScript as bad:
        calls.end(world, call, FAILED, str(bad))
        return
    call.notes += notes
    if call.state == "ringing" and not (call.todo and call.todo[0].name == "Reject"):
        call.state, call.answered_at = "active", world.now()
    proceed(world, call)


def proceed(world: World, call: Call) -> None:
    """Do the next actions, until one waits or none is left."""
    call.turn += 1
    call.doing = call.say_until = call.record_from = call.record_s = None
    while call.todo:
        action = call.todo.pop(0)
        call.doing = action
        if action.name != "Redirect":
            call.redirects = 0
        if _DO[action.name](world, call, action) or call.state == "ended":
            return
        call.doing = None
    calls.end(world, call, "NORMAL_CLEARING")


def go_on(world: World, call_id: str, turn: int) -> None:
    """Go on after speech, or after a wait that brought nothing."""
    with world.changing() as state:
        call = state.calls.get(call_id)
        if call and call.turn == turn and call.state == "active":
            proceed(world, call)


def _let_hear(world: World, call: Call, prompt: Action | Prompt) -> float:
    """Let the person hear one Say or Play; return the seconds that it takes."""
    rate = world.settings.speech_chars_per_s
    if prompt.name == "Play":
        url = prompt.attributes["url"]
        uploaded = " (uploaded)" if any(url in media for media in world.state.media.values()) else ""
        calls.hear(world, call, "Play", f"[plays {url}]{uploaded}")
        seconds = world.settings.play_s if rate else 0.0
    else:
        if prompt.text:
            calls.hear(world, call, "Say", prompt.text)
        if prompt.attributes.get("playBeep") == "true":
            calls.hear(world, call, "Say", "[beep]")
        seconds = len(prompt.text) / rate if rate else 0.0
    return seconds


def _speak(world: World, call: Call, action: Action) -> bool:
    seconds = _let_hear(world, call, action)
    if seconds <= 0:
        return False
    call.say_until = world.now() + seconds
    world.later(seconds, "call.go_on", call.id, call_id=call.id, turn=call.turn)
    return True


def _prompt(world: World, call: Call, action: Action) -> float:
    seconds = sum(_let_hear(world, call, prompt) for prompt in action.prompt)
    call.say_until = world.now() + seconds if seconds else None
    return seconds


def _get_digits(world: World, call: Call, action: Action) -> bool:
    seconds = _prompt(world, call, action)
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


def digits_over(world: World, call_id: str, turn: int) -> None:
    """End the wait for keys: what was pressed is sent; without any key the next action comes."""
    with world.changing() as state:
        call = state.calls.get(call_id)
        if not call or call.turn != turn or not call.doing or call.state != "active":
            return
        if call.digits:
            _send_digits(world, call, call.doing)
            return
        calls.step(world, call, "No key", f"within {call.doing.attributes.get('timeout', DIGITS_WITHIN_S)} s")
        proceed(world, call)


def _send_digits(world: World, call: Call, action: Action) -> None:
    call.todo = []
    _move(call, action.attributes.get("callbackUrl"))
    calls.ask(world, call, dtmfDigits=call.digits)


def _move(call: Call, address: str | None) -> None:
    """Ask for the rest of the call at another address. Source: documentation of Record's and GetDigits' callbackUrl."""
    call.address = address or call.address


def _record(world: World, call: Call, action: Action) -> bool:
    seconds = _prompt(world, call, action)
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


def record_over(world: World, call_id: str, turn: int) -> None:
    """End a recording that reached its limit."""
    with world.changing() as state:
        call = state.calls.get(call_id)
        if call and call.turn == turn and call.state == "active":
            recorded(world, call, None)


def recorded(world: World, call: Call, seconds: float | None) -> None:
    """End a recording, or note how long the person spoke in one that goes on until the end. seconds: None for as long as it took."""
    action = call.doing
    assert action is not None and call.record_from is not None
    if seconds is not None and call.answered_at is not None:
        # Nobody waits for those seconds, but they are a part of the call.
        call.answered_at -= seconds
        call.record_from -= seconds
    if is_terminal(action):
        call.record_s = seconds
        return
    most = float(action.attributes.get("maxLength", RECORD_WITHIN_S))
    length = min(most, max(0.0, world.now() - call.record_from) if seconds is None else seconds)
    url = calls.record(world, call, length)
    calls.step(world, call, "Recorded", f"{length:.0f} s")
    call.todo = []
    call.record_from = None
    _move(call, action.attributes.get("callbackUrl"))
    calls.ask(world, call, recordingUrl=url)


def _dial(world: World, call: Call, action: Action) -> bool:
    numbers = [number.strip() for number in action.attributes["phoneNumbers"].split(",")]
    shown_number = action.attributes.get("callerId", call.number)
    calls.step(world, call, "Dial", f"{', '.join(numbers)} as {shown_number}")
    call.dial_index = len(call.legs)
    call.legs += [Leg(number, "dialled", "waiting") for number in numbers]
    return _ring_next(world, call)


def _ring_next(world: World, call: Call) -> bool:
    """Let the phones of a Dial ring whose turn it is; return whether any does."""
    assert call.doing is not None
    is_sequential = call.doing.attributes.get("sequential") == "true"
    for leg in call.legs[call.dial_index :]:
        if leg.state != "waiting":
            continue
        cause = calls.ring(world, call, leg)
        call.bridge_cause = cause or call.bridge_cause
        calls.step(world, call, "Ringing" if not cause else "Not reached", f"{leg.number} {cause or ''}".strip())
        if not cause and is_sequential:
            return True
    return any(leg.state == "ringing" for leg in call.legs[call.dial_index :])


def leg_failed(world: World, call: Call, leg: Leg, cause: str) -> None:
    """Note that a phone was not answered, and try the next one, or go on without."""
    leg.state, leg.cause = "ended", cause
    calls.step(world, call, "Not answered", f"{leg.number} {cause}")
    if leg.role == "called":
        calls.end(world, call, cause)
        return
    call.bridge_cause = cause
    is_dialling = call.doing is not None and call.doing.name == "Dial" and call.bridged_at is None
    if leg.role == "dialled" and is_dialling and not _ring_next(world, call):
        proceed(world, call)


def connect(world: World, call: Call, leg: Leg) -> None:
    """Connect the person with a phone that was dialled for them."""
    leg.state = "active"
    for other in call.legs[call.dial_index :]:
        if other.state in ("ringing", "waiting"):
            other.cause = "LOSE_RACE" if other.state == "ringing" else None
            other.state = "ended"
    call.bridged_to, call.bridged_at, call.bridge_cause = leg.number, world.now(), ""
    call.turn += 1
    calls.hear(world, call, "Connected", f"[connected to {leg.number}]")
    assert call.doing is not None
    if most := call.doing.attributes.get("maxDuration"):
        world.later(float(most), "call.end", call.id, call_id=call.id, turn=call.turn, cause="NORMAL_CLEARING")


def _enqueue(world: World, call: Call, action: Action) -> bool:
    call.queue, call.queued_at = action.attributes.get("name", ""), world.now()
    calls.hear(world, call, "Enqueue", f"[waits in queue {call.queue}]" if call.queue else "[waits in queue]")
    if music := action.attributes.get("holdMusic", action.attributes.get("url")):
        calls.hear(world, call, "Enqueue", f"[hold music {music}]")
    return True


def waiting_in(world: World, number: str, name: str) -> list[Call]:
    """Return the calls that wait in a queue of a number, longest first."""
    found = [call for call in world.state.calls.values() if call.queue == name and call.number == number and call.state == "active"]
    return sorted(found, key=lambda call: call.queued_at or 0)


def _dequeue(world: World, call: Call, action: Action) -> bool:
    number, name = action.attributes["phoneNumber"].strip(), action.attributes.get("name", "")
    waiting = waiting_in(world, number, name)
    if not waiting:
        calls.step(world, call, "Dequeue", f"nobody waits in queue '{name}' of {number}")
        return False
    other, now = waiting[0], world.now()
    call.bridge, other.bridge = other.id, call.id
    other.queue = None
    other.turn += 1
    other.told_at_end = {
        "dequeuedToPhoneNumber": call.person,
        "dequeuedToSessionId": call.id,
        "dequeueTime": at_time(now),
        "queueDurationInSeconds": str(round(now - (other.queued_at or now))),
    }
    for one, person in ((call, other.person), (other, call.person)):
        calls.hear(world, one, "Connected", f"[connected to {person}]")
    return True


def _redirect(world: World, call: Call, action: Action) -> bool:
    call.redirects += 1
    if call.redirects > MOST_REDIRECTS:
        calls.end(world, call, FAILED, f"<Redirect> led to <Redirect> more than {MOST_REDIRECTS} times")
        return True
    calls.step(world, call, "Redirect", action.text)
    call.todo = []
    _move(call, action.text)
    calls.ask(world, call)
    return True


def _conference(world: World, call: Call, _action: Action) -> bool:
    calls.hear(world, call, "Conference", "[in a conference]")
    return True


def _reject(world: World, call: Call, _action: Action) -> bool:
    calls.end(world, call, "CALL_REJECTED")
    return True


Do = Callable[[World, Call, Action], bool]
_DO: dict[str, Do] = {
    "Say": _speak,
    "Play": _speak,
    "GetDigits": _get_digits,
    "Record": _record,
    "Dial": _dial,
    "Enqueue": _enqueue,
    "Dequeue": _dequeue,
    "Redirect": _redirect,
    "Conference": _conference,
    "Reject": _reject,
}


def queues(world: World, numbers: list[str], name: str | None) -> list[dict[str, Any]]:
    """Return how many calls wait in each queue of numbers. name: None for all queues."""
    with world.lock:
        waiting = [call for call in world.state.calls.values() if call.queue is not None and call.state == "active"]
        found = sorted({(call.number, call.queue or "") for call in waiting if call.number in numbers})
        wanted = [(number, queue) for number, queue in found if name in (None, queue)]
        return [{"phoneNumber": n, "queueName": q, "numCalls": len(waiting_in(world, n, q))} for n, q in wanted]
