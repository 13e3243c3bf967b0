"""What Africa's Talking does with a document of voice actions, written anew from the reference (§2.3) and the agreed semantics.

A script is what the app answers and who waits in a queue; moves are what people do. predict() says what follows from both, knowing
nothing of the emulator. generate() makes a script and moves from a seed, spell() writes a document as the oddest XML it may be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple
from xml.sax.saxutils import escape

VOICE_NUMBER = "+254711082000"
OTHER_NUMBER = "+254711082001"
CALLER, DEQUEUER = "+254711000017", "+254711000020"
WAITING = ("+254711000018", "+254711000019")
DESKS = ("+254711000021", "+254711000022", "+254711000023")
BUSY, SILENT, SIP = "+254711000009", "+254711000010", "seller@ke.sip.africastalking.com"
INSTRUCT = "/instruct"
RING_S, DIGITS_S, RECORD_S = 30, 30, 3600
# The emulator's clock goes on while a test talks to it, so nothing may hang on less than this.
MARGIN_S = 2


class Ambiguous(Exception):
    """Neither the reference nor the agreement says what follows."""


@dataclass(frozen=True)
class Action:
    """One element: what it means, not how it is spelled. Addresses are paths at the app; text is what is said or where to go."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    child: "Action | None" = None
    is_ssml: bool = False


Document = list[Action]


@dataclass(frozen=True)
class Script:
    """The app's answers in the order of its being asked, and the names of the queues that WAITING wait in, oldest first."""

    documents: list[Document]
    direction: str = "Inbound"
    queues: tuple[str, ...] = ()


class Move(NamedTuple):
    """What a person does, or the clock: answer, reject, digits, record, hangup, dequeue, advance. No phone: the call's own."""

    what: str
    value: str | int = ""
    phone: str = ""


class Request(NamedTuple):
    """What the app is asked after the first time. None: not to be said."""

    address: str
    digits: str | None
    is_recorded: bool | None


@dataclass
class Leg:
    """A phone that Dial rings."""

    number: str
    state: str = "ringing"
    causes: frozenset[str] = frozenset()


@dataclass
class Other:
    """A call that shares a queue with this one."""

    heard: list[str]
    is_ended: bool = False
    is_dequeued: bool = False


@dataclass
class Prediction:
    """What can be seen of a call. In `final` a set holds the values allowed ("" for none), None stands for any but none."""

    state: str = "active"
    waiting_for: str | None = None
    heard: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    # Numbers that a Dial in turn has not come to, of which nothing more is said
    unrung: list[str] = field(default_factory=list)
    others: dict[str, Other] = field(default_factory=dict)
    final: dict[str, frozenset[str] | None] = field(default_factory=dict)
    duration_s: tuple[int, int] = (0, 0)
    is_free: bool = False


@dataclass
class _Call:
    script: Script
    seen: Prediction
    queue: list[tuple[str, str]]
    document: Document = field(default_factory=list)
    now: float = 0
    answered_at: float = 0
    recorded_s: int = 0
    deadline: float | None = None
    wait: str = ""
    ask: Action = field(default_factory=lambda: Action(""))
    keys: str = ""
    kept: str = ""
    to_ring: list[str] = field(default_factory=list)
    bridge: frozenset[str] = frozenset()
    dialled: str = ""
    partner: str = ""
    address: str = INSTRUCT
    dequeued_to: str = ""
    # What was done before, for what must not be said of what follows
    has_acted: bool = False
    has_digits: bool = False
    has_recorded: bool = False
    has_stray_keys: bool = False
    is_recording: bool = False

    @property
    def ringing(self) -> list[Leg]:
        return [leg for leg in self.seen.legs if leg.state == "ringing"]


def predict(script: Script, moves: Sequence[Move]) -> Prediction:
    """Return what is seen of a call after some moves. Raises Ambiguous where nothing is agreed."""
    return _play(script, moves).seen


def _play(script: Script, moves: Sequence[Move]) -> _Call:
    queue = list(zip(WAITING, script.queues, strict=False))
    call = _Call(script, Prediction(others={phone: Other([_queued(name)]) for phone, name in queue}), queue)
    if script.direction == "Inbound":
        _fetch(call, INSTRUCT)
    else:
        call.wait, call.seen.state = "pick-up", "ringing"
    for move in moves:
        _MOVES[move.what](call, move)
    call.seen.unrung = call.to_ring
    call.seen.waiting_for = {"digits": "digits", "record": "record", "record on": "record"}.get(call.wait)
    return call


def _fetch(call: _Call, address: str, digits: str | None = "", is_recorded: bool | None = False) -> None:
    call.wait, call.deadline = "", None
    number = len(call.seen.requests)
    call.seen.requests.append(Request(address, digits, is_recorded))
    call.document = list(call.script.documents[number]) if number < len(call.script.documents) else []
    _run(call)


def _run(call: _Call) -> None:
    while not call.wait and call.seen.state != "ended":
        if not call.document:
            _end(call)
        else:
            action = call.document.pop(0)
            _ACTIONS.get(action.name, _pass_over)(call, action)


def _pass_over(call: _Call, action: Action) -> None:
    """Do nothing: an unknown element."""


def _say(call: _Call, action: Action) -> None:
    call.has_acted = True
    text = " ".join(action.text.split())
    call.seen.heard += [text] if text else []
    if action.attributes.get("playBeep") == "true":
        call.seen.heard.append("[beep]")


def _play_file(call: _Call, action: Action) -> None:
    call.has_acted = True
    call.seen.heard.append(f"[plays {action.attributes['url']}]")


def _prompt(call: _Call, action: Action) -> None:
    call.has_acted = True
    if action.child:
        _ACTIONS[action.child.name](call, action.child)


def _get_digits(call: _Call, action: Action) -> None:
    if call.has_stray_keys:
        raise Ambiguous("are keys pressed while recording kept?")
    _prompt(call, action)
    call.wait, call.ask, call.keys = "digits", action, ""
    _wait_for_keys(call)
    _press(call)


def _wait_for_keys(call: _Call) -> None:
    call.deadline = call.now + int(call.ask.attributes.get("timeout", DIGITS_S))


def _press(call: _Call) -> None:
    """Give the kept keys to what asks for some."""
    while call.wait == "digits" and call.kept:
        key, call.kept = call.kept[0], call.kept[1:]
        finish, wanted = (call.ask.attributes.get(name) for name in ("finishOnKey", "numDigits"))
        if key == finish:
            _send_digits(call)
            continue
        if key == "#" and not finish:
            raise Ambiguous("is # a digit when no key finishes?")
        call.keys += key
        _wait_for_keys(call)
        # With nothing that ends them, the first key is all.
        if len(call.keys) == int(wanted or 0) or not (wanted or finish):
            _send_digits(call)


def _send_digits(call: _Call) -> None:
    call.has_digits = True
    _fetch(call, _address(call), call.keys, None if call.has_recorded else False)


def _address(call: _Call) -> str:
    # One that was named is where the rest of the call is asked for, too.
    call.address = call.ask.attributes.get("callbackUrl", call.address)
    return call.address


def _record(call: _Call, action: Action) -> None:
    call.has_recorded = True
    if not action.attributes and not action.child:
        call.wait, call.document, call.has_acted, call.is_recording = "record on", [], True, True
        return
    _prompt(call, action)
    if action.attributes.get("playBeep") == "true":
        call.seen.heard.append("[beep]")
    call.wait, call.ask = "record", action
    limits = [int(action.attributes.get("timeout", RECORD_S)), int(action.attributes.get("maxLength", RECORD_S))]
    call.deadline = call.now + min(limits)


def _send_recording(call: _Call) -> None:
    _fetch(call, _address(call), None if call.has_digits else "", True)


def _dial(call: _Call, action: Action) -> None:
    call.has_acted, call.wait, call.ask, call.bridge = True, "ringing", action, frozenset()
    call.to_ring = [number.strip() for number in action.attributes["phoneNumbers"].split(",")]
    if action.attributes.get("sequential") != "true":
        while call.to_ring:
            _ring(call)
    _ring_on(call)


def _ring(call: _Call) -> None:
    leg = Leg(call.to_ring.pop(0))
    call.seen.legs.append(leg)
    if leg.number == BUSY or "@" in leg.number:
        cause = frozenset({"USER_BUSY" if leg.number == BUSY else "USER_NOT_REGISTERED"})
        leg.state, leg.causes = "ended", cause
        # Of several that fail at once any may be the last, of those one by one it is this.
        call.bridge = cause if call.ask.attributes.get("sequential") == "true" else call.bridge | cause
    else:
        call.deadline = call.now + RING_S


def _ring_on(call: _Call) -> None:
    """Ring the next phone when all before gave up; go on with the document when there is none."""
    while call.to_ring and not call.ringing:
        _ring(call)
    if not call.ringing:
        call.wait, call.deadline = "", None
        _run(call)


def _give_up(call: _Call, legs: list[Leg], cause: str) -> None:
    for leg in legs:
        leg.state, leg.causes = "ended", frozenset({cause})
        call.bridge = leg.causes


def _connect(call: _Call, leg: Leg) -> None:
    leg.state, call.dialled, call.wait = "active", leg.number, "connected"
    _give_up(call, call.ringing, "LOSE_RACE")
    call.bridge = frozenset({"NORMAL_CLEARING"})
    call.seen.heard.append(f"[connected to {leg.number}]")
    limit = call.ask.attributes.get("maxDuration")
    call.deadline = call.now + int(limit) if limit else None
    call.is_recording = call.ask.attributes.get("record") == "true"


def _queued(name: str) -> str:
    return f"[waits in queue {name}]" if name else "[waits in queue]"


def _enqueue(call: _Call, action: Action) -> None:
    call.has_acted, call.wait, call.ask = True, "queue", action
    call.seen.heard.append(_queued(action.attributes.get("name", "")))
    if "holdMusic" in action.attributes:
        call.seen.heard.append(f"[hold music {action.attributes['holdMusic']}]")


def _dequeue(call: _Call, action: Action) -> None:
    call.has_acted = True
    wanted = action.attributes.get("name", "")
    found = next((entry for entry in call.queue if entry[1] == wanted), None)
    if not found or action.attributes["phoneNumber"] != VOICE_NUMBER:
        return
    call.queue.remove(found)
    other = call.seen.others[found[0]]
    other.is_dequeued = True
    other.heard.append(f"[connected to {CALLER}]")
    _share(call, found[0])


def _share(call: _Call, phone: str) -> None:
    call.wait, call.partner, call.deadline = "shared", phone, None
    call.seen.heard.append(f"[connected to {phone}]")


def _confer(call: _Call, action: Action) -> None:
    call.has_acted, call.wait = True, "conference"
    call.seen.heard.append("[in a conference]")


def _redirect(call: _Call, action: Action) -> None:
    call.has_acted, call.address = True, action.text
    _fetch(call, action.text, None if call.has_digits else "", None if call.has_recorded else False)


def _reject(call: _Call, action: Action) -> None:
    call.seen.is_free = call.script.direction == "Inbound" and not call.has_acted
    _end(call, frozenset({"CALL_REJECTED"}), None)


_ACTIONS: dict[str, Callable[[_Call, Action], None]] = {
    "Say": _say, "Play": _play_file, "GetDigits": _get_digits, "Record": _record, "Dial": _dial, "Enqueue": _enqueue,
    "Dequeue": _dequeue, "Conference": _confer, "Redirect": _redirect, "Reject": _reject,
}  # fmt: skip


def _end(
    call: _Call, causes: frozenset[str] = frozenset({"NORMAL_CLEARING"}), statuses: frozenset[str] | None = frozenset({"Success"})
) -> None:
    seen = call.seen
    for leg in seen.legs:
        if leg.state == "active":
            leg.state, leg.causes = "ended", call.bridge
    if call.partner:
        seen.others[call.partner].is_ended = True
    least = 0 if seen.is_free else int(call.now - call.answered_at)
    seen.duration_s = (least, 0 if seen.is_free else least + call.recorded_s + 3)
    seen.state, call.wait, call.deadline = "ended", "", None
    nothing: frozenset[str] = frozenset({""})
    seen.final = {"hangupCause": causes, "status": statuses, "currencyCode": None, "amount": None}
    seen.final["dialDestinationNumber"] = frozenset({call.dialled or ""})
    seen.final["dialStartTime"] = seen.final["dialDurationInSeconds"] = None if call.dialled else nothing
    seen.final["dequeuedToPhoneNumber"] = frozenset({call.dequeued_to})
    if not call.dequeued_to:
        seen.final |= dict.fromkeys(("dequeuedToSessionId", "dequeueTime", "queueDurationInSeconds"), nothing)
    if call.partner and not call.dequeued_to:
        # Whether the call that takes somebody from a queue also tells of it is not said.
        seen.final = {name: value for name, value in seen.final.items() if not name.startswith(("dequeue", "queue"))}
    if seen.legs:
        seen.final["lastBridgeHangupCause"] = call.bridge
    if call.is_recording:
        seen.final["recordingUrl"] = None
    elif not call.has_recorded and not any(leg for leg in seen.legs):
        seen.final["recordingUrl"] = nothing


def _do_answer(call: _Call, move: Move) -> None:
    if call.wait == "pick-up":
        call.answered_at, call.seen.state = call.now, "active"
        _fetch(call, INSTRUCT)
    else:
        _connect(call, next(leg for leg in call.ringing if leg.number == move.phone))


def _do_reject(call: _Call, move: Move) -> None:
    _give_up(call, [leg for leg in call.ringing if leg.number == move.phone], "CALL_REJECTED")
    _ring_on(call)


def _do_digits(call: _Call, move: Move) -> None:
    keys = str(move.value)
    if call.wait != "record":
        call.kept += keys
        _press(call)
        return
    finish = call.ask.attributes.get("finishOnKey")
    call.has_stray_keys |= keys != finish
    if finish and finish in keys:
        _send_recording(call)


def _do_record(call: _Call, move: Move) -> None:
    call.recorded_s += int(move.value)
    _send_recording(call)


def _do_hangup(call: _Call, move: Move) -> None:
    causes = frozenset({"NORMAL_CLEARING"})
    if call.wait == "ringing":
        _give_up(call, call.ringing, "ORIGINATOR_CANCEL")
        causes |= {"ORIGINATOR_CANCEL"}
    _end(call, causes, frozenset({"Success", "Aborted"}) if call.wait == "ringing" else frozenset({"Success"}))


def _do_dequeue(call: _Call, move: Move) -> None:
    if any(name == call.ask.attributes.get("name", "") for _, name in call.queue):
        raise Ambiguous("somebody waits longer")
    call.dequeued_to = move.phone
    call.seen.others[move.phone] = Other([f"[connected to {CALLER}]"])
    _share(call, move.phone)


def _do_advance(call: _Call, move: Move) -> None:
    target = call.now + int(move.value)
    if call.deadline is not None and call.deadline <= target:
        call.now = call.deadline
        _expire(call)
    if call.deadline is not None and call.deadline - target < MARGIN_S:
        raise Ambiguous("too close to call")
    # An ended call does not get longer.
    call.now = target


def _expire(call: _Call) -> None:
    if call.wait == "digits" and call.keys:
        _send_digits(call)
    elif call.wait == "record":
        _send_recording(call)
    elif call.wait == "connected":
        _end(call)
    elif call.wait == "ringing":
        _give_up(call, call.ringing, "NO_ANSWER")
        _ring_on(call)
    else:
        call.wait, call.deadline = "", None
        _run(call)


_MOVES: dict[str, Callable[[_Call, Move], None]] = {
    "answer": _do_answer, "reject": _do_reject, "digits": _do_digits, "record": _do_record, "hangup": _do_hangup,
    "dequeue": _do_dequeue, "advance": _do_advance,
}  # fmt: skip


# Making scripts

WORDS = (
    "Karibu", "sana", "press", "one", "Tom & Jerry", "5 < 6 > 4", "naïve", "“quoted”", "it's", "KES 1,200.50", "ñandú", "🎉", "a]]b",
    "&amp;", "<Play/>", "#", "100%", "Ndiyo\u00a0ndiyo", "--", "Ελλάδα",
)  # fmt: skip
VOICES = ("man", "woman", "en-US-Standard-C")
QUEUES = ("", "sales", "after sales & care")
TUNES = ("https://example.com/a.mp3", "http://example.com/b.wav?x=1&y=2", "https://example.com/%E2%82%AC.mp3")


def generate(seed: int) -> tuple[Script, list[Move]]:
    """Return a script and the moves of one call until its end, always the same for a seed."""
    random = Random(seed)
    while True:
        script = _make_script(random)
        try:
            return script, _make_moves(script, random)
        except Ambiguous:
            continue


def _make_script(random: Random) -> Script:
    # An app that names its addresses always, never, or as it likes
    named = random.choice((0.0, 1.0, 1.0, 0.5))
    documents = [[_make(random, named) for _ in range(random.randint(1, 6))] for _ in range(random.randint(1, 6))]
    direction = "Outbound" if random.random() < 0.2 else "Inbound"
    has_dequeue = any(action.name == "Dequeue" for document in documents for action in document)
    queues = tuple(random.choices(QUEUES, k=random.randint(1, 2))) if has_dequeue and random.random() < 0.8 else ()
    return Script(documents, direction, queues)


def _make(random: Random, named: float) -> Action:
    names = ("Say", "Play", "GetDigits", "Record", "Dial", "Enqueue", "Dequeue", "Conference", "Redirect", "Reject", "odd")
    name = random.choices(names, weights=(6, 3, 8, 5, 5, 1.5, 2.5, 0.8, 2.5, 0.8, 1))[0]
    if name in ("Say", "Play"):
        return _make_prompt(name, random)
    if name == "odd":
        return Action(random.choice(("say", "SAY", "Pause", "getDigits")), text="Not to be heard")
    if name == "Redirect":
        return Action(name, text=_make_address("redirect", random))
    if name in ("Conference", "Reject"):
        return Action(name)
    if name in ("GetDigits", "Record"):
        child = _make_prompt(random.choice(("Say", "Play")), random) if random.random() < 0.7 else None
        address = {"callbackUrl": _make_address("step", random)} if random.random() < named else {}
        return Action(name, _some(_OPTIONS[name], random) | address, child=child)
    attributes = _some(_OPTIONS[name], random)
    if name == "Dial":
        numbers = random.sample((*DESKS, BUSY, SILENT, SIP), k=random.choice((1, 1, 2, 2, 3)))
        attributes["phoneNumbers"] = random.choice((",", ",", ", ")).join(numbers)
    if name == "Dequeue":
        attributes["phoneNumber"] = random.choice((VOICE_NUMBER, VOICE_NUMBER, VOICE_NUMBER, OTHER_NUMBER))
    return Action(name, attributes)


def _make_prompt(name: str, random: Random) -> Action:
    if name == "Play":
        return Action("Play", {"url": random.choice(TUNES)})
    words = " ".join(random.choices(WORDS, k=random.choice((0, 1, 1, 3, 6))))
    attributes = _some({"voice": VOICES, "playBeep": ("true", "false")}, random) if words else {}
    return Action("Say", attributes, words, is_ssml=bool(words) and random.random() < 0.3)


def _make_address(what: str, random: Random) -> str:
    return f"/{what}/{random.randint(1, 999)}" + random.choice(("", "?step=2", "?a=1&b=%2B2&c="))


_OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "GetDigits": {"timeout": ("5", "8", "20"), "finishOnKey": ("#", "#", "*"), "numDigits": ("1", "2", "4")},
    "Record": {
        "finishOnKey": ("#", "*"), "maxLength": ("5", "30"), "timeout": ("15", "600"), "trimSilence": ("true", "false"),
        "playBeep": ("true", "false"),
    },
    "Dial": {
        "record": ("true", "false"), "sequential": ("true", "true", "false"), "callerId": (VOICE_NUMBER,), "maxDuration": ("20", "90"),
    },
    "Enqueue": {"name": QUEUES[1:], "holdMusic": TUNES},
    "Dequeue": {"name": QUEUES[1:]},
}  # fmt: skip


def _some(options: dict[str, tuple[str, ...]], random: Random) -> dict[str, str]:
    """Choose some attributes, at times none."""
    if random.random() < 0.15:
        return {}
    return {name: random.choice(values) for name, values in options.items() if random.random() < 0.5}


def _make_moves(script: Script, random: Random) -> list[Move]:
    moves: list[Move] = []
    while (call := _play(script, moves)).seen.state != "ended":
        moves.append(Move("hangup") if len(moves) > 12 and call.wait != "pick-up" else random.choice(_possible(call, random)))
    return moves


def _possible(call: _Call, random: Random) -> list[Move]:
    """Return what people may do now, the likelier more than once."""
    hang_up = Move("hangup", phone=random.choice(("", CALLER)))
    match call.wait:
        case "pick-up":
            moves = [Move("answer", phone=random.choice(("", CALLER)))]
        case "digits":
            moves = [*_possible_keys(call, random), hang_up]
        case "record":
            moves = [*_possible_ends(call, random), hang_up]
        case "ringing":
            moves = [*_possible_legs(call, random), hang_up]
        case "connected":
            late = [Move("advance", _left_s(call) + 1)] * 2 if call.deadline else [Move("advance", 70)]
            moves = [*late, hang_up, Move("hangup", phone=call.dialled)]
        case "queue":
            moves = [Move("dequeue", phone=DEQUEUER)] * 3 + [Move("advance", 65), hang_up]
        case "shared":
            moves = [Move("hangup", phone=call.partner), hang_up, Move("advance", 10)]
        case _:
            moves = [Move("advance", 61), hang_up]
    return moves


def _left_s(call: _Call) -> int:
    return int((call.deadline or 0) - call.now)


def _possible_ends(call: _Call, random: Random) -> list[Move]:
    finish = call.ask.attributes.get("finishOnKey")
    keys = [Move("digits", finish)] * 3 + [Move("digits", "7" + finish)] if finish else []
    late = [Move("advance", _left_s(call) + 1)] * 2 if _left_s(call) < 100 else []
    return [Move("record", random.choice((1, 4, 40)))] * 3 + keys + late


def _possible_legs(call: _Call, random: Random) -> list[Move]:
    rung = [leg.number for leg in call.ringing if leg.number != SILENT]
    people = [Move(what, phone=number) for number in rung for what in ("answer", "answer", "reject", "reject")]
    return [*people, Move("advance", RING_S + 1), Move("advance", RING_S + 1), Move("digits", random.choice(("1", "23")))]


def _possible_keys(call: _Call, random: Random) -> list[Move]:
    finish, wanted = call.ask.attributes.get("finishOnKey"), int(call.ask.attributes.get("numDigits", "0"))
    digits = "0123456789" + "#*".replace(finish or "#", "")
    some = "".join(random.choices(digits, k=random.randint(1, 3)))
    moves = [Move("digits", some), Move("digits", some[0]), Move("advance", _left_s(call) + 1)]
    if finish:
        moves += [Move("digits", some + finish), Move("digits", finish), Move("digits", f"{some}{finish}{some[0]}")]
    if wanted:
        whole = "".join(random.choices(digits, k=wanted - len(call.keys)))
        moves += [Move("digits", whole)] * 3 + [Move("digits", whole + "8")]
    return [*moves, moves[2], Move("advance", 3)]


# Spelling them


def spell(document: Document, base: str, seed: int) -> tuple[bytes, str]:
    """Write a document as XML in one of the many legal ways, and choose a content type. base: where the app is."""
    random = Random(seed)
    inner = "".join(_gap(random) + _element(action, base, random) for action in document) + _gap(random)
    root = random.choice(("<Response>", "<Response\n>", "<Response >")) + inner + random.choice(("</Response>", "</Response\n>"))
    if not document and random.random() < 0.5:
        root = random.choice(("<Response/>", "<Response />"))
    latin = random.random() < 0.15 and _is_latin(root)
    name = "ISO-8859-1" if latin else random.choice(("UTF-8", "utf-8"))
    declared = [f'<?xml version="1.0" encoding="{name}"?>', f"<?xml version='1.0' encoding='{name}' standalone=\"yes\" ?>\n"]
    undeclared = ["", "\n\n  ", "<!-- no declaration -->\n", '<?xml version="1.0"?>', "\ufeff"]
    text = random.choice(declared if latin else declared * 2 + undeclared) + root + random.choice(("", "\n", "\n<!-- end -->\n", "\r\n"))
    kind = random.choice(("text/plain", "application/xml", "text/xml", "text/html"))
    return text.encode("iso-8859-1" if latin else "utf-8"), kind if latin else kind + random.choice(("", "; charset=utf-8"))


def _is_latin(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


def _gap(random: Random) -> str:
    return random.choice(("", "", "\n  ", " ", "\r\n\t", "<!-- <Say>not said</Say> & so on -->", "\n<?note to=nobody?>\n"))


def _element(action: Action, base: str, random: Random) -> str:
    attributes = {name: base + value if name == "callbackUrl" else value for name, value in action.attributes.items()}
    names = random.sample(sorted(attributes), k=len(attributes))
    written = "".join(random.choice((" ", "  ", "\n    ")) + name + _quoted(attributes[name], random) for name in names)
    inside = _inside(action, base, random)
    if not inside and random.random() < 0.6:
        return f"<{action.name}{written}{random.choice(('', ' '))}/>"
    return f"<{action.name}{written}>{inside}</{action.name}{random.choice(('', ' '))}>"


def _quoted(value: str, random: Random) -> str:
    quote = random.choice(("'", '"'))
    text = escape(value, {quote: "&quot;" if quote == '"' else "&#39;"})
    if random.random() < 0.2:
        text = text.replace("+", "&#x2B;").replace("/", "&#47;")
    return random.choice(("=", " = ")) + quote + text + quote


def _inside(action: Action, base: str, random: Random) -> str:
    if action.child:
        return _gap(random) + _element(action.child, base, random) + _gap(random)
    if action.name == "Redirect":
        return random.choice(("", "\n  ")) + _character_data(base + action.text, random) + random.choice(("", " \n"))
    # A comment, a blank line or nothing at all says nothing.
    if not action.text:
        return random.choice(("", "", " ", "\n")) if action.name != "Say" else random.choice(("", " \n", "<!-- Karibu -->"))
    if action.is_ssml:
        return _ssml(action.text, random)
    return random.choice(("", "\n  ")) + random.choice((" ", "\n  ", "\t \t")).join(_words(action.text, random)) + random.choice(("", "\n"))


def _words(text: str, random: Random) -> list[str]:
    return [_character_data(word, random) for word in text.split(" ")]


def _character_data(text: str, random: Random) -> str:
    way = random.random()
    if way < 0.15:
        return f"<![CDATA[{text}]]>"
    if way < 0.25:
        return "".join(random.choice((f"&#{ord(character)};", f"&#x{ord(character):X};")) for character in text)
    if way < 0.35:
        half = len(text) // 2
        return escape(text[:half]) + "<!-- cut & dried -->" + escape(text[half:])
    return escape(text, {"'": "&apos;", '"': "&quot;"} if way < 0.5 else {})


def _ssml(text: str, random: Random) -> str:
    """Put marks around words, never within one."""
    marks = (
        "{}", "{}", '{} <break time="1s"/>', '<say-as interpret-as="characters">{}</say-as>', '<emphasis level="strong"> {} </emphasis>',
        "<p><s>{}</s></p>", '<prosody rate="slow">{}</prosody>',
    )  # fmt: skip
    return f"<speak>{' '.join(random.choice(marks).format(word) for word in _words(text, random))}</speak>"
