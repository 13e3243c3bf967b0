"""USSD sessions: a person dials, the application answers screen by screen, the network ends what takes too long."""

from typing import Any

from emulator import line
from emulator.caller import Said
from emulator.clock import at_time
from emulator.errors import NotFound, Refused
from emulator.ids import USSD, new_id
from emulator.networks import Network, is_code
from emulator.state import Hop, UssdSession, keep
from emulator.world import World

BROKEN = "Connection problem or invalid MMI code"
HOP_METADATA = "at-ussd-hop-metadata"
MOST_METADATA = 99


def dial(world: World, number: str, code: str) -> UssdSession:
    """Dial a code and return the session with its first screen. Raises Refused for what is no code."""
    if not is_code(code):
        raise Refused(f"'{code:.40}' is not a USSD code, for example *384*1234#")
    world.phone(number)
    with world.changing() as state:
        for other in [one for one in state.sessions.values() if one.phone == number and one.is_open]:
            _end(world, other, "Incomplete", "the phone dialled anew")
        session = UssdSession(new_id(USSD), number, code, world.now())
        keep(state.sessions, session.id, session)
        session.is_asking = True
        network = world.network_of(number)
        world.later(network.ussd_session_s, "ussd.timeout", session.id, session_id=session.id, hops=None)
    _hop(world, session, "")
    return session


def answer(world: World, number: str, session_id: str, text: str) -> UssdSession:
    """Send what a person typed and return the session with its next screen. Raises NotFound, and Refused for what cannot be sent."""
    with world.changing():
        session = _of(world, number, session_id)
        if not session.is_open:
            raise Refused(f"The session is over ({session.status}): {session.error or 'dial again'}", 409)
        if session.is_asking:
            raise Refused("The last answer is still on its way to your application", 409)
        network = world.network_of(number)
        if len(text) > network.ussd_input:
            raise Refused(f"{network.name} takes {network.ussd_input} characters at most; this has {len(text)}")
        session.is_asking = True
        session.inputs.append(text)
    _hop(world, session, text)
    return session


def cancel(world: World, number: str, session_id: str) -> UssdSession:
    """Let a person leave a session. Raises NotFound."""
    with world.changing():
        session = _of(world, number, session_id)
        if session.is_open:
            _end(world, session, "Incomplete", "")
        return session


def time_out(world: World, session_id: str, hops: int | None) -> None:
    """End a session that is too long, or, when no hop came since the given one, whose person was silent for too long."""
    with world.changing() as state:
        session = state.sessions.get(session_id)
        if not session or not session.is_open or (hops is not None and (len(session.hops) != hops or session.is_asking)):
            return
        network = world.network_of(session.phone)
        limit = f"the session lasted {network.ussd_session_s} s" if hops is None else f"nothing was typed for {network.ussd_idle_s} s"
        why = f"{network.name} ended the session: {limit}"
        if session.hops:
            session.hops[-1].why = why
        _end(world, session, "Incomplete", why)


def cut_off(world: World, session: UssdSession) -> None:
    """End a session whose answer nobody waits for any more, because the emulator was stopped."""
    with world.changing():
        session.is_asking = False
        if session.is_open:
            _end(world, session, "Incomplete", "the emulator was stopped while your app was asked")


def shown(session: UssdSession) -> dict[str, Any]:
    """Return a session as the control API gives it."""
    # One that was cut off before its first screen
    nothing = Hop("", BROKEN if session.status else "", "", 0, session.error or None)
    last = session.hops[-1] if session.hops else nothing
    return {
        "session": session.id,
        "code": session.code,
        "screen": last.screen,
        "answer": last.answer,
        "why": last.why,
        "open": session.is_open,
        "status": session.status,
        "hops": [vars(hop) for hop in session.hops],
    }


def _of(world: World, number: str, session_id: str) -> UssdSession:
    session = world.state.sessions.get(session_id)
    if not session or session.phone != number:
        raise NotFound(f"{number} has no session '{session_id:.60}'")
    return session


def _hop(world: World, session: UssdSession, text: str) -> None:
    with world.lock:
        slower_s = float(world.faults.take("app_slow", "ussd.session") or 0)
        network = world.network_of(session.phone)

    def judge(said: Said) -> str:
        return _problem(said, slower_s, world.settings.answer_within_s) or _too_long(said, network)

    headers = {HOP_METADATA: session.metadata} if session.metadata else {}
    said = line.ask(world, "ussd.session", _fields(world, session), session.phone, judge, headers=headers)
    with world.changing() as state:
        session.is_asking = False
        if state.sessions.get(session.id) is not session:
            session.status, session.error = "Incomplete", "all was reset meanwhile"
        if not session.is_open:
            return
        if said is None:
            _fail(world, session, text, Said(None, b"", {}, 0), "no address is set for ussd.session")
        elif problem := _problem(said, slower_s, world.settings.answer_within_s):
            _fail(world, session, text, said, problem)
        else:
            _show(world, session, text, said)


def _fields(world: World, session: UssdSession) -> dict[str, str]:
    return {
        "phoneNumber": session.phone,
        "serviceCode": session.code,
        "text": "*".join(session.inputs),
        "sessionId": session.id,
        "networkCode": world.network_code_of(session.phone),
    }


def _problem(said: Said, slower_s: float, within_s: float) -> str:
    """Return why the network cannot use an answer, "" when it can."""
    if broken := line.not_whole(said):
        return broken
    if said.ms / 1000 + slower_s > within_s:
        return f"your app took {said.ms / 1000 + slower_s:g} s; Africa's Talking waits {within_s:g} s"
    if said.status != 200:
        return f"your app answered {said.status}; it must answer 200"
    if not said.text.startswith(("CON ", "END ")):
        began = f"the text starts with '{said.text[:8]}'" if said.text else "there is no text"
        return f"your app answered 200 but {began}; it must start with CON or END and a space"
    return ""


def _too_long(said: Said, network: Network) -> str:
    size = len(said.text) - len("CON ")
    return f"the screen has {size} characters; {network.name} cuts at {network.ussd_screen}" if size > network.ussd_screen else ""


def _fail(world: World, session: UssdSession, text: str, said: Said, problem: str) -> None:
    session.hops.append(Hop(text, BROKEN, said.text, said.ms, problem))
    _end(world, session, "Failed", problem)


def _show(world: World, session: UssdSession, text: str, said: Said) -> None:
    network = world.network_of(session.phone)
    screen = said.text[len("CON ") :][: network.ussd_screen]
    session.hops.append(Hop(text, screen, said.text, said.ms, _too_long(said, network) or None))
    _take_metadata(world, session, said)
    if said.text.startswith("END "):
        _end(world, session, "Success", "")
        return
    drop_after = world.faults.look("drop_session", "ussd.session")
    if drop_after and len(session.hops) >= drop_after:
        world.faults.take("drop_session", "ussd.session")
        session.hops[-1].screen, session.hops[-1].why = BROKEN, f"the network dropped the session after hop {drop_after}, on purpose"
        _end(world, session, "Incomplete", "the network dropped the session")
        return
    world.later(network.ussd_idle_s, "ussd.timeout", session.id, session_id=session.id, hops=len(session.hops))


def _take_metadata(world: World, session: UssdSession, said: Said) -> None:
    found = next((value for name, value in said.headers.items() if name.lower() == HOP_METADATA), "")
    if len(found) > MOST_METADATA or "|" in found:
        line.explain(world, f"{HOP_METADATA} takes {MOST_METADATA} characters at most and no '|'", "ussd.session", session.phone)
        found = ""
    session.metadata = found
    if found:
        session.all_metadata.append(found)


def _end(world: World, session: UssdSession, status: str, error: str) -> None:
    session.status, session.error = status, error
    last = session.hops[-1].answer if session.hops else ""
    fields = {
        "date": at_time(world.now()),
        "sessionId": session.id,
        "serviceCode": session.code,
        "networkCode": world.network_code_of(session.phone),
        "phoneNumber": session.phone,
        "status": status,
        "cost": "0.00",
        "durationInMillis": str(max(0, round(1000 * (world.now() - session.began)))),
        "hopsCount": str(len(session.hops)),
        "hopsMetadata": "|".join(session.all_metadata),
        "input": "*".join(session.inputs),
        "lastAppResponse": last,
        "errorMessage": error,
    }
    line.tell(world, "ussd.session_end", fields, session.id, session.phone)
