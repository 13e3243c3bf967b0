"""The phone in the terminal, and the commands that look into an emulator."""

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from emulator.command import main
from tests.emulator.conftest import Got, Receiver, Running
from tests.running import ROOT, wait_until

ME = "+254711000017"


def run(emulator: Running, *words: str) -> Result:
    group, *rest = words
    return CliRunner().invoke(main, [group, "--url", emulator.url, *rest])


def menu(got: Got) -> tuple[int, str]:
    texts = {"": "CON 1. Account\n2. Leave", "1": "CON Which?", "1*7": "END Seven"}
    return 200, texts.get(dict(got.fields)["text"], "END Bye")


def test_ussd_scripted(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/ussd/session"] = menu
    done = run(emulator, "phone", "ussd", "*384*1234#", "--from", ME, "--answers", "1,7")
    assert done.exit_code == 0
    assert done.output.splitlines() == [f"{ME} dials *384*1234#", "  1. Account", "  2. Leave", "> 1", "  Which?", "> 7", "  Seven"]


def test_ussd_left_open_is_cancelled(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/ussd/session"] = menu
    done = run(emulator, "phone", "ussd", "*384*1234#", "--answers", "1")
    assert done.exit_code == 0
    assert done.output.endswith("(left by the caller)\n")
    assert b"status=Incomplete" in receiver.wait("/api/ussd/status")[0].body


def test_ussd_that_fails_exits_with_1_and_says_why(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/ussd/session"] = (200, "Con x")
    done = run(emulator, "phone", "ussd", "*384*1234#")
    assert done.exit_code == 1
    assert "it must start with CON or END" in done.output


def test_ussd_as_json(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/ussd/session"] = menu
    data = json.loads(run(emulator, "phone", "ussd", "*384*1234#", "--answers", "1,7", "--json").output)
    assert [hop["input"] for hop in data["hops"]] == ["", "1", "7"]


def test_sms_shows_what_the_app_said(emulator: Running, receiver: Receiver) -> None:
    done = run(emulator, "phone", "sms", "STOP", "--to", "12345", "--wait", "1.5")
    assert done.exit_code == 0
    assert done.output.splitlines() == ["+254711000000 > 12345: STOP", "your app answered 200"]
    receiver.answers["/api/sms/twoway"] = (400, "BAD")
    done = run(emulator, "phone", "sms", "Hi", "--to", "12345", "--wait", "1.5")
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, "your app answered 400")


def test_call_scripted(emulator: Running, receiver: Receiver) -> None:
    def flow(got: Got) -> tuple[int, str]:
        fields = dict(got.fields)
        if "recordingUrl" in fields:
            return 200, "<Response><Say>Thank you</Say></Response>"
        if "dtmfDigits" in fields:
            return 200, f'<Response><Record maxLength="9"><Say>You pressed {fields["dtmfDigits"]}</Say></Record></Response>'
        return 200, '<Response><GetDigits numDigits="1"><Say>Press</Say></GetDigits></Response>'

    receiver.answers["/api/voice/instruct"] = flow
    emulator.control.settings(speech_chars_per_s=0)
    done = run(emulator, "phone", "call", "+254711082000", "--press", "5", "--record", "4")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[1:-1] == ["  Press", "> 5", "  You pressed 5", "> (speaks for 4 s)", "  Thank you"]
    assert lines[-1].startswith("ended: NORMAL_CLEARING, 4 s, KES 2.0000")


def test_call_that_asks_more_than_is_scripted_is_hung_up(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/voice/instruct"] = (200, "<Response><GetDigits><Say>Press</Say></GetDigits></Response>")
    emulator.control.settings(speech_chars_per_s=0)
    done = run(emulator, "phone", "call", "+254711082000", "--press", "")
    assert "(hung up by the caller)" in done.output


def test_bad_instructions_exit_with_1(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/voice/instruct"] = (200, "<Response><Say>Hi</Response>")
    done = run(emulator, "phone", "call", "+254711082000")
    assert done.exit_code == 1
    assert "<Say> opened on line 1 is not closed" in done.output


def test_answer_waits_for_a_call(emulator: Running, receiver: Receiver) -> None:
    import requests

    emulator.control.settings(speech_chars_per_s=0)
    receiver.answers["/api/voice/instruct"] = (200, "<Response><Say>It is noon</Say></Response>")
    order = {"username": "s", "from": "+254711082000", "to": ME}
    requests.post(f"{emulator.url}/call", data=order, headers={"apiKey": "k"}, timeout=5)
    done = run(emulator, "phone", "answer", "--from", ME)
    assert done.output.splitlines()[:2] == [f"+254711082000 calls {ME}", "  It is noon"]


@pytest.mark.parametrize("words", [("phone", "ussd", "*1#"), ("control", "state"), ("phone", "answer")])
def test_nothing_listening_is_one_line(words: tuple[str, ...]) -> None:
    group, *rest = words
    done = CliRunner().invoke(main, [group, "--url", "http://127.0.0.1:9", *rest])
    assert done.exit_code == 1
    assert done.output.strip() == "Error: Nothing answers at http://127.0.0.1:9. Start the emulator with: make run, or python -m emulator"


def test_a_refusal_is_one_line(emulator: Running) -> None:
    done = run(emulator, "phone", "ussd", "384")
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, "Error: '384' is not a USSD code, for example *384*1234#")


def test_faults_state_clock_and_reset(emulator: Running) -> None:
    assert run(emulator, "control", "set-fault", "duplicate=2", "slow=1.5", "report=Rejected", "hang").output == (
        "on: duplicate=2, slow=1.5, report=Rejected, hang=True\n"
    )
    assert run(emulator, "control", "set-fault", "slow=off", "hang=0").output == "on: duplicate=2, report=Rejected\n"
    assert json.loads(run(emulator, "control", "state").output)["faults"] == {"duplicate": 2, "report": "Rejected"}
    assert "No fault 'x'" in run(emulator, "control", "set-fault", "x").output
    before = emulator.world.now()
    run(emulator, "control", "advance", "600")
    assert emulator.world.now() - before >= 600
    assert run(emulator, "control", "reset").output == "emulator emptied\n"
    assert emulator.control.faults()["on"] == []


def start(emulator: Running, *words: str) -> subprocess.Popen[str]:
    """Begin a command in a process of its own: two in threads would share one standard output."""
    group, *rest = words
    command = [sys.executable, "-u", "-m", "emulator", group, "--url", emulator.url, *rest]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def test_a_call_that_dials_says_whose_phone_rings_and_each_hears_its_own(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/voice/instruct"] = (
        200,
        '<Response><Say>One moment</Say><Dial phoneNumbers="+254711000009,+254711000018"/></Response>',
    )
    emulator.control.settings(speech_chars_per_s=0)
    caller = start(emulator, "phone", "call", "+254711082000", "--from", ME)
    wait_until(lambda: emulator.control.phone("+254711000018")["ringing"], 10, "the ringing")
    callee = start(emulator, "phone", "answer", "--from", "+254711000018")
    wait_until(lambda: emulator.control.phone("+254711000018")["in_call"], 10, "the talk")
    assert run(emulator, "phone", "hangup", "--from", "+254711000018").output == "+254711000018 hung up\n"
    lines = caller.communicate(timeout=10)[0].splitlines()
    assert lines[1:5] == [
        "  One moment", "  (not reached: +254711000009 USER_BUSY)", "  (rings: +254711000018)", "  [connected to +254711000018]",
    ]  # fmt: skip
    assert callee.communicate(timeout=10)[0].splitlines()[1:-1] == [f"  [connected to {ME}]"]
    assert run(emulator, "phone", "hangup", "--from", ME).output == f"Error: {ME} is in no call\n"


def test_ctrl_c_hangs_up(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/voice/instruct"] = (200, "<Response><Enqueue/></Response>")
    caller = start(emulator, "phone", "call", "+254711082000", "--from", ME)
    said = [caller.stdout.readline() for _ in range(2)]
    assert said[1] == "  [waits in queue]\n"
    caller.send_signal(signal.SIGINT)
    assert "(hung up by the caller)" in caller.communicate(timeout=10)[0]
    assert not emulator.control.phone(ME)["in_call"]


def test_what_was_passed_over_is_said_at_the_end(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/voice/instruct"] = (200, "<Response><Sya>Hi</Sya></Response>")
    done = run(emulator, "phone", "call", "+254711082000")
    assert done.exit_code == 0
    assert "<Sya> on line 1 is no action and was passed over" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("phone", "call", "banana"), "must be a number of the account"),
        (("phone", "sms", "Hi", "--to", "banana"), "is a name: nobody can answer it"),
        (("phone", "sms", "Hi", "--to", "+25471108200!"), "must be a short code, a number or a name"),
        (("phone", "ussd", "*1#", "--from", "0711"), "'0711' is not a phone number"),
        (("control", "set-fault", "late="), "'late' takes seconds"),
        (("control", "set-fault", "slow=999"), "seconds, 120 at most"),
    ],
)
def test_what_is_wrong_is_said_as_it_was_typed(emulator: Running, words: tuple[str, ...], said: str) -> None:
    done = run(emulator, *words)
    assert done.exit_code == 1
    assert said in done.output
