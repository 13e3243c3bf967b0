"""Sessions answered by menus, flows and programs elsewhere, over HTTP."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from app.models import Callback
from flows import FLOWS
from services.apps import Apps, Flows
from services.budget import Budget
from services.calls import CallFlow
from services.ussd import Ask, Choose, End, Menu, Option
from tests.invoking import ONLY_SQLITE
from tests.samples import FORM

Stored = Callable[[type], list[Any]]
pytestmark = ONLY_SQLITE
PHONE = "+254711000017"


def with_flows(app: Flask, **tables: Any) -> FlaskClient:
    """Return a client of an app that has these tables, as create_app would hand them over."""
    settings = app.config["POKEA"]
    app.extensions["pokea.apps"] = Apps(
        Flows(**{"menus": FLOWS.menus, "calls": FLOWS.calls} | tables),
        settings,
        Budget(settings.app_budget_s),
        app.extensions["pokea.outage"],
    )
    return app.test_client()


def hop(client: FlaskClient, text: str, session: str = "s1", **fields: str) -> str:
    body = {"sessionId": session, "phoneNumber": PHONE, "networkCode": "63902", "serviceCode": "*384*1234#", "text": text}
    return client.post("/api/ussd/session", data=body | fields).text


@pytest.fixture(scope="module")
def server() -> Iterator[HTTPServer]:
    """One server for the file: stopping one takes half a second."""
    with HTTPServer(threaded=True) as running:
        yield running


@pytest.fixture
def program(server: HTTPServer) -> HTTPServer:
    """A developer's own program."""
    server.clear()
    return server


def test_menus_are_chosen_by_service_code(app: Flask) -> None:
    client = with_flows(app, menus={"*": FLOWS.menus["*"], "*384*9#": Menu({"start": End("Nine")})})
    assert hop(client, "", serviceCode="*384*9#") == "END Nine"
    assert hop(client, "").startswith("CON What would")


def test_a_program_elsewhere_gets_what_came_and_its_answer_is_passed_on(
    make_app: Callable[..., Flask], stored: Stored, program: HTTPServer
) -> None:
    got: list[Request] = []

    def answer(request: Request) -> Response:
        got.append(request)
        return Response("CON Mine\n1. Yes", headers={"at-ussd-hop-metadata": "probe"})

    program.expect_request("/ussd").respond_with_handler(answer)
    client = make_app(ussd_app_url=program.url_for("/ussd")).test_client()
    raw = "phoneNumber=%2B254711000017&serviceCode=%2A384%2A9%23&text=1&sessionId=s1&networkCode=99999"
    reply = client.post("/api/ussd/session", data=raw, content_type=FORM)
    assert (reply.text, reply.headers["at-ussd-hop-metadata"]) == ("CON Mine\n1. Yes", "probe")
    assert (got[0].get_data(as_text=True), got[0].mimetype) == (raw, FORM)
    [row] = stored(Callback)
    assert row.app == {"url": program.url_for("/ussd"), "status": 200, "answer": "CON Mine\n1. Yes", "problem": None}
    assert set(row.spent) == {"own", "app"}


def test_a_json_callback_reaches_a_program_as_a_form(make_app: Callable[..., Flask], program: HTTPServer) -> None:
    program.expect_request("/ussd").respond_with_handler(
        lambda request: Response("END " + "&".join(f"{k}={v}" for k, v in request.form.items()))
    )
    client = make_app(ussd_app_url=program.url_for("/ussd")).test_client()
    assert (
        client.post("/api/ussd/session", data=f'{{"sessionId":"s","phoneNumber":"{PHONE}","n":5}}', content_type="application/json").text
        == f"END sessionId=s&phoneNumber={PHONE}&n=5"
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Response("Con Welcome"), "must start with 'CON ' or 'END '; it started with 'Con Welc'"),
        (Response(" CON x"), "must start with"),
        (Response("CON x", status=500), "answered 500"),
        (Response("", status=302, headers={"Location": "/other"}), "answered 302"),
        (Response(""), "must start with"),
        (Response(b"\xff\x00\xfe"), "must start with"),
    ],
    ids=["case", "space", "500", "redirect", "empty", "bytes"],
)
def test_rubbish_from_a_program_is_a_fallback_and_the_row_says_why(
    make_app: Callable[..., Flask], stored: Stored, program: HTTPServer, answer: Response, why: str
) -> None:
    program.expect_request("/ussd").respond_with_response(answer)
    client = make_app(ussd_app_url=program.url_for("/ussd")).test_client()
    assert hop(client, "").startswith("END Sorry")
    [row] = stored(Callback)
    assert why in row.app["problem"]
    assert why in row.flags[0]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("<Response><Say>Hi</Response>", "must be XML"), ("<Reply/>", "it is a <Reply>"), ("Hello", "must be XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><Response><Say>&a;</Say></Response>', "DOCTYPE"),
    ],
)  # fmt: skip
def test_rubbish_for_a_call_is_an_apology(
    make_app: Callable[..., Flask], stored: Stored, program: HTTPServer, answer: str, why: str
) -> None:
    program.expect_request("/voice").respond_with_data(answer)
    client = make_app(voice_app_url=program.url_for("/voice")).test_client()
    assert "<Say>Sorry" in client.post("/api/voice/instruct", data={"sessionId": "s"}).text
    assert why in stored(Callback)[0].app["problem"]


def test_good_xml_from_a_program_is_passed_on(make_app: Callable[..., Flask], program: HTTPServer) -> None:
    xml = '<?xml version="1.0" encoding="UTF-8"?><Response><Dial phoneNumbers="+254711000018"/></Response>'
    program.expect_request("/voice").respond_with_data(xml)
    client = make_app(voice_app_url=program.url_for("/voice")).test_client()
    assert client.post("/api/voice/instruct", data={"sessionId": "s"}).text == xml


def test_a_program_per_number_is_chosen_before_the_one_of_the_settings(make_app: Callable[..., Flask], program: HTTPServer) -> None:
    program.expect_request("/a").respond_with_data("<Response><Reject/></Response>")
    program.expect_request("/b").respond_with_data("<Response/>")
    client = with_flows(
        make_app(voice_app_url=program.url_for("/b")), calls={"*": FLOWS.calls["*"], "+254711082005": program.url_for("/a")}
    )
    said = [
        client.post("/api/voice/instruct", data={"sessionId": "s", "destinationNumber": number}).text
        for number in ("+254711082005", "+254711082006")
    ]
    assert said == ["<Response><Reject/></Response>", "<Response/>"]


def test_nobody_listening_is_a_fallback_at_once(make_app: Callable[..., Flask], stored: Stored) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    client = make_app(ussd_app_url=url).test_client()
    began = time.monotonic()
    assert hop(client, "").startswith("END Sorry")
    assert time.monotonic() - began < 2
    assert "not reached" in stored(Callback)[0].app["problem"]


def test_a_slow_program_is_cut_off_by_the_budget(make_app: Callable[..., Flask], stored: Stored, program: HTTPServer) -> None:
    gate = threading.Event()
    program.expect_request("/ussd").respond_with_handler(lambda _: Response("CON late" if gate.wait(5) else "CON never"))
    client = make_app(ussd_app_url=program.url_for("/ussd"), app_budget_s=0.3).test_client()
    assert hop(client, "").startswith("END Sorry")
    gate.set()
    [row] = stored(Callback)
    assert row.app["problem"] == "no answer within 0.3 s"
    assert row.spent["app"] >= 300


def test_a_dripping_program_is_cut_off_too(make_app: Callable[..., Flask]) -> None:
    stop = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nCON ")
        with contextlib.suppress(OSError):  # until it is hung up on
            while not stop.wait(0.05):
                connection.sendall(b"x")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        client = make_app(ussd_app_url=f"http://127.0.0.1:{listener.getsockname()[1]}/", app_budget_s=0.4).test_client()
        began = time.monotonic()
        assert hop(client, "").startswith("END Sorry")
        assert time.monotonic() - began < 2
        stop.set()
        dripping.join()


def test_a_menu_that_breaks_or_hangs_is_an_apology(make_app: Callable[..., Flask], stored: Stored) -> None:
    hang = threading.Event()

    def breaks(_hop: Any) -> End:
        raise RuntimeError("oops")

    def hangs(_hop: Any) -> End:
        hang.wait(5)
        return End("late")

    client = with_flows(make_app(app_budget_s=0.3), menus={"*": Menu({"start": breaks}), "*1#": Menu({"start": hangs})})
    assert hop(client, "").startswith("END Sorry")
    assert hop(client, "", "s2", serviceCode="*1#").startswith("END Sorry")
    hang.set()
    flags = [row.flags[0] for row in stored(Callback)]
    assert "the menu failed" in flags[0]
    assert "no answer within 0.3 s" in flags[1]


def test_a_flow_that_breaks_is_an_apology(app: Flask) -> None:
    flow = CallFlow(steps={"start": lambda _call: "not an action"})  # type: ignore[dict-item, return-value]
    client = with_flows(app, calls={"*": flow})
    assert "<Say>Sorry" in client.post("/api/voice/instruct", data={"sessionId": "s"}).text


def test_a_flow_goes_through_digits_to_a_recording(make_app: Callable[..., Flask], stored: Stored) -> None:
    client = make_app(callback_token=("geheim&1",), public_url="https://pokea.example").test_client()
    call = {"sessionId": "c1", "callerNumber": PHONE, "destinationNumber": "+254711082001", "isActive": "1"}

    def step(address: str, **more: str) -> ElementTree.Element:
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}" == "https://pokea.example"
        answer = client.post(f"{parts.path}?{parts.query}", data=call | more)
        assert answer.status_code == 200
        return ElementTree.fromstring(answer.text)

    digits = step("https://pokea.example/api/voice/instruct?token=geheim%261").find("GetDigits")
    assert digits is not None
    wrong = step(digits.attrib["callbackUrl"], dtmfDigits="9")
    assert [element.tag for element in wrong] == ["Say", "GetDigits"]
    record = step(digits.attrib["callbackUrl"], dtmfDigits="1").find("Record")
    assert record is not None
    last = step(record.attrib["callbackUrl"], recordingUrl="https://voice.example/r.mp3")
    assert last.findtext("Say") == "Thank you for your comment. Goodbye."
    rows = stored(Callback)
    assert [row.kind for row in rows] == ["voice.instructions"] * 4
    assert "geheim" not in "".join(row.answer + row.query for row in rows)


def remembering(**options: Any) -> Menu:
    menu = Menu(**options)

    @menu.screen
    def start(hop: Any) -> Choose:
        hop.memory["seen"] = hop.memory.get("seen", 0) + 1
        return Choose(f"Seen {hop.memory['seen']}", (Option("Name", "name"), Option("End", "end")))

    @menu.screen
    def name(hop: Any) -> Ask:
        return Ask("Your name?", "pin", "name")

    @menu.screen
    def pin(hop: Any) -> Ask:
        return Ask("PIN?", "end", "pin", secret=True)

    @menu.screen
    def end(hop: Any) -> End:
        return End(f"Bye {hop.answers.get('name', 'you')}")

    return menu


def test_a_menu_may_remember_things_of_a_session(app: Flask) -> None:
    client = with_flows(app, menus={"*": remembering(remembers=True)})
    assert hop(client, "") == "CON Seen 1\n1. Name\n2. End"
    first = int(re.findall(r"\d+", hop(client, "7"))[0])
    assert first > 1
    assert hop(client, "", "s2") == "CON Seen 1\n1. Name\n2. End"


def test_a_dropped_session_is_offered_again_to_the_same_number(app: Flask, stored: Stored) -> None:
    client = with_flows(app, menus={"*": remembering(resume_within_s=300)})
    hop(client, "")
    assert hop(client, "1") == "CON Your name?"
    assert hop(client, "1*Amina") == "CON PIN?"
    assert hop(client, "", "s2").startswith("CON You were cut off.")
    assert hop(client, "1", "s2") == "CON PIN?"
    assert hop(client, "", "s3").startswith("CON You were cut off.")  # dropped again
    assert hop(client, "1", "s3") == "CON PIN?"
    assert hop(client, "1*4321", "s3") == "END Bye Amina"
    assert hop(client, "", "s4") == "CON Seen 1\n1. Name\n2. End"
    assert hop(client, "", "s5", phoneNumber="+254711000018") == "CON Seen 1\n1. Name\n2. End"
    assert [row.secret_places for row in stored(Callback) if row.fields["text"] == "1*4321"] == [[1]]


def test_a_session_dropped_long_ago_is_not_offered(app: Flask) -> None:
    client = with_flows(app, menus={"*": remembering(resume_within_s=300)})
    with time_machine.travel("2026-03-04T10:00:00Z", tick=False) as clock:
        assert hop(client, "1") == "CON Your name?"
        clock.shift(timedelta(seconds=299))
        assert hop(client, "", "s2").startswith("CON You were cut off.")
        clock.shift(timedelta(seconds=301))
        assert hop(client, "", "s3") == "CON Seen 1\n1. Name\n2. End"


def test_a_screen_too_long_for_the_network_is_flagged(make_app: Callable[..., Flask], stored: Stored, program: HTTPServer) -> None:
    program.expect_request("/ussd").respond_with_data("END " + "x" * 200)
    client = make_app(ussd_app_url=program.url_for("/ussd")).test_client()
    hop(client, "")
    assert stored(Callback)[0].flags == ["USSD screen is 200 characters; this network cuts at 160."]


def test_a_session_of_one_code_is_not_offered_in_another(app: Flask) -> None:
    client = with_flows(app, menus={"*": remembering(resume_within_s=300)})
    assert hop(client, "1", serviceCode="*1#") == "CON Your name?"
    assert hop(client, "", "s2", serviceCode="*2#") == "CON Seen 1\n1. Name\n2. End"


def test_text_that_cannot_be_sent_or_kept_harms_nobody(app: Flask, stored: Stored) -> None:
    client = with_flows(app, menus={"*": Menu({"start": End("bad \ud83d\x00\x1b\r\nend")}), "*2#": remembering(remembers=True)})
    assert hop(client, "") == "END bad \nend"
    assert hop(client, "", "s2", serviceCode="*2#").startswith("CON Seen 1")
    assert len(stored(Callback)) == 2


def test_a_memory_that_cannot_be_kept_is_no_outage(app: Flask, stored: Stored) -> None:
    menu = Menu(remembers=True)

    @menu.screen
    def start(hop: Any) -> End:
        hop.memory["x"] = object()
        return End("Done")

    client = with_flows(app, menus={"*": menu, "*2#": Menu({"start": End("Two")})})
    assert hop(client, "") == "END Done"
    assert not app.extensions["pokea.outage"].is_down
    assert hop(client, "", "s2", serviceCode="*2#") == "END Two"
    assert [row.reference for row in stored(Callback)] == ["s2"]


def test_what_broke_in_a_menu_is_logged_without_what_was_typed(capsys: pytest.CaptureFixture[str], make_app: Callable[..., Flask]) -> None:
    menu = Menu({"start": Ask("PIN?", "check", "pin", secret=True), "check": lambda hop: End(str(int(hop.answers["pin"])))})
    assert hop(with_flows(make_app(), menus={"*": menu}), "98x76").startswith("END Sorry")
    log = capsys.readouterr().err
    assert "the menu failed: ValueError" in log
    assert "98x76" not in log


def test_cookies_do_not_travel_from_one_person_to_another(make_app: Callable[..., Flask], program: HTTPServer) -> None:
    program.expect_request("/ussd").respond_with_handler(
        lambda request: Response(f"CON {request.cookies.get('sid', 'none')}", headers={"Set-Cookie": "sid=user1"})
    )
    client = make_app(ussd_app_url=program.url_for("/ussd")).test_client()
    assert {hop(client, "", f"s{n}") for n in range(40)} == {"CON none"}


def test_secrets_in_a_programs_address_are_not_kept(make_app: Callable[..., Flask], stored: Stored, program: HTTPServer) -> None:
    program.expect_request("/ussd").respond_with_data("END x")
    url = program.url_for("/ussd").replace("http://", "http://user:geheim@") + "?key=geheim"
    assert hop(make_app(ussd_app_url=url).test_client(), "") == "END x"
    assert stored(Callback)[0].app["url"] == program.url_for("/ussd")


def test_a_table_without_a_default_still_answers(app: Flask, stored: Stored) -> None:
    client = with_flows(app, menus={"*1#": Menu({"start": End("One")})}, calls={})
    assert hop(client, "", serviceCode="*2#").startswith("END Sorry")
    assert "<Say>Sorry" in client.post("/api/voice/instruct", data={"sessionId": "s"}).text
    assert [row.flags[0][:22] for row in stored(Callback)] == ["flows/ names no menu f", "flows/ names no call f"]


@pytest.mark.parametrize("location", ["/\xff\xfe", "http://127.0.0.1:1/", "//"])
def test_no_redirect_is_looked_at(make_app: Callable[..., Flask], stored: Stored, program: HTTPServer, location: str) -> None:
    program.expect_request("/ussd").respond_with_data("x" * 100_000, status=302, headers={"Location": location})
    client = make_app(ussd_app_url=program.url_for("/ussd")).test_client()
    assert hop(client, "").startswith("END Sorry")
    [row] = stored(Callback)
    assert (row.app["status"], len(row.app["answer"]) <= 16_384) == (302, True)


def test_the_metadata_of_a_hop_is_passed_on_as_it_came(make_app: Callable[..., Flask], program: HTTPServer) -> None:
    program.expect_request("/ussd").respond_with_handler(lambda request: Response("CON " + request.headers["at-ussd-hop-metadata"]))
    client = make_app(ussd_app_url=program.url_for("/ussd")).test_client()
    answer = client.post(
        "/api/ussd/session", data={"sessionId": "s", "phoneNumber": PHONE}, headers={"at-ussd-hop-metadata": "step=2 token=abc"}
    )
    assert answer.text == "CON step=2 token=abc"


def test_a_session_with_a_long_id_is_remembered(app: Flask) -> None:
    client = with_flows(app, menus={"*": remembering(remembers=True)})
    long = "s" * 300
    hop(client, "", long)
    seen = hop(client, "7", long)
    assert seen != hop(client, "7", long + "x")
