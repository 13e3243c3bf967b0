"""Dial, Enqueue, Dequeue: how the person in a call is connected with somebody."""

from typing import Any

from emulator.clock import at_time
from emulator.state import Action, Call, Leg
from emulator.voice import calls
from emulator.world import World


def dial(world: World, call: Call, action: Action) -> bool:
    """Let other phones ring for the person; return whether any does."""
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


def is_left_alone(world: World, call: Call, leg: Leg, cause: str) -> bool:
    """Note that a phone was not answered, and try the next one. Return whether there is none, so that the next action comes."""
    leg.state, leg.cause = "ended", cause
    calls.step(world, call, "Not answered", f"{leg.number} {cause}")
    if leg.role == "called":
        calls.end(world, call, cause)
        return False
    call.bridge_cause = cause
    is_dialling = call.doing is not None and call.doing.name == "Dial" and call.bridged_at is None
    return is_dialling and not _ring_next(world, call)


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


def enqueue(world: World, call: Call, action: Action) -> bool:
    """Let the person wait in a queue."""
    call.queue, call.queued_at = action.attributes.get("name", ""), world.now()
    calls.hear(world, call, "Enqueue", f"[waits in queue {call.queue}]" if call.queue else "[waits in queue]")
    if music := action.attributes.get("holdMusic", action.attributes.get("url")):
        calls.hear(world, call, "Enqueue", f"[hold music {music}]")
    return True


def waiting_in(world: World, number: str, name: str) -> list[Call]:
    """Return the calls that wait in a queue of a number, longest first."""
    found = [call for call in world.state.calls.values() if call.queue == name and call.number == number and call.state == "active"]
    return sorted(found, key=lambda call: call.queued_at or 0)


def dequeue(world: World, call: Call, action: Action) -> bool:
    """Connect with who waits longest in a queue; return whether anybody does."""
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


def queues(world: World, numbers: list[str], name: str | None) -> list[dict[str, Any]]:
    """Return how many calls wait in each queue of numbers. name: None for all queues."""
    with world.lock:
        waiting = [call for call in world.state.calls.values() if call.queue is not None and call.state == "active"]
        found = sorted({(call.number, call.queue or "") for call in waiting if call.number in numbers})
        wanted = [(number, queue) for number, queue in found if name in (None, queue)]
        return [{"phoneNumber": n, "queueName": q, "numCalls": len(waiting_in(world, n, q))} for n, q in wanted]
