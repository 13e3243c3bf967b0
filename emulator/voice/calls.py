"""Calls: how they begin, what a person can do in one, and how they end."""

import math
from decimal import Decimal
from typing import Any

from emulator import line
from emulator.clock import at_time, iso
from emulator.errors import NotFound, Refused
from emulator.ids import VOICE, new_id
from emulator.networks import country_of, is_number
from emulator.settings import CURRENCY, money
from emulator.state import Action, Call, Leg, Step, keep
from emulator.world import World

PRICE_PER_MINUTE = Decimal("2.00")
AUTO_ANSWER_S = 1.0
BUSY_AFTER_S = 1.0
MOST_HURRIED, HURRIED_S = 100, 10


def place(world: World, number: str, own: str, client_request_id: str, own_actions: list[Action]) -> Call:
    """Call a person for the account; who answers hears the order's own actions, else what the application says."""
    world.phone(number)
    with world.changing() as state:
        call = Call(new_id(VOICE), "Outbound", number, own, world.now())
        call.client_request_id, call.own_actions = client_request_id, own_actions
        leg = Leg(number, "called", "waiting")
        call.legs.append(leg)
        cause = ring(world, call, leg)
        keep(state.calls, call.id, call)
        step(world, call, "Ringing", number)
        if cause:
            world.later(BUSY_AFTER_S, "call.end", call.id, call_id=call.id, turn=call.turn, cause=cause)
        return call


def dial(world: World, number: str, own: str) -> Call:
    """Let a person call the account's number: the application is asked at once."""
    world.phone(number)
    with world.changing() as state:
        if busy(world, number):
            raise Refused(f"{number} is in a call already: hang up first", 409)
        call = Call(new_id(VOICE), "Inbound", number, own, world.now(), legs=[Leg(number, "caller", "active")])
        keep(state.calls, call.id, call)
        step(world, call, "Calling", own)
        ask(world, call)
        return call


def busy(world: World, number: str) -> bool:
    """Whether a phone rings or is in a call."""
    running = (call for call in world.state.calls.values() if call.state != "ended")
    return any(leg.number == number and leg.state in ("ringing", "active") for call in running for leg in call.legs)


def ring(world: World, call: Call, leg: Leg) -> str | None:
    """Let a phone ring; return why it cannot, None when it does."""
    magic = world.settings.magic_of(leg.number)
    cause = None
    if not is_number(leg.number):
        cause = "USER_NOT_REGISTERED" if any(letter.isalpha() for letter in leg.number) else "UNALLOCATED_NUMBER"
    elif magic == "busy" or busy(world, leg.number):
        cause = "USER_BUSY"
    if cause:
        leg.state, leg.cause = "ended", cause
        return cause
    world.phone(leg.number)
    leg.state = "ringing"
    place_of = call.legs.index(leg)
    world.later(world.settings.ring_s, "call.rang_out", call.id, call_id=call.id, leg=place_of)
    if world.settings.auto_answer and magic != "no_answer":
        world.later(AUTO_ANSWER_S, "call.picked_up", call.id, call_id=call.id, leg=place_of)
    return None


def ask(world: World, call: Call, **extra: str) -> None:
    """Have the application asked what to do next, at the address that the call came to. extra: what came of the last action."""
    call.asking = {"url": call.address, "extra": extra}
    call.turn += 1
    call.say_until = None
    world.later(0.0, "call.ask", call.id, call_id=call.id)


def is_hurried(world: World, call: Call) -> bool:
    """Whether the application is asked so often, in so little time, that it must be going round in a circle. It counts."""
    now = world.now()
    if not 0 <= now - call.hurried_since < HURRIED_S:
        call.hurried_since, call.hurried_asks = now, 0
    call.hurried_asks += 1
    return call.hurried_asks > MOST_HURRIED


def move(call: Call, address: str | None) -> None:
    """Ask for the rest of a call at another address, if one is given. Source: documentation of Record's and GetDigits' callbackUrl."""
    call.address = address or call.address


def find(world: World, call_id: str) -> Call:
    """Return a call. Raises NotFound."""
    with world.lock:
        call = world.state.calls.get(call_id)
        if not call:
            raise NotFound(f"There is no call '{call_id:.60}'")
        return call


def fields_of(world: World, call: Call, state: str, **extra: str) -> dict[str, str]:
    """Return what every callback about a call says of it, in the order of captured ones, `extra` where it stands in them."""
    first = {"isActive": "1", "sessionId": call.id, "direction": call.direction, "callerNumber": call.person}
    first |= {"destinationNumber": call.number}
    first |= {"dtmfDigits": extra.pop("dtmfDigits")} if "dtmfDigits" in extra else {}
    # The plus between date and time is there, too.
    began = at_time(call.began).replace(" ", "+")
    first |= {"callSessionState": state, "callerCarrierName": world.network_of(call.person).name}
    first |= {"callerCountryCode": country_of(call.person), "callStartTime": began}
    first |= {"clientRequestId": call.client_request_id} if call.client_request_id else {}
    return first | extra


def duration_s(world: World, call: Call) -> int:
    """Return for how long a call is or was answered, in whole seconds; at least 1 if it was."""
    if call.answered_at is None:
        return 0
    return max(1, round((call.ended_at or world.now()) - call.answered_at))


def step(world: World, call: Call, what: str, text: str = "") -> None:
    """Write down something that happened in a call."""
    call.steps.append(Step(world.now(), what, text))


def hear(world: World, call: Call, what: str, text: str) -> None:
    """Let the person hear something."""
    call.heard.append(text)
    step(world, call, what, text)


def record(world: World, call: Call, seconds: float) -> str:
    """Make a recording of so many seconds and return its address."""
    name = call.id.removeprefix(VOICE) + (f"-{world.state.number()}" if call.recording else "")
    keep(world.state.recordings, name, max(1.0, seconds))
    call.recording = f"{world.own_url}/recordings/{name}.wav"
    return call.recording


def end(world: World, call: Call, cause: str, why: str | None = None) -> None:
    """End a call: all its phones, the call that it is connected to, and tell the application. why: what went wrong."""
    if call.state == "ended":
        return
    now = world.now()
    call.ended_at, call.hangup_cause, call.why = now, cause, why or call.why
    if call.doing and call.doing.name == "Record" and call.record_from is not None:
        record(world, call, call.record_s or now - call.record_from)
    call.queue = None
    if call.doing and call.doing.name == "Dial" and call.bridged_at is not None and call.doing.attributes.get("record") == "true":
        record(world, call, now - call.bridged_at)
    _end_legs(call, cause)
    call.state, call.doing, call.todo, call.asking, call.say_until = "ended", None, [], None, None
    call.turn += 1
    minutes = math.ceil(duration_s(world, call) / 60)
    call.amount = PRICE_PER_MINUTE * minutes
    world.settings.balance -= call.amount
    step(world, call, "Ended", cause)
    line.tell(world, "voice.event", _final(world, call, cause, bool(why)), call.id, call.person)
    other = world.state.calls.get(call.bridge)
    if other and other.state != "ended":
        end(world, other, "NORMAL_CLEARING")


def _end_legs(call: Call, cause: str) -> None:
    for leg in call.legs:
        if leg.state == "ringing" and leg.role in ("dialled", "transferred"):
            leg.state, leg.cause = "ended", "ORIGINATOR_CANCEL"
            call.bridge_cause = leg.cause
        elif leg.state != "ended":
            leg.cause = cause if leg.state != "waiting" else None
            leg.state = "ended"


def _final(world: World, call: Call, cause: str, is_broken: bool) -> dict[str, str]:
    status = "Aborted" if is_broken or call.answered_at is None else "Success"
    fields = fields_of(world, call, "Completed") | {"isActive": "0"}
    fields |= {"recordingUrl": call.recording} if call.recording else {}
    fields |= {"durationInSeconds": str(duration_s(world, call)), "currencyCode": CURRENCY, "amount": f"{call.amount:.2f}"}
    fields |= {"status": status, "hangupCause": cause}
    if call.bridged_at is not None and call.ended_at is not None:
        fields |= {"dialDestinationNumber": call.bridged_to, "dialStartTime": at_time(call.bridged_at)}
        fields |= {"dialDurationInSeconds": str(max(1, round(call.ended_at - call.bridged_at)))}
        call.bridge_cause = call.bridge_cause or cause
    # The phones that it called further, if any, ended like this
    return fields | {"lastBridgeHangupCause": call.bridge_cause or cause} | call.told_at_end


def shown(world: World, call: Call) -> dict[str, Any]:
    """Return a call as the control API gives it."""
    waits = {"GetDigits": "digits", "Record": "record"}
    doing = call.doing
    return {
        "call": call.id,
        "state": call.state,
        "direction": call.direction,
        "caller": call.person,
        "number": call.number,
        "heard": [world.masked(text) for text in call.heard],
        "waiting_for": waits.get(doing.name) if doing and call.asking is None else None,
        "asked": {name: world.masked(value) for name, value in doing.attributes.items()} if doing and doing.name in waits else {},
        "say_until": call.say_until,
        "legs": [vars(leg) for leg in call.legs],
        "recording": call.recording or None,
        "duration": duration_s(world, call),
        "amount": money(call.amount) if call.amount is not None else None,
        "hangup_cause": call.hangup_cause,
        "why": world.masked(call.why) if call.why else None,
        "notes": [world.masked(note) for note in call.notes],
        "queue": call.queue,
        "steps": [{"at": iso(one.at), "what": one.what, "text": world.masked(one.text)} for one in call.steps],
    }
