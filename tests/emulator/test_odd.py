"""Odd input, odd applications, odd moments: each has an end, and nothing of an old world comes into a new one."""

import json
import socket
import threading
import time
from typing import Any

import pytest
import requests

from emulator.client import Answered
from tests.emulator.conftest import Got, Receiver, Running
from tests.running import wait_until

ME, YOU = "+254711000017", "+254711000018"
OWN, CODE = "+254711082000", "*384*1234#"
INSTRUCT = "/api/voice/instruct"
DEEP = '{"a":' * 5000 + "1" + "}" * 5000
HALF = '"\\ud800"'
HUGE = "1" + "0" * 400
CONTROL = [
    ("POST", "/phones", '{"number": %s}'), ("POST", f"/phones/{ME}/ussd", '{"code": %s}'), ("POST", f"/phones/{ME}/sms", '{"to": "1", "text": %s}'),
    ("POST", f"/phones/{ME}/call", '{"to": %s}'), ("POST", f"/phones/{ME}/payments", '{"product": "x", "amount": %s}'),
    ("PUT", "/settings", '{"balance": %s}'), ("PUT", "/settings", '{"play_s": %s}'), ("PUT", "/settings", '{"opt_outs": %s}'),
    ("PUT", "/faults", '{"slow": %s}'), ("PUT", "/faults", '{"duplicate": {"times": %s}}'), ("PUT", "/faults", '{"report": %s}'),
    ("POST", "/clock", '{"scale": %s}'), ("POST", "/clock", '{"advance": %s}'), ("POST", "/calls/x/record", '{"seconds": %s}'),
]  # fmt: skip
API = [
    ("/version1/messaging", '{"username": "s", "to": "+254711000017", "message": %s}'), ("/call", '{"username": "s", "from": "1", "to": %s}'),
    ("/call", '{"username": "s", "from": "1", "to": "+254711000017", "callActions": %s}'),
    ("/version1/airtime/send", '{"username": "s", "recipients": %s}'), ("/v1/sim-swap", '{"username": "s", "phoneNumbers": %s}'),
    ("/mobile/data/request", '{"username": "s", "productName": "p", "recipients": [%s]}'),
    ("/mobile/checkout/request", '{"username": "s", "productName": "p", "phoneNumber": "+254711000017", "currencyCode": "KES", "amount": %s}'),
    ("/mobile/checkout/request", '{"username": "s", "productName": "p", "phoneNumber": "+254711000017", "currencyCode": "KES", "amount": 1, "metadata": %s}'),
    ("/whatsapp/message/send", '{"username": "s", "waNumber": "1", "phoneNumber": "+254711000017", "body": %s}'),
]  # fmt: skip
ODD = [DEEP, HALF, HUGE, "NaN", "null", "[]", "{}", "true", "-1", '""', '"\\u0000"', "[[[]]]", "1e999"]


@pytest.mark.parametrize(("method", "path", "body"), CONTROL, ids=[f"{path} {body}" for _, path, body in CONTROL])
def test_control_answers_whatever_it_is_sent(emulator: Running, method: str, path: str, body: str) -> None:
    for odd in ODD:
        answer = requests.request(method, f"{emulator.url}/control{path}", data=body % odd, timeout=15)
        assert answer.status_code < 500, odd[:40]
        assert answer.json()


@pytest.mark.parametrize(("path", "body"), API, ids=[f"{path} {body[-30:]}" for path, body in API])
def test_the_api_answers_whatever_it_is_sent(emulator: Running, path: str, body: str) -> None:
    headers = {"apiKey": "k", "Content-Type": "application/json"}
    for odd in ODD:
        answer = requests.post(f"{emulator.url}{path}", data=body % odd, headers=headers, timeout=15)
        assert answer.status_code < 500, odd[:40]


def test_a_body_that_is_too_large_is_refused(emulator: Running) -> None:
    answer = requests.post(f"{emulator.url}/version1/messaging", data=b"x=" + b"y" * 5_000_000, headers={"apiKey": "k", "Content-Type": "application/x-www-form-urlencoded"}, timeout=15)  # fmt: skip
    assert answer.status_code == 413


@pytest.mark.parametrize("origin", ["http://[::1", "http://evil.example", "null", ""])
def test_odd_origins_are_refused(emulator: Running, origin: str) -> None:
    assert requests.post(f"{emulator.url}/control/reset", headers={"Origin": origin}, timeout=5).status_code == 403


def test_a_circle_of_instructions_ends(emulator: Running, receiver: Receiver) -> None:
    emulator.control.settings(speech_chars_per_s=0)
    receiver.answers[INSTRUCT] = (200, f"<Response><Say>again</Say><Redirect>{receiver.url}{INSTRUCT}</Redirect></Response>")
    call = emulator.control.call(ME, OWN)["call"]
    wait_until(lambda: emulator.control.call_state(call)["state"] == "ended", 10, "the end")
    shown = emulator.control.call_state(call)
    assert "asked more than 100 times within 10 s" in shown["why"]
    assert len(shown["heard"]) <= 101
    emulator.control.clock(advance=5)


@pytest.mark.parametrize("token", ["a+b&c=d#e f", "geheim/ü", "100%25"])
def test_any_secret_arrives_as_it_is_and_is_shown_nowhere(emulator: Running, receiver: Receiver, token: str) -> None:
    from urllib.parse import parse_qs, quote, urlsplit

    emulator.control.settings(token=token)
    told = quote(token, safe="")
    receiver.answers[INSTRUCT] = (200, f'<Response><GetDigits callbackUrl="{receiver.url}/next?token={told}"/></Response>')
    emulator.control.text(ME, "12345", "Hello")
    call = emulator.control.call(ME, OWN)["call"]
    receiver.answers[INSTRUCT] = (200, f"<Response><Redirect>ftp://x/y?token={told}</Redirect></Response>")
    bad = emulator.control.call(YOU, OWN)["call"]
    assert emulator.control.call_state(bad)["state"] == "ended"
    got = receiver.wait("/api/sms/twoway")[0]
    assert parse_qs(urlsplit(got.path).query)["token"] == [token]
    emulator.world.timetable.wait_until_idle(5)
    shown = json.dumps(
        [emulator.control.settings(), emulator.control.log(), emulator.control.call_state(call), emulator.control.call_state(bad)]
    )
    assert told not in shown
    assert json.dumps(token)[1:-1] not in shown
    assert emulator.control.settings()["token"] == "****"


def test_nothing_of_an_old_world_comes_into_a_new_one(emulator: Running, receiver: Receiver) -> None:
    may_answer = threading.Event()

    def slow(_got: Got) -> tuple[int, str]:
        may_answer.wait(10)
        return 500, "<Response><Say>Hello</Say></Response>"

    url = receiver.url
    receiver.answers["*"] = slow
    emulator.control.text(ME, "12345", "old")
    for _ in range(5):
        emulator.control.ask("POST", f"/phones/{ME}/opt-out", {"senderId": "MyBrand"})
    calling = threading.Thread(target=lambda: emulator.control.ask("POST", f"/phones/{YOU}/call", {"to": OWN}))
    calling.start()
    receiver.wait("/api/sms/twoway")
    receiver.wait(INSTRUCT)
    before = len(receiver.got)
    requests.post(f"{emulator.url}/control/reset", timeout=5)
    requests.put(f"{emulator.url}/control/settings", json={"app_url": url}, timeout=5)
    may_answer.set()
    calling.join(20)
    assert emulator.world.timetable.wait_until_idle(10)
    # With a connection of its own: the thread above used the other one.
    assert requests.post(f"{emulator.url}/control/clock", json={"advance": 600}, timeout=20).status_code == 200
    assert len(receiver.got) == before
    settings = requests.get(f"{emulator.url}/control/settings", timeout=5).json()
    assert settings["balance"] == "KES 100000.0000"
    log = requests.get(f"{emulator.url}/control/log", timeout=5).json()["entries"]
    assert [entry["kind"] for entry in log if entry["kind"]] == []


def test_advancing_ends_when_all_is_reset(emulator: Running, receiver: Receiver) -> None:
    may_answer = threading.Event()
    receiver.answers["*"] = lambda _got: (may_answer.wait(10), (200, "OK"))[1]
    emulator.control.text(ME, "12345", "Hello")
    receiver.wait("/api/sms/twoway")
    advancing = threading.Thread(target=lambda: requests.post(f"{emulator.url}/control/clock", json={"advance": 3600}, timeout=30))
    advancing.start()
    time.sleep(0.3)
    requests.post(f"{emulator.url}/control/reset", timeout=5)
    may_answer.set()
    advancing.join(10)
    assert not advancing.is_alive()


def test_an_answer_that_drips_is_given_up(emulator: Running) -> None:
    emulator.control.settings(answer_within_s=0.5)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def drip() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                try:
                    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
                        peer.sendall(bytes([byte]))
                        time.sleep(0.05)
                except OSError:
                    pass

        threading.Thread(target=drip, daemon=True).start()
        emulator.control.settings(app_url=f"http://127.0.0.1:{listener.getsockname()[1]}", callbacks={"ussd.session_end": None})
        began = time.monotonic()
        shown = emulator.control.dial(ME, CODE)
        assert "did not answer within 0.5 s" in shown["why"]
        assert time.monotonic() - began < 3


def test_callbacks_that_hang_hold_up_no_call(emulator: Running, receiver: Receiver) -> None:
    may_answer = threading.Event()
    receiver.answers["/api/sms/opt-out"] = lambda _got: (may_answer.wait(10), (200, "OK"))[1]
    receiver.answers[INSTRUCT] = (200, "<Response><GetDigits><Say>Press</Say></GetDigits></Response>")
    for number in range(150):
        emulator.control.ask("POST", f"/phones/+2547110000{number % 90 + 10}/opt-out", {"senderId": f"brand {number}"})
    began = time.monotonic()
    assert emulator.control.call("+254711000099", OWN)["waiting_for"] == "digits"
    assert time.monotonic() - began < 5
    may_answer.set()


@pytest.mark.parametrize(("seconds", "duration"), [(3, 3), (3600, 5)])
def test_a_recording_is_as_long_as_it_may_be_and_so_is_the_call(emulator: Running, receiver: Receiver, seconds: int, duration: int) -> None:
    receiver.answers[INSTRUCT] = lambda got: (
        200,
        "<Response/>" if b"recordingUrl" in got.body else '<Response><Record maxLength="5"/></Response>',
    )
    call = emulator.control.call(ME, OWN)["call"]
    ended = emulator.control.act(call, "record", seconds=seconds)
    assert (ended["state"], ended["duration"]) == ("ended", duration)
    sound = requests.get(ended["recording"], timeout=5)
    # 8,000 samples a second after a head of 44 bytes.
    assert len(sound.content) == 44 + 8000 * duration


def test_a_recording_until_the_end_holds_all_that_was_said(emulator: Running, receiver: Receiver) -> None:
    receiver.answers[INSTRUCT] = (200, "<Response><Record/></Response>")
    call = emulator.control.call(ME, OWN)["call"]
    emulator.control.act(call, "record", seconds=30)
    emulator.control.act(call, "record", seconds=10)
    ended = emulator.control.act(call, "hangup")
    assert ended["duration"] == 40
    assert len(requests.get(ended["recording"], timeout=5).content) == 44 + 8000 * 40
    assert dict(receiver.wait("/api/voice/events")[0].fields)["recordingUrl"] == ended["recording"]


def test_a_session_that_ends_before_its_first_screen_says_why(emulator: Running, receiver: Receiver) -> None:
    may_answer = threading.Event()
    receiver.answers["/api/ussd/session"] = lambda _got: (may_answer.wait(10), (200, "CON late"))[1]
    dialling = threading.Thread(target=lambda: requests.post(f"{emulator.url}/control/phones/{ME}/ussd", json={"code": CODE}, timeout=20))
    dialling.start()
    receiver.wait("/api/ussd/session")
    emulator.control.clock(advance=200)
    shown = emulator.control.phone(ME)["ussd"]
    may_answer.set()
    dialling.join(10)
    assert (shown["open"], shown["screen"]) == (False, "Connection problem or invalid MMI code")
    assert "the session lasted 180 s" in shown["why"]


def test_looking_at_a_phone_changes_nothing(emulator: Running) -> None:
    version = emulator.world.version
    assert emulator.control.phone(ME)["number"] == ME
    assert emulator.control.ask("GET", "/phones")["phones"] == []
    assert emulator.world.version == version


def test_a_busy_line_can_be_hung_up(emulator: Running) -> None:
    order = {"username": "s", "from": OWN, "to": "+254711000009"}
    call = requests.post(f"{emulator.url}/call", data=order, headers={"apiKey": "k"}, timeout=5).json()["entries"][0]["sessionId"]
    assert emulator.control.act(call, "hangup")["hangup_cause"] == "USER_BUSY"
    with pytest.raises(Answered, match="The call is over"):
        emulator.control.act(call, "hangup")


def test_a_token_stands_for_a_key_for_an_hour(emulator: Running) -> None:
    made = requests.post(f"{emulator.url}/auth-token/generate", json={"username": "s"}, headers={"apiKey": "k"}, timeout=5).json()

    def status() -> int:
        query = {"username": "s"}
        return requests.get(f"{emulator.url}/version1/user", params=query, headers={"authToken": made["token"]}, timeout=5).status_code

    assert status() == 200
    emulator.control.clock(advance=3601)
    assert status() == 401


def test_an_order_of_which_nothing_was_taken_leaves_its_key_free(emulator: Running) -> None:
    def order(amount: str) -> dict[str, Any]:
        recipients = json.dumps([{"phoneNumber": ME, "amount": amount}])
        form = {"username": "s", "recipients": recipients}
        return requests.post(
            f"{emulator.url}/version1/airtime/send", data=form, headers={"apiKey": "k", "Idempotency-Key": "one"}, timeout=5
        ).json()

    assert order("KES 1")["numSent"] == 0
    assert order("KES 10")["numSent"] == 1
    assert "duplicate" in order("KES 10")["errorMessage"]


def test_the_log_can_be_read_whole(emulator: Running) -> None:
    for _ in range(600):
        emulator.world.log.add("now", "in", "GET", "/x")
    ids: list[int] = []
    while len(ids) < 600:
        page = emulator.control.ask("GET", "/log", after=ids[-1] if ids else 0)
        ids += [entry["id"] for entry in page["entries"]]
        assert page["last"] == ids[-1]
    assert ids == list(range(1, 601))


def test_the_terminal_tells_of_this_message_not_of_the_last_one(emulator: Running, receiver: Receiver) -> None:
    from click.testing import CliRunner

    from emulator.command import main

    def run(text: str) -> Any:
        return CliRunner().invoke(main, ["phone", "--url", emulator.url, "sms", text, "--to", "12345", "--wait", "1.2"])

    assert "your app answered 200" in run("first").output
    may_answer = threading.Event()
    receiver.answers["/api/sms/twoway"] = lambda _got: (may_answer.wait(10), (200, "GOOD"))[1]
    second = run("second")
    may_answer.set()
    assert (second.exit_code, second.output.splitlines()[-1]) == (1, "your app did not answer yet")


def test_what_is_far_off_stops_nothing(emulator: Running, receiver: Receiver) -> None:
    with pytest.raises(Answered, match="'speech_chars_per_s' must be"):
        emulator.control.settings(speech_chars_per_s=1e-10)
    emulator.control.clock(scale=0.001)
    receiver.answers[INSTRUCT] = (200, '<Response><GetDigits timeout="99999999"/></Response>')
    assert emulator.control.call(ME, OWN)["waiting_for"] == "digits"
    emulator.control.text(YOU, "12345", "Hello")
    assert receiver.wait("/api/sms/twoway")
    emulator.control.clock(advance=5)


def test_the_clock_moves_on_while_others_are_busy(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/ussd/session"] = (200, "END Bye")
    is_over = threading.Event()

    def busy(number: int) -> None:
        with requests.Session() as session:
            while not is_over.is_set():
                session.post(f"{emulator.url}/control/phones/+2547110000{number}/ussd", json={"code": CODE}, timeout=20)
                session.post(f"{emulator.url}/control/phones/+2547110000{number}/sms", json={"to": "12345", "text": "x"}, timeout=20)

    people = [threading.Thread(target=busy, args=(number,)) for number in range(20, 32)]
    for person in people:
        person.start()
    receiver.wait("/api/ussd/status", 20)
    began = emulator.world.now()
    answer = requests.post(f"{emulator.url}/control/clock", json={"advance": 60}, timeout=30).json()
    is_over.set()
    for person in people:
        person.join(20)
    # Twelve people would go on for ever.
    assert "advancing" not in answer
    assert emulator.world.now() - began >= 60


def test_the_clock_has_an_end_that_a_file_can_hold(emulator: Running) -> None:
    for _ in range(100):
        try:
            emulator.control.clock(advance=34_560_000)
        except Answered as refused:
            assert "a hundred years ahead" in str(refused)
            break
    else:
        pytest.fail("the clock has no end")
    assert emulator.control.clock(reset=True)["scale"] == 1


def test_a_dial_that_a_reset_overtakes_is_over(emulator: Running, receiver: Receiver) -> None:
    may_answer = threading.Event()
    receiver.answers["/api/ussd/session"] = lambda _got: (may_answer.wait(10), (200, "CON late"))[1]
    told: list[dict[str, Any]] = []
    url = f"{emulator.url}/control/phones/{ME}/ussd"
    dialling = threading.Thread(target=lambda: told.append(requests.post(url, json={"code": CODE}, timeout=20).json()))
    dialling.start()
    receiver.wait("/api/ussd/session")
    requests.post(f"{emulator.url}/control/reset", timeout=5)
    may_answer.set()
    dialling.join(10)
    assert (told[0]["open"], told[0]["why"]) == (False, "all was reset meanwhile")


@pytest.mark.slow
def test_more_airtime_than_is_kept_is_all_sent(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/airtime/validation"] = (200, '{"status":"Validated"}')
    emulator.control.settings(balance="KES 1000000")
    recipients = [
        {"phoneNumber": f"+{code}7110000{number:02}", "amount": "KES 10"} for code in (254, 256) for number in range(11, 100)
    ] * 30
    form = {"username": "s", "recipients": json.dumps(recipients)}
    answer = requests.post(f"{emulator.url}/version1/airtime/send", data=form, headers={"apiKey": "k"}, timeout=60).json()
    assert answer["numSent"] == len(recipients) > 5000
    receiver.wait("/api/airtime/status", len(recipients), seconds=120)
    assert {json.loads(got.body)["status"] for got in receiver.at("/api/airtime/status")} == {"Success"}
