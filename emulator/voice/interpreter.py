"""Does what a document of voice instructions says, action by action, on the emulator's clock.

An action either is over at once or waits for something: the end of speech, keys, a recording, another phone. What was
planned for it is void when the call's turn changed meanwhile.
"""

from collections.abc import Callable
from typing import NamedTuple

from emulator import line
from emulator.caller import Said
from emulator.state import Action, Call, Leg
from emulator.voice import bridges, calls, questions
from emulator.voice.script import BadScript, read, wrong_with
from emulator.voice.speech import let_hear
from emulator.world import World

FAILED = "NORMAL_TEMPORARY_FAILURE"
MOST_REDIRECTS = 20


class _Question(NamedTuple):
    """What the application is asked for one call, and how much slower it is made to seem."""

    call: Call
    turn: int
    url: str | None
    fields: dict[str, str]
    slower_s: float


def ask_app(world: World, call_id: str) -> None:
    """Ask the application what to do next, and begin to do it."""
    question = _question(world, call_id)
    if question is None:
        return
    call, slower_s, within_s = question.call, question.slower_s, world.settings.answer_within_s

    def judge(said: Said) -> str:
        return _problem(said, slower_s, within_s) or wrong_with(said.body)

    said = line.ask(world, "voice.instructions", question.fields, call.person, judge, question.url)
    with world.changing():
        if call.turn != question.turn or call.state == "ended" or world.state.calls.get(call_id) is not call:
            return
        call.asking = None
        if said is None:
            calls.end(world, call, FAILED, "no address is set for voice.instructions")
        elif problem := _problem(said, slower_s, within_s):
            calls.end(world, call, FAILED, problem)
        else:
            _begin(world, call, said.body)


def _question(world: World, call_id: str) -> _Question | None:
    """Return what is to be asked, None where nothing is any more, or where the call went round in a circle and is ended."""
    with world.changing() as everything:
        call = everything.calls.get(call_id)
        if not call or call.asking is None:
            return None
        if calls.is_hurried(world, call):
            calls.end(world, call, FAILED, f"your app was asked more than {calls.MOST_HURRIED} times within {calls.HURRIED_S} s")
            return None
        extra = call.asking["extra"]
        state = "Ringing" if call.state == "ringing" else "Active" if extra or call.redirects else "Answered"
        slower_s = float(world.faults.take("app_slow", "voice.instructions") or 0)
        return _Question(call, call.turn, call.asking["url"], calls.fields_of(world, call, state, **extra), slower_s)


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


def failed(world: World, call_id: str, why: str) -> None:
    """End a call that the emulator itself cannot go on with."""
    with world.changing() as state:
        if call := state.calls.get(call_id):
            calls.end(world, call, FAILED, why)


def go_on(world: World, call_id: str, turn: int) -> None:
    """Go on after speech, or after a wait that brought nothing."""
    with world.changing() as state:
        call = state.calls.get(call_id)
        if call and call.turn == turn and call.state == "active":
            proceed(world, call)


def _speak(world: World, call: Call, action: Action) -> bool:
    seconds = let_hear(world, call, action)
    if seconds <= 0:
        return False
    call.say_until = world.now() + seconds
    world.later(seconds, "call.go_on", call.id, call_id=call.id, turn=call.turn)
    return True


def digits_over(world: World, call_id: str, turn: int) -> None:
    """End a wait for keys that was long enough."""
    with world.changing() as state:
        call = state.calls.get(call_id)
        if call and call.turn == turn and call.doing and call.state == "active" and questions.is_over(world, call):
            proceed(world, call)


def record_over(world: World, call_id: str, turn: int) -> None:
    """End a recording that reached its limit."""
    with world.changing() as state:
        call = state.calls.get(call_id)
        if call and call.turn == turn and call.state == "active":
            questions.recorded(world, call, None)


def leg_failed(world: World, call: Call, leg: Leg, cause: str) -> None:
    """Go on when a phone was not answered and no other is left to ring."""
    if bridges.is_left_alone(world, call, leg, cause):
        proceed(world, call)


def _redirect(world: World, call: Call, action: Action) -> bool:
    call.redirects += 1
    if call.redirects > MOST_REDIRECTS:
        calls.end(world, call, FAILED, f"<Redirect> led to <Redirect> more than {MOST_REDIRECTS} times")
        return True
    calls.step(world, call, "Redirect", action.text)
    call.todo = []
    calls.move(call, action.text)
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
    "GetDigits": questions.get_digits,
    "Record": questions.record,
    "Dial": bridges.dial,
    "Enqueue": bridges.enqueue,
    "Dequeue": bridges.dequeue,
    "Redirect": _redirect,
    "Conference": _conference,
    "Reject": _reject,
}
