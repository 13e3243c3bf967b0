"""USSD on the emulator's phones: hops, limits, time-outs, what the handset shows and why."""

import time

import pytest

from emulator.client import Answered
from tests.emulator.conftest import Got, Receiver, Running

ME = "+254711000017"
AIRTEL = "+254711000018"
CODE = "*384*1234#"
PATH, END = "/api/ussd/session", "/api/ussd/status"
BROKEN = "Connection problem or invalid MMI code"


def echo(got: Got) -> tuple[int, str]:
    return 200, f"CON You wrote '{dict(got.fields)['text']}'"


def test_a_session_goes_hop_by_hop_and_its_end_is_told(emulator: Running, receiver: Receiver) -> None:
    receiver.answers[PATH] = lambda got: (200, "END Bye" if dict(got.fields)["text"] == "1*hello" else "CON Next?")
    first = emulator.control.dial(ME, CODE)
    assert (first["screen"], first["answer"], first["open"], first["why"]) == ("Next?", "CON Next?", True, None)
    emulator.control.reply(ME, first["session"], "1")
    last = emulator.control.reply(ME, first["session"], "hello")
    assert (last["screen"], last["open"], last["status"]) == ("Bye", False, "Success")
    assert [dict(got.fields)["text"] for got in receiver.at(PATH)] == ["", "1", "1*hello"]
    hop = receiver.at(PATH)[0]
    session = first["session"]
    assert hop.body == f"phoneNumber=%2B254711000017&serviceCode=%2A384%2A1234%23&text=&sessionId={session}&networkCode=99999".encode()
    assert hop.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert hop.headers["User-Agent"] == "at-ussd-api/1.0"
    told = dict(receiver.wait(END)[0].fields)
    assert list(told) == ["date", "sessionId", "serviceCode", "networkCode", "phoneNumber", "status", "cost", "durationInMillis",
                          "hopsCount", "hopsMetadata", "input", "lastAppResponse", "errorMessage"]  # fmt: skip
    assert (told["status"], told["hopsCount"], told["input"], told["lastAppResponse"]) == ("Success", "3", "1*hello", "END Bye")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, "Con Welcome"), "the text starts with 'Con Welc'; it must start with CON or END"),
        ((200, ""), "there is no text"),
        ((200, " END x"), "the text starts with ' END x'"),
        ((404, "END x"), "your app answered 404"),
        ((500, "CON x"), "your app answered 500"),
        ((302, "CON x"), "redirects are not followed"),
    ],
    ids=["case", "empty", "space", "404", "500", "redirect"],
)
def test_a_wrong_answer_is_what_a_handset_shows_and_is_explained(
    emulator: Running, receiver: Receiver, answer: tuple[int, str], why: str
) -> None:
    receiver.answers[PATH] = answer
    shown = emulator.control.dial(ME, CODE)
    assert (shown["screen"], shown["open"], shown["status"]) == (BROKEN, False, "Failed")
    assert why in shown["why"]
    assert dict(receiver.wait(END)[0].fields)["status"] == "Failed"
    assert any(why in entry["explanation"] for entry in emulator.control.log() if entry["kind"] == "ussd.session")


def test_nothing_listening_is_said_so(emulator: Running) -> None:
    assert "nothing listens there" in emulator.control.dial(ME, CODE)["why"]


def test_an_app_that_is_too_slow_is_given_up(emulator: Running, receiver: Receiver) -> None:
    emulator.control.settings(answer_within_s=0.2)

    def late(_got: Got) -> tuple[int, str]:
        time.sleep(0.4)
        return 200, "END late"

    receiver.answers[PATH] = late
    assert "did not answer within 0.2 s" in emulator.control.dial(ME, CODE)["why"]


def test_the_network_can_make_an_app_seem_slow(emulator: Running, receiver: Receiver) -> None:
    receiver.answers[PATH] = echo
    emulator.control.faults(app_slow=12)
    shown = emulator.control.dial(ME, CODE)
    assert shown["screen"] == BROKEN
    assert "Africa's Talking waits 10 s" in shown["why"]


@pytest.mark.parametrize(("number", "idle_s"), [(ME, 30), (AIRTEL, 60)], ids=["safaricom", "airtel"])
def test_a_silent_person_is_cut_off(emulator: Running, receiver: Receiver, number: str, idle_s: int) -> None:
    receiver.answers[PATH] = echo
    emulator.control.settings(carriers={AIRTEL: "Airtel Kenya"})
    first = emulator.control.dial(number, CODE)
    emulator.control.clock(advance=idle_s - 1)
    assert emulator.control.phone(number)["ussd"]["open"]
    emulator.control.clock(advance=2)
    assert f"nothing was typed for {idle_s} s" in emulator.control.phone(number)["ussd"]["why"]
    assert dict(receiver.wait(END)[0].fields)["status"] == "Incomplete"
    with pytest.raises(Answered, match="The session is over"):
        emulator.control.reply(number, first["session"], "1")


def test_a_long_session_is_cut_off_however_much_is_typed(emulator: Running, receiver: Receiver) -> None:
    receiver.answers[PATH] = echo
    session = emulator.control.dial(ME, CODE)["session"]
    for _ in range(8):
        emulator.control.clock(advance=20)
        emulator.control.reply(ME, session, "1")
    emulator.control.clock(advance=21)
    assert "the session lasted 180 s" in emulator.control.phone(ME)["ussd"]["why"]
    assert dict(receiver.wait(END)[0].fields)["durationInMillis"].startswith("180")


@pytest.mark.parametrize(("number", "most"), [(ME, 160), (AIRTEL, 184)], ids=["safaricom", "airtel"])
def test_a_long_screen_is_cut_and_explained(emulator: Running, receiver: Receiver, number: str, most: int) -> None:
    receiver.answers[PATH] = (200, "CON " + "x" * (most + 1))
    emulator.control.settings(carriers={AIRTEL: "Airtel Kenya"})
    shown = emulator.control.dial(number, CODE)
    assert len(shown["screen"]) == most
    assert f"has {most + 1} characters" in shown["why"]
    receiver.answers[PATH] = (200, "CON " + "x" * most)
    assert emulator.control.dial(number, CODE)["why"] is None


def test_too_much_typed_is_refused_and_nothing_is_sent(emulator: Running, receiver: Receiver) -> None:
    receiver.answers[PATH] = echo
    session = emulator.control.dial(ME, CODE)["session"]
    with pytest.raises(Answered, match="Safaricom takes 80 characters at most; this has 81"):
        emulator.control.reply(ME, session, "x" * 81)
    assert emulator.control.reply(ME, session, "x" * 80)["open"]
    assert len(receiver.at(PATH)) == 2


def test_cancelling_and_dialling_anew_end_a_session(emulator: Running, receiver: Receiver) -> None:
    receiver.answers[PATH] = echo
    first = emulator.control.dial(ME, CODE)
    assert emulator.control.cancel(ME, first["session"])["status"] == "Incomplete"
    emulator.control.dial(ME, CODE)
    emulator.control.dial(ME, CODE)
    assert [dict(got.fields)["status"] for got in receiver.wait(END, 2)] == ["Incomplete", "Incomplete"]


def test_hop_metadata_is_echoed_and_summed_up(emulator: Running) -> None:
    """Needs an application that sends headers, so one is made here."""
    import threading
    from http.server import BaseHTTPRequestHandler

    from tests.stub_at import Server

    seen: list[str | None] = []

    class App(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == PATH:
                seen.append(self.headers.get("at-ussd-hop-metadata"))
            self.send_response(200)
            self.send_header("at-ussd-hop-metadata", f"step{len(seen)}")
            self.end_headers()
            self.wfile.write(b"CON more" if len(seen) < 3 else b"END done")

    server = Server(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
    emulator.control.settings(app_url=f"http://127.0.0.1:{server.server_address[1]}")
    session = emulator.control.dial(ME, CODE)["session"]
    emulator.control.reply(ME, session, "1")
    emulator.control.reply(ME, session, "1")
    emulator.world.timetable.wait_until_idle(5)
    server.shutdown()
    server.server_close()
    assert seen == [None, "step1", "step2"]
    end = next(entry for entry in emulator.control.log() if entry["kind"] == "ussd.session_end")
    assert "hopsMetadata=step1%7Cstep2%7Cstep3" in end["body"]


@pytest.mark.parametrize("code", ["", "384", "*384*1234", "*384 1234#", "hello#", "*38٤#"])
def test_what_is_no_code_is_refused(emulator: Running, code: str) -> None:
    with pytest.raises(Answered, match=r"is not a USSD code, for example \*384\*1234#") as refused:
        emulator.control.dial(ME, code)
    assert refused.value.status == 400
