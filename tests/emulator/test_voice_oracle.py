"""Calls through the listening emulator, against an oracle that was written from the reference alone, and cases chosen by hand."""

import io
import re
import threading
import time
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
import requests

from tests.emulator.voice_oracle import (
    BUSY,
    CALLER,
    DEQUEUER,
    DESKS,
    RING_S,
    SILENT,
    SIP,
    VOICE_NUMBER,
    WAITING,
    Action,
    Move,
    Other,
    Prediction,
    generate,
    predict,
    spell,
)

QUICK, ALL, TOGETHER = 100, 200, 10
SLOW = pytest.mark.slow
PATIENCE_S = 4


class Answer(NamedTuple):
    """What the app says to one request, when the gate opens. Status 0: nothing, it hangs up."""

    body: bytes
    kind: str = "text/plain"
    status: int = 200
    gate: threading.Event | None = None


EMPTY = Answer(b"<Response/>")


class Record(NamedTuple):
    """A request as it came."""

    address: str
    headers: dict[str, str]
    body: bytes
    fields: dict[str, str]


class Receiver(ThreadingHTTPServer):
    """The app's place: answers each caller from a list of its own and keeps what came."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.records: list[Record] = []
        self._lists: dict[str, list[Answer]] = {}
        self._rest: dict[str, Answer] = {}
        self._lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """An emulator that hangs up is a part of some tests."""

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self.records, self._lists, self._rest = [], {}, {}

    def play(self, phone: str, answers: list[Answer], rest: Answer = EMPTY) -> None:
        """Answer a phone's calls with these in turn, then with the rest."""
        with self._lock:
            self._lists[phone], self._rest[phone] = list(answers), rest

    def take(self, record: Record) -> Answer:
        """Keep a request and choose its answer."""
        with self._lock:
            self.records.append(record)
            if record.fields.get("isActive") != "1":
                return Answer(b"OK")
            phone = record.fields.get("callerNumber", "")
            return self._lists[phone].pop(0) if self._lists.get(phone) else self._rest.get(phone, EMPTY)

    def of(self, session: str) -> list[Record]:
        """Return what came about a call."""
        with self._lock:
            return [record for record in self.records if record.fields.get("sessionId") == session]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        answer = self.server.take(Record(self.path, dict(self.headers.items()), body, fields))
        if answer.gate:
            answer.gate.wait(30)
        if not answer.status:
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass
class Line:
    """What a test does with phones, calls and the clock."""

    url: str
    app: Receiver
    http: requests.Session
    calls: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the control API."""
        answer = self.http.request(method, self.url + "/control" + path, json=body, timeout=15)
        assert answer.ok, f"{method} {path} {body}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    def settings(self, **given: object) -> None:
        """Change settings."""
        self.ask("PUT", "/settings", given)

    def call_in(self, phone: str = CALLER) -> str:
        """Let a phone call the app's number."""
        self.calls[phone] = self.ask("POST", f"/phones/{phone}/call", {"to": VOICE_NUMBER})["call"]
        return self.calls[phone]

    def call_out(self, phone: str = CALLER) -> str:
        """Let the app call a phone, as through the SDK."""
        form = {"username": "sandbox", "from": VOICE_NUMBER, "to": phone}
        answer = self.http.post(self.url + "/call", data=form, headers={"apiKey": "any", "Accept": "application/json"}, timeout=15)
        self.calls[phone] = answer.json()["entries"][0]["sessionId"]
        return self.calls[phone]

    def ring(self, *documents: str | Answer, phone: str = CALLER, rest: Answer = EMPTY) -> str:
        """Let a phone call in and hear the first of these documents."""
        answers = [one if isinstance(one, Answer) else Answer(one.encode()) for one in documents]
        self.app.play(phone, answers, rest)
        self.until(self.call_in(phone), lambda one: one["state"] != "ringing")
        return self.calls[phone]

    def see(self, call: str) -> dict[str, Any]:
        """Return a call as it is."""
        return self.ask("GET", f"/calls/{call}")

    def act(self, call: str, what: str, **body: object) -> None:
        """Do something in a call."""
        self.ask("POST", f"/calls/{call}/{what}", body)

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self.ask("POST", "/clock", {"advance": seconds})

    def until(self, call: str, check: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Return the call once it is as it should be, or as it is at last."""
        end = time.monotonic() + PATIENCE_S
        while not check(shape := self.see(call)) and time.monotonic() < end:
            time.sleep(0.02)
        return shape

    def ended(self, call: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Return a call that has ended, and the fields of its final event."""
        shape = self.until(call, lambda one: one["state"] == "ended" and self.finals(call))
        assert shape["state"] == "ended", shape
        (final,) = self.finals(call)
        return shape, final.fields

    def asked(self, call: str) -> list[tuple[str, str | None]]:
        """Return where the app was asked after the first time, and with which digits."""
        records = [record for record in self.app.of(call) if record.fields["isActive"] == "1"]
        return [(record.address, record.fields.get("dtmfDigits")) for record in records[1:]]

    def finals(self, call: str) -> list[Record]:
        """Return the final events of a call."""
        return [record for record in self.app.of(call) if record.fields["isActive"] == "0"]


@pytest.fixture(scope="module")
def place() -> Iterator[Receiver]:
    """The app's place, listening."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def line(emulator: Any, place: Receiver) -> Iterator[Line]:
    """An emulator as new, where speech takes no time, and whose app is the receiver."""
    with requests.Session() as http:
        one = Line(emulator.url, place, http)
        renew(one)
        yield one


def renew(line: Line) -> None:
    """Make the emulator and the app as new."""
    line.ask("POST", "/reset")
    line.app.clear()
    line.calls.clear()
    callbacks = {"voice.instructions": line.app.url + "/instruct", "voice.event": line.app.url + "/events"}
    line.settings(callbacks=callbacks, speech_chars_per_s=0, play_s=0)


# Two hundred documents against the oracle


@pytest.mark.parametrize("first", [pytest.param(first, marks=SLOW if first >= QUICK else []) for first in range(0, ALL, TOGETHER)])
def test_calls_go_as_the_oracle_says(line: Line, first: int) -> None:
    found = []
    for seed in range(first, first + TOGETHER):
        renew(line)
        found += run(line, seed)
    assert not found, "\n\n".join(found)


def run(line: Line, seed: int) -> list[str]:
    """Make the call of a seed. Returns what went otherwise than the oracle says, with the whole story."""
    script, moves = generate(seed)
    answers = [Answer(*spell(document, line.app.url, seed * 10 + number)) for number, document in enumerate(script.documents)]
    for phone, name in zip(WAITING, script.queues, strict=False):
        wait_in_queue(line, phone, name)
    line.app.play(CALLER, answers)
    call = line.call_in() if script.direction == "Inbound" else line.call_out()
    for count in range(len(moves) + 1):
        if count:
            make(line, call, moves[count - 1])
        expected = predict(script, moves[:count])
        if differing := differences_at_last(line, call, expected):
            documents = [f"{answer.kind}: {answer.body!r}" for answer in answers]
            story = [f"seed {seed}: {differing}", f"moves: {moves[:count]}", f"expected: {expected}", f"seen: {line.see(call)}"]
            return ["\n".join([*story, f"queues: {script.queues}", *documents])]
    return []


def wait_in_queue(line: Line, phone: str, name: str) -> None:
    """Let a phone call in and wait."""
    document = [Action("Enqueue", {"name": name} if name else {})]
    line.app.play(phone, [Answer(spell(document, line.app.url, 0)[0])])
    line.until(line.call_in(phone), lambda one: one["heard"])


def make(line: Line, call: str, move: Move) -> None:
    """Do what a move says."""
    phone = {"phone": move.phone} if move.phone else {}
    if move.what == "advance":
        line.advance(int(move.value))
    elif move.what == "dequeue":
        own = next(one for one in line.see(call)["heard"] if one.startswith("[waits in queue"))
        name = own.removeprefix("[waits in queue").strip(" ]")
        attributes = {"phoneNumber": VOICE_NUMBER} | ({"name": name} if name else {})
        line.app.play(move.phone, [Answer(spell([Action("Dequeue", attributes)], line.app.url, 0)[0])])
        line.call_in(move.phone)
    elif move.phone in line.calls and line.calls[move.phone] != call:
        line.act(line.calls[move.phone], move.what)
    else:
        value = {"digits": {"digits": move.value}, "record": {"seconds": move.value}}.get(move.what, {})
        line.act(call, move.what, **value, **phone)


def differences_at_last(line: Line, call: str, expected: Prediction) -> list[str]:
    """Return what differs, after giving the emulator time to get there."""
    end = time.monotonic() + PATIENCE_S
    while (found := differences(line, call, expected)) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def differences(line: Line, call: str, expected: Prediction) -> list[str]:
    """Return what is otherwise than expected, in words."""
    shape = line.see(call)
    found = [f"{name}: {shape[name]}" for name in ("state", "waiting_for", "heard") if shape[name] != getattr(expected, name)]
    found += differing_legs(shape["legs"], expected)
    found += differing_requests(line, call, expected)
    for phone, other in expected.others.items():
        found += differing_other(line, call, phone, other)
    return found + (differing_final(line, call, shape, expected) if expected.state == "ended" else [])


def differing_legs(legs: list[dict[str, str]], expected: Prediction) -> list[str]:
    """Compare the phones that were rung, and that no other is."""
    dialled = [(leg["number"], leg["state"], leg["cause"]) for leg in legs if leg["role"] == "dialled"]
    found: list[str] = []
    for number in {number for number, _, _ in dialled} | {leg.number for leg in expected.legs}:
        wanted = [leg for leg in expected.legs if leg.number == number]
        seen = [leg for leg in dialled if leg[0] == number]
        rung, unrung = seen[: len(wanted)], seen[len(wanted) :]
        same = [
            leg.state == state and (not leg.causes or cause in leg.causes) for leg, (_, state, cause) in zip(wanted, rung, strict=False)
        ]
        if len(rung) < len(wanted) or not all(same) or len(unrung) > expected.unrung.count(number):
            found.append(f"legs: {seen}")
        found += [f"rings: {leg}" for leg in unrung if leg[1] in ("ringing", "active")]
    return found


def differing_requests(line: Line, call: str, expected: Prediction) -> list[str]:
    """Compare what the app was asked, and that nothing else came before the end."""
    records = [record for record in line.app.of(call) if record.fields["isActive"] == "1"]
    seen = [(one.address, one.fields.get("dtmfDigits", ""), bool(one.fields.get("recordingUrl"))) for one in records]
    same = len(seen) == len(expected.requests) and all(
        all(wanted is None or wanted == got for wanted, got in zip(request, one, strict=True))
        for request, one in zip(expected.requests, seen, strict=True)
    )
    others = [] if expected.state == "ended" else [record.body for record in line.app.of(call) if record.fields["isActive"] != "1"]
    return ([] if same else [f"requests: {seen}"]) + [f"not expected: {body!r}" for body in others]


def differing_other(line: Line, call: str, phone: str, other: Other) -> list[str]:
    """Compare the call of somebody who shares a queue."""
    shape = line.see(line.calls[phone])
    found = [] if shape["heard"] == other.heard else [f"{phone} heard {shape['heard']}"]
    if (shape["state"] == "ended") != other.is_ended:
        found.append(f"{phone} is {shape['state']}")
    if other.is_dequeued and other.is_ended:
        wanted = {"dequeuedToPhoneNumber": CALLER, "dequeuedToSessionId": call, "hangupCause": "NORMAL_CLEARING", "status": "Success"}
        finals = line.finals(line.calls[phone])
        if len(finals) != 1 or any(finals[0].fields.get(name) != value for name, value in wanted.items()):
            found.append(f"{phone} final: {[record.fields for record in finals]}")
        elif not all(finals[0].fields.get(name) for name in ("dequeueTime", "queueDurationInSeconds")):
            found.append(f"{phone} final lacks times: {finals[0].fields}")
    return found


def differing_final(line: Line, call: str, shape: dict[str, Any], expected: Prediction) -> list[str]:
    """Compare the final event, and the call's shape with it."""
    records = line.finals(call)
    if len(records) != 1:
        return [f"{len(records)} final events"]
    address, fields = records[0].address, records[0].fields
    wanted = {name: "one" if values is None else " or ".join(sorted(values)) for name, values in expected.final.items()}
    found = [
        f"final {name}: {fields.get(name)}, not {wanted[name]}"
        for name, values in expected.final.items()
        if not allowed(fields.get(name, ""), values)
    ]
    least, most = expected.duration_s
    if not least <= int(fields["durationInSeconds"]) <= most or int(fields["durationInSeconds"]) != shape["duration"]:
        found.append(f"duration {fields['durationInSeconds']}, {shape['duration']}, not {expected.duration_s}")
    # A call of less than a second may cost nothing or a minute.
    if (expected.is_free or fields["durationInSeconds"] != "0") and expected.is_free != (Decimal(fields["amount"]) == 0):
        found.append(f"amount {fields['amount']}")
    if fields["callSessionState"] != "Completed" or address != "/events" or fields["hangupCause"] != shape["hangup_cause"]:
        found.append(f"final {address} {fields}")
    if expected.final.get("dequeuedToPhoneNumber") == {DEQUEUER} and fields.get("dequeuedToSessionId") != line.calls[DEQUEUER]:
        found.append(f"dequeued to {fields.get('dequeuedToSessionId')}")
    return found


def allowed(value: str, values: frozenset[str] | None) -> bool:
    """Tell whether a field may be so."""
    return bool(value) if values is None else value in values


COVERED = """
    answer reject digits record hangup dequeue advance sent recorded dequeued free [connected [waits [in
    USER_BUSY USER_NOT_REGISTERED NO_ANSWER CALL_REJECTED LOSE_RACE ORIGINATOR_CANCEL
    Say Play GetDigits Record Dial Enqueue Dequeue Conference Redirect Reject
    voice playBeep url timeout finishOnKey numDigits callbackUrl maxLength trimSilence
    phoneNumbers sequential callerId maxDuration name holdMusic phoneNumber
"""


def test_the_documents_cover_every_action_and_outcome() -> None:
    count: Counter[str] = Counter()
    for seed in range(ALL):
        script, moves = generate(seed)
        expected = predict(script, moves)
        count.update(move.what for move in moves)
        count.update(cause for leg in expected.legs for cause in leg.causes)
        count.update(line.split()[0] for line in expected.heard if line.startswith("["))
        count.update(name for document in script.documents for action in document for name in (action.name, *action.attributes))
        count.update(("sent" if request.digits else "recorded" if request.is_recorded else "asked") for request in expected.requests[1:])
        count["free"] += expected.is_free
        count["dequeued"] += sum(other.is_dequeued for other in expected.others.values())
    assert not {name: count[name] for name in COVERED.split() if count[name] < 5}


def test_a_seed_always_makes_the_same_call() -> None:
    assert generate(7) == generate(7)
    script, _ = generate(7)
    assert spell(script.documents[0], "http://app", 7) == spell(script.documents[0], "http://app", 7)


# Cases chosen by hand


def response(*elements: str) -> str:
    """Return a document, one element a line, the first on line 2."""
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?><Response>', *elements, "</Response>"])


def test_digits_that_never_come_let_the_next_action_run(line: Line) -> None:
    call = line.ring(response('<GetDigits timeout="6"><Say>Your number?</Say></GetDigits>', "<Say>We got nothing.</Say>"))
    shape = line.see(call)
    assert (shape["waiting_for"], shape["heard"]) == ("digits", ["Your number?"])
    line.advance(3)
    assert line.see(call)["state"] == "active"
    line.advance(4)
    shape, final = line.ended(call)
    assert shape["heard"] == ["Your number?", "We got nothing."]
    assert line.asked(call) == []
    assert (final["status"], final["hangupCause"]) == ("Success", "NORMAL_CLEARING")


def test_what_is_asked_for_is_shown(line: Line) -> None:
    call = line.ring(response('<GetDigits timeout="6" finishOnKey="#"/>', '<GetDigits numDigits="4"/>'))
    assert line.see(call)["asked"] == {"timeout": "6", "finishOnKey": "#"}
    line.advance(7)
    assert line.see(call)["asked"] == {"numDigits": "4"}


def test_silences_follow_each_other_however_far_the_clock_jumps(line: Line) -> None:
    call = line.ring(response(*['<GetDigits timeout="5"><Say>Again</Say></GetDigits>'] * 5, "<Say>end</Say>"))
    line.advance(100_000)
    shape, final = line.ended(call)
    assert shape["heard"] == ["Again"] * 5 + ["end"]
    assert 25 <= int(final["durationInSeconds"]) <= 26


def test_thirty_seconds_after_the_last_key_what_was_pressed_is_sent(line: Line) -> None:
    call = line.ring(response('<GetDigits numDigits="4"/>', "<Say>not run</Say>"), response("<Say>thanks</Say>"))
    line.act(call, "digits", digits="1")
    line.advance(22)
    line.act(call, "digits", digits="2")
    line.advance(22)
    assert (line.see(call)["waiting_for"], line.asked(call)) == ("digits", [])
    line.advance(9)
    shape, _ = line.ended(call)
    assert line.asked(call) == [("/instruct", "12")]
    assert shape["heard"] == ["thanks"]


@pytest.mark.parametrize(("keys", "sent"), [("12#", "12"), ("#", ""), ("1*2#", "1*2"), ("0#9", "0")])
def test_the_finishing_key_is_no_digit(line: Line, keys: str, sent: str) -> None:
    call = line.ring(response('<GetDigits finishOnKey="#" numDigits="6" callbackUrl="' + line.app.url + '/pin?a=1&amp;b=2"/>'))
    line.act(call, "digits", digits=keys)
    line.ended(call)
    assert line.asked(call) == [("/pin?a=1&b=2", sent)]


def test_a_prompt_is_waited_for_and_a_key_cuts_it_short(line: Line) -> None:
    line.settings(speech_chars_per_s=10)
    document = response('<GetDigits timeout="5" numDigits="1"><Say>' + "x" * 100 + "</Say></GetDigits>", "<Say/>")
    silent = line.ring(document)
    line.advance(12)
    assert line.until(silent, lambda one: one["waiting_for"])["waiting_for"] == "digits"
    line.advance(4)
    line.ended(silent)
    assert line.asked(silent) == []
    quick = line.ring(document)
    line.act(quick, "digits", digits="1")
    line.ended(quick)
    assert line.asked(quick) == [("/instruct", "1")]


def test_keys_pressed_while_nobody_asks_are_kept(line: Line) -> None:
    call = line.ring(response(f'<Dial phoneNumbers="{DESKS[0]}"/>', '<GetDigits numDigits="2"/>', "<Say>not run</Say>"))
    line.act(call, "digits", digits="42")
    line.act(call, "reject", phone=DESKS[0])
    line.ended(call)
    assert line.asked(call) == [("/instruct", "42")]


def test_a_recording_is_as_long_as_allowed_and_can_be_played(line: Line) -> None:
    call = line.ring(response('<Record maxLength="3" playBeep="true"><Say>Speak.</Say></Record>'))
    assert line.see(call)["waiting_for"] == "record"
    line.act(call, "record", seconds=8)
    shape, _ = line.ended(call)
    assert shape["heard"] == ["Speak.", "[beep]"]
    (sent,) = [
        record.fields["recordingUrl"]
        for record in line.app.of(call)
        if record.fields["isActive"] == "1" and "recordingUrl" in record.fields
    ]
    with wave.open(io.BytesIO(line.http.get(sent, timeout=10).content)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(3, abs=0.2)


def test_a_busy_second_leg_leaves_the_first_ringing(line: Line) -> None:
    call = line.ring(response(f'<Dial phoneNumbers="{DESKS[0]},{BUSY}" record="true"/>', "<Say>not run</Say>"))
    legs = {leg["number"]: (leg["state"], leg["cause"]) for leg in line.see(call)["legs"]}
    assert (legs[DESKS[0]][0], legs[BUSY]) == ("ringing", ("ended", "USER_BUSY"))
    line.act(call, "answer", phone=DESKS[0])
    line.advance(61)
    line.act(call, "hangup", phone=DESKS[0])
    shape, final = line.ended(call)
    assert shape["heard"] == [f"[connected to {DESKS[0]}]"]
    assert (final["dialDestinationNumber"], final["lastBridgeHangupCause"]) == (DESKS[0], "NORMAL_CLEARING")
    assert 61 <= int(final["dialDurationInSeconds"]) <= 64
    assert final["recordingUrl"]
    assert final["dialStartTime"]


def test_one_by_one_the_second_rings_when_the_first_gave_up(line: Line) -> None:
    call = line.ring(response(f'<Dial phoneNumbers="{SIP},{DESKS[0]},{SILENT},{DESKS[1]}" sequential="true"/>'))

    def ringing() -> list[str]:
        return [leg["number"] for leg in line.see(call)["legs"] if leg["state"] == "ringing" and leg["number"] != CALLER]

    assert ringing() == [DESKS[0]]
    line.act(call, "reject", phone=DESKS[0])
    assert ringing() == [SILENT]
    line.advance(RING_S - 5)
    assert ringing() == [SILENT]
    line.advance(6)
    line.until(call, lambda _: ringing() == [DESKS[1]])
    assert ringing() == [DESKS[1]]
    line.act(call, "answer", phone=DESKS[1])
    line.act(call, "hangup")
    _, final = line.ended(call)
    assert final["dialDestinationNumber"] == DESKS[1]
    causes = {leg["number"]: leg["cause"] for leg in line.see(call)["legs"]}
    assert [causes[number] for number in (SIP, DESKS[0], SILENT)] == ["USER_NOT_REGISTERED", "CALL_REJECTED", "NO_ANSWER"]


def test_a_dialled_phone_in_another_call_is_busy(line: Line) -> None:
    line.ring(response("<Conference/>"), phone=DESKS[0])
    call = line.ring(response(f'<Dial phoneNumbers="{DESKS[0]}"/>', "<Say>nobody</Say>"))
    shape, final = line.ended(call)
    assert shape["heard"] == ["nobody"]
    assert final["lastBridgeHangupCause"] == "USER_BUSY"
    assert not final.get("dialDestinationNumber")


def test_two_in_one_queue_are_taken_oldest_first(line: Line) -> None:
    queued = [line.ring(response('<Enqueue name="sales"/>'), phone=phone) for phone in WAITING]
    nameless = line.ring(response("<Enqueue/>"), phone=DESKS[2])
    take = response(f'<Dequeue phoneNumber="{VOICE_NUMBER}" name="sales"/>', "<Say>nobody waits</Say>")
    for number, desk in enumerate(DESKS[:2]):
        line.advance(20)
        call = line.ring(take, phone=desk)
        assert line.see(call)["heard"] == [f"[connected to {WAITING[number]}]"]
        assert [line.see(one)["state"] for one in queued] == ["ended"] * number + ["active"] * (2 - number)
        line.act(call, "hangup")
        _, final = line.ended(queued[number])
        assert (final["dequeuedToPhoneNumber"], final["dequeuedToSessionId"]) == (desk, call)
        assert 20 * (number + 1) <= int(final["queueDurationInSeconds"]) <= 20 * (number + 1) + 3
    shape, _ = line.ended(line.ring(take))
    assert shape["heard"] == ["nobody waits"]
    assert line.see(nameless)["heard"] == ["[waits in queue]"]


@pytest.mark.parametrize(
    ("phone", "does", "cause"),
    [(CALLER, "reject", "CALL_REJECTED"), (CALLER, "wait", "NO_ANSWER"), (SILENT, "wait", "NO_ANSWER"), (BUSY, "", "USER_BUSY")],
)
def test_a_call_out_that_nobody_answers_costs_nothing(line: Line, phone: str, does: str, cause: str) -> None:
    call = line.call_out(phone)
    if does == "reject":
        line.act(call, "reject")
    elif does == "wait":
        assert line.until(call, lambda one: one["state"] == "ringing")["state"] == "ringing"
        line.advance(RING_S + 1)
    shape, final = line.ended(call)
    assert (final["hangupCause"], final["status"], final["durationInSeconds"]) == (cause, "Aborted", "0")
    assert Decimal(final["amount"]) == 0
    assert final["direction"] == "Outbound"
    assert (shape["heard"], len(line.app.of(call))) == ([], 1)


def test_the_body_is_as_captured(line: Line) -> None:
    call = line.ring(response("<Conference/>"))
    line.act(call, "hangup")
    line.ended(call)
    first, last = line.app.of(call)
    for record in (first, last):
        names = [name for name, _ in parse_qsl(record.body.decode(), keep_blank_values=True)]
        assert len(names) == len(set(names))
        assert b"callerNumber=%2B254711000017" in record.body
        assert record.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert record.fields["callerNumber"] == CALLER
        assert record.fields["destinationNumber"] == VOICE_NUMBER
        assert record.fields["direction"] == "Inbound"
    assert (first.address, first.fields["isActive"], first.fields["callSessionState"]) == ("/instruct", "1", "Ringing")
    assert call.startswith("ATVId_")


def test_without_an_events_address_the_end_goes_where_instructions_come_from(line: Line) -> None:
    line.settings(callbacks={"voice.event": None})
    line.ended(call := line.ring(response("<Say>bye</Say>")))
    assert [(record.address, record.fields["isActive"]) for record in line.app.of(call)] == [("/instruct", "1"), ("/instruct", "0")]


def test_a_redirect_that_never_ends_is_ended(line: Line) -> None:
    again = response(f"<Redirect>{line.app.url}/again</Redirect>")
    shape, _ = line.ended(call := line.ring(rest=Answer(again.encode())))
    assert line.asked(call) == [("/again", None)] * 20
    assert "redirect" in shape["why"].lower()


def test_google_marks_in_speech_need_no_namespace(line: Line) -> None:
    """As laravel's builder writes telephone numbers (reference §2.3)."""
    mark = '<say-as interpret-as="telephone" google:style="zero-as-zero">0711</say-as>'
    shape, final = line.ended(line.ring(response(f"<Say><speak>Call {mark} now</speak></Say>")))
    assert (shape["heard"], final["status"]) == (["Call 0711 now"], "Success")


BAD = {
    "an element not closed": (response("<Say>Karibu"), (2, 3)),
    "an ampersand on its own": (response("<Say>Karibu</Say>", "<Say>Tom & Jerry</Say>"), (3,)),
    "a less-than sign on its own": (response("<Say>5 < 6</Say>"), (2,)),
    "an attribute without quotes": (response("<Say voice=man>Karibu</Say>"), (2,)),
    "an attribute twice": (response('<Say voice="man" voice="woman">Karibu</Say>'), (2,)),
    "an entity of HTML": (response("<Say>Karibu&nbsp;sana</Say>"), (2,)),
    "a control character": (response("<Say>Karibu", "\x01</Say>"), (3,)),
    "two roots": ("<Response/>\n<Response/>", (2,)),
    "a blank line before the declaration": ("\n" + response("<Say>Karibu</Say>"), (2,)),
    "another root": ("\n<response><Say>Karibu</Say></response>", (2,)),
    "a page": ("<!-- a page -->\n<html><body>Not found</body></html>", (2,)),
    "a DOCTYPE": ("<?xml version='1.0'?>\n<!DOCTYPE Response>\n<Response><Say>Karibu</Say></Response>", (2,)),
    "a bomb": ('<!DOCTYPE x [<!ENTITY a "haha">\n<!ENTITY b "&a;&a;">]>\n<Response><Say>&b;</Say></Response>', (1, 2)),
    "plain text": ("Welcome", (1,)),
    "JSON": ('{"say": "Karibu"}', (1,)),
    "nothing": ("", (0, 1)),
    "Dial without numbers": (response("<Say>Karibu</Say>", "<Dial/>"), (3,)),
    "Dequeue without a number": (response('<Dequeue name="sales"/>'), (2,)),
    "Play without a url": (response("<Play/>"), (2,)),
    "Play of a file": (response('<Play url="ftp://example.com/a.mp3"/>'), (2,)),
    "Redirect to nowhere": (response("<Redirect> </Redirect>"), (2,)),
    "Redirect to a path": (response("<Redirect>/menu</Redirect>"), (2,)),
    "two prompts": (response("<GetDigits><Say>one</Say><Say>two</Say></GetDigits>"), (2,)),
    "an action as a prompt": (response('<Record maxLength="3">', "<Dial phoneNumbers='+254711000021'/></Record>"), (2, 3)),
    "numDigits that is none": (response('<GetDigits numDigits="two"/>'), (2,)),
    "timeout that is none": (response('<GetDigits timeout="soon"/>'), (2,)),
    "maxLength that is none": (response('<Record maxLength="1m"/>'), (2,)),
    "maxDuration that is none": (response('<Dial phoneNumbers="+254711000021" maxDuration="long"/>'), (2,)),
}


@pytest.mark.parametrize("is_later", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_ends_the_call_and_is_explained(line: Line, name: str, is_later: bool) -> None:
    document, lines = BAD[name]
    call = line.ring(*([response('<GetDigits numDigits="1"/>')] if is_later else []), document)
    if is_later:
        line.act(call, "digits", digits="1")
    shape, final = line.ended(call)
    assert (final["status"], final["hangupCause"], shape["heard"]) == ("Aborted", "NORMAL_TEMPORARY_FAILURE", [])
    said = re.search(r"\bline (\d+)", shape["why"])
    assert (int(said.group(1)) if said else 0) in lines, shape["why"]


def test_bytes_that_are_not_utf_8_are_a_bad_document(line: Line) -> None:
    shape, final = line.ended(line.ring(Answer(b"<Response>\n<Say>caf\xe9</Say></Response>")))
    assert (final["status"], shape["heard"]) == ("Aborted", [])
    assert shape["why"]


@pytest.mark.parametrize("status", [500, 404, 302, 204, 0])
def test_an_app_that_does_not_answer_200_ends_the_call(line: Line, status: int) -> None:
    shape, final = line.ended(line.ring(Answer(response("<Say>Karibu</Say>").encode() if status not in (204, 0) else b"", status=status)))
    assert (final["status"], final["hangupCause"], shape["heard"]) == ("Aborted", "NORMAL_TEMPORARY_FAILURE", [])
    assert not status or str(status) in shape["why"]


def test_an_app_that_is_not_there_ends_the_call(line: Line) -> None:
    with Receiver() as gone:
        pass
    line.settings(callbacks={"voice.instructions": gone.url + "/instruct"})
    shape, final = line.ended(line.ring())
    assert (final["status"], final["hangupCause"]) == ("Aborted", "NORMAL_TEMPORARY_FAILURE")
    assert shape["why"]


def test_an_app_that_answers_late_is_not_heard(line: Line) -> None:
    line.ask("PUT", "/faults", {"app_slow": 12})
    shape, final = line.ended(line.ring(response("<Say>Karibu</Say>")))
    assert (final["status"], final["hangupCause"], shape["heard"]) == ("Aborted", "NORMAL_TEMPORARY_FAILURE", [])
    assert "10 s" in shape["why"]


@pytest.mark.slow
def test_an_app_that_never_answers_is_given_up(line: Line) -> None:
    gate = threading.Event()
    line.app.play(CALLER, [EMPTY._replace(gate=gate)])
    began = time.monotonic()
    call = line.call_in()
    while (shape := line.see(call))["state"] != "ended" and time.monotonic() - began < 14:
        time.sleep(0.1)
    took_s = time.monotonic() - began
    gate.set()
    assert 9 < took_s < 13
    _, final = line.ended(call)
    assert (final["status"], final["hangupCause"]) == ("Aborted", "NORMAL_TEMPORARY_FAILURE")
    assert shape["why"]


def test_an_answer_after_the_caller_hung_up_changes_nothing(line: Line) -> None:
    gate = threading.Event()
    late = Answer(response("<Say>Karibu</Say>", "<Conference/>").encode(), gate=gate)
    call = line.ring(response('<GetDigits numDigits="1"/>'), late)
    # The one who presses waits for the answer, the one who hangs up does not.
    pressing = threading.Thread(
        target=requests.post, args=(f"{line.url}/control/calls/{call}/digits",), kwargs={"json": {"digits": "1"}, "timeout": 15}
    )
    pressing.start()
    line.until(call, lambda _: line.asked(call))
    line.act(call, "hangup")
    assert line.see(call)["state"] == "ended"
    gate.set()
    pressing.join()
    shape, _ = line.ended(call)
    assert (shape["heard"], shape["waiting_for"]) == ([], None)


def declared(encoding: str, text: str = "naïve café") -> str:
    """Return a document that names its encoding."""
    return f'<?xml version="1.0" encoding="{encoding}"?>\n<Response><Say>{text}</Say></Response>'


@pytest.mark.parametrize(
    ("name", "codec"), [("UTF-8", "utf-8"), ("utf-8", "utf-8-sig"), ("ISO-8859-1", "iso-8859-1"), ("UTF-16", "utf-16")]
)
def test_a_document_is_read_in_the_encoding_that_it_declares(line: Line, name: str, codec: str) -> None:
    shape, final = line.ended(line.ring(Answer(declared(name).encode(codec), "application/xml")))
    assert (shape["heard"], final["status"]) == (["naïve café"], "Success")


@pytest.mark.parametrize("name", ["x-klingon", "hex", "UTF-7"])
def test_an_encoding_that_nobody_reads_is_a_bad_document(line: Line, name: str) -> None:
    shape, final = line.ended(line.ring(declared(name, "hello")))
    assert (final["status"], final["hangupCause"], shape["heard"]) == ("Aborted", "NORMAL_TEMPORARY_FAILURE", [])
    assert shape["why"]


@pytest.mark.parametrize("depth", [200, 4000])
def test_a_call_ends_however_deep_its_document(line: Line, depth: int) -> None:
    shape, final = line.ended(line.ring(response("<Say>" + "<p>" * depth + "deep" + "</p>" * depth + "</Say>")))
    assert (final["status"], shape["heard"]) in (("Success", ["deep"]), ("Aborted", []))
