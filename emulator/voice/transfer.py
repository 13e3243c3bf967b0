"""A connected call is handed on to another number by the API. Source: Africa's Talking's call transfer as SDKs have it."""

from emulator import line
from emulator.state import Call, Leg
from emulator.voice import calls
from emulator.world import World

LEGS = ("caller", "callee")


def begin(world: World, call: Call, number: str, which: str, music: str) -> bool:
    """Let another phone ring for one leg of a connected call; return whether that could begin."""
    with world.changing():
        is_under_way = any(leg.role == "transferred" and leg.state != "ended" for leg in call.legs)
        if call.state != "active" or call.bridged_at is None or is_under_way:
            return False
        leg = Leg(number, "transferred", "waiting")
        call.legs.append(leg)
        if cause := calls.ring(world, call, leg):
            refused(world, call, leg, cause)
            return False
        calls.step(world, call, "Transfer", f"the {which} to {number}")
        call.told_at_end = {"callTransferParam": which}
        if music:
            calls.hear(world, call, "Transfer", f"[hold music {music}]")
        return True


def taken(world: World, call: Call, leg: Leg) -> None:
    """Connect the leg that is handed on with the phone that answered; the other one is let go."""
    leg.state = "active"
    goes = "caller" if call.told_at_end.get("callTransferParam") == "callee" else "dialled"
    for other in call.legs:
        if other.state == "active" and other is not leg and (other.role in ("caller", "called")) == (goes == "caller"):
            other.state, other.cause = "ended", "NORMAL_CLEARING"
    calls.hear(world, call, "Connected", f"[connected to {leg.number}]")
    _tell(world, call, "Transferred", callTransferredToNumber=leg.number, callTransferState="Active")


def refused(world: World, call: Call, leg: Leg, cause: str) -> None:
    """Leave the call as it was: the other phone was not reached."""
    leg.state, leg.cause = "ended", cause
    call.told_at_end.pop("callTransferParam", None)
    calls.step(world, call, "Not transferred", f"{leg.number} {cause}")
    why = {"UNALLOCATED_NUMBER": "InvalidPhoneNumber", "USER_NOT_REGISTERED": "NoActiveClient"}.get(cause, "DestinationNotSupported")
    _tell(world, call, "TransferCompleted", callTransferHangupCause=why)


def left(world: World, call: Call, leg: Leg) -> None:
    """Tell how a transfer ended when one of its phones hangs up."""
    if any(one.role == "transferred" and one.state == "active" for one in call.legs):
        state = "CallerHangup" if leg.role in ("caller", "called") else "CalleeHangup"
        state = "Completed" if leg.role == "transferred" else state
        _tell(world, call, "TransferCompleted", callTransferState=state)


def _tell(world: World, call: Call, state: str, **extra: str) -> None:
    fields = calls.fields_of(world, call, state, **extra)
    line.tell(world, "voice.event", fields | {"status": "Success"}, call.id, call.person)
