"""The control API: who may use it, what it refuses, what it tells."""

import json
import time

import pytest
import requests

from emulator.client import Answered
from tests.emulator.conftest import Receiver, Running

ME, YOU = "+254711000017", "+254711000018"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:9001"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_only_this_machines_own_pages_and_programs_may(emulator: Running, headers: dict[str, str], status: int) -> None:
    answer = requests.post(f"{emulator.url}/control/reset", headers=headers, timeout=5)
    assert answer.status_code == status
    sent = requests.post(f"{emulator.url}/version1/messaging", headers={**headers, "apiKey": "k"}, timeout=5, data={
        "username": "s", "to": ME, "message": "Hi"})  # fmt: skip
    assert sent.status_code == (201 if status == 200 else 403)


def test_pages_load_nothing_from_elsewhere_and_may_not_be_framed(emulator: Running) -> None:
    policy = requests.get(f"{emulator.url}/control/phones", timeout=5).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "/phones", {"number": "0711"}, "is not a phone number"),
        ("POST", "/phones", {}, "'number' must be text: it is missing"),
        ("POST", "/phones", {"number": 5}, "'number' must be text"),
        ("GET", "/phones/12345", None, "is not a phone number"),
        ("POST", f"/phones/{ME}/sms", {"text": "x"}, "'to' must be text"),
        ("POST", f"/phones/{ME}/sms", {"to": " ", "text": "x"}, "'to' must be"),
        ("POST", f"/phones/{ME}/call", {"to": ""}, "'to' must be"),
        ("POST", f"/phones/{ME}/payments/ATPid_1", {"pin": True}, "is not asked to pay"),
        ("POST", f"/phones/{ME}/payments/ATPid_1", {}, "'pin' must be true"),
        ("DELETE", f"/phones/{ME}/subscriptions", {"shortCode": "1", "keyword": "X"}, "has no subscription"),
        ("GET", "/calls/ATVId_1", None, "There is no call"),
        ("POST", "/calls/ATVId_1/answer", {}, "There is no call"),
        ("PUT", "/settings", {"balanc": 1}, "No setting 'balanc'"),
        ("PUT", "/settings", {"balance": "lots"}, "is not a sum of money"),
        ("PUT", "/settings", {"callbacks": {"sms.x": "http://a"}}, "one of the kinds"),
        ("PUT", "/settings", {"callbacks": {"sms.opt_out": "ftp://a"}}, "an address"),
        ("PUT", "/settings", {"carriers": {"+254": "Nobody"}}, "one of: Safaricom"),
        ("PUT", "/settings", {"magic_numbers": {"123": "explodes"}}, "one of: delivered"),
        ("PUT", "/settings", {"repeat_all": 1}, "true or false"),
        ("POST", "/clock", {}, "The body must be"),
        ("POST", "/clock", {"advance": -5}, "'advance' must be a number from 0"),
        ("POST", "/clock", {"advance": "x"}, "'advance' must be"),
        ("POST", "/clock", {"scale": 0}, "'scale' must be"),
        ("POST", "/clock", {"advance": 1e400}, "'advance' must be"),
        ("GET", "/log?after=x", None, "'after' must be"),
        ("GET", "/nowhere", None, "Not Found"),
        ("DELETE", "/clock", None, "Method Not Allowed"),
    ],
)
def test_what_is_wrong_is_refused_in_a_sentence(emulator: Running, method: str, path: str, body: dict | None, said: str) -> None:
    body_text = None if body is None else json.dumps(body).replace("Infinity", "1e999")
    answer = requests.request(method, f"{emulator.url}/control{path}", data=body_text, timeout=5)
    assert 400 <= answer.status_code < 500
    assert said in answer.json()["error"]


@pytest.mark.parametrize("body", ["[1]", "nonsense", "5", '"x"'])
def test_a_body_that_is_no_object_is_refused(emulator: Running, body: str) -> None:
    answer = requests.post(f"{emulator.url}/control/phones", data=body, timeout=5)
    assert (answer.status_code, answer.json()) == (400, {"error": "The body must be a JSON object"})


def test_settings_are_changed_whole_or_not_at_all(emulator: Running) -> None:
    with pytest.raises(Answered):
        emulator.control.settings(balance="KES 5", play_s="x")
    assert emulator.control.settings()["balance"] == "KES 100000.0000"
    assert emulator.control.settings(balance="KES 5")["balance"] == "KES 5.0000"


def test_an_address_of_its_own_is_used_and_none_is_kept_silent(emulator: Running, receiver: Receiver) -> None:
    emulator.control.settings(callbacks={"sms.incoming_message": f"{receiver.url}/mine?x=1", "sms.opt_out": None})
    emulator.control.text(ME, "MyBrand", "STOP")
    emulator.control.text(ME, "12345", "Hello")
    assert receiver.wait("/mine")[0].path == "/mine?x=1"
    emulator.world.timetable.wait_until_idle(5)
    assert receiver.at("/api/sms/opt-out") == []
    assert any("no address is set for sms.opt_out" in entry["explanation"] for entry in emulator.control.log())


def test_the_token_is_in_addresses_and_not_in_the_log(emulator: Running, receiver: Receiver) -> None:
    emulator.control.settings(token="geheim-1234")
    emulator.control.text(ME, "12345", "Hello")
    assert receiver.wait("/api/sms/twoway")[0].path == "/api/sms/twoway?token=geheim-1234"
    emulator.world.timetable.wait_until_idle(5)
    assert "geheim-1234" not in json.dumps(emulator.control.log())


def test_the_latest_message_is_waited_for(emulator: Running) -> None:
    assert emulator.control.latest(ME, wait=0.1) is None
    order = {"username": "s", "to": f"{ME},{YOU}", "message": "Hello"}
    requests.post(f"{emulator.url}/version1/messaging", data=order, headers={"apiKey": "k"}, timeout=5)
    assert emulator.control.latest(ME, wait=5)["text"] == "Hello"
    # A plus that a query made a space is repaired.
    assert requests.get(f"{emulator.url}/control/messages/latest?to={YOU}&wait=1", timeout=5).json()["messages"][0]["to"] == YOU


def test_the_log_goes_on_from_where_one_was(emulator: Running, receiver: Receiver) -> None:
    emulator.control.text(ME, "12345", "one")
    receiver.wait("/api/sms/twoway")
    emulator.world.timetable.wait_until_idle(5)
    last = emulator.control.ask("GET", "/log")["last"]
    emulator.control.text(ME, "12345", "two")
    receiver.wait("/api/sms/twoway", 2)
    emulator.world.timetable.wait_until_idle(5)
    newer = emulator.control.log(last)
    assert len(newer) == 1
    assert "text=two" in newer[0]["body"]
    assert (newer[0]["direction"], newer[0]["status"], newer[0]["phone"]) == ("out", 200, ME)


def test_the_clock_can_be_moved_scaled_and_reset(emulator: Running) -> None:
    before = emulator.world.now()
    emulator.control.clock(advance=3600)
    assert 3600 <= emulator.world.now() - before < 3660
    emulator.control.clock(scale=1000)
    began = emulator.world.now()
    time.sleep(0.1)
    assert emulator.world.now() - began >= 100
    assert emulator.control.clock(reset=True)["scale"] == 1
    assert abs(emulator.world.now() - time.time()) < 5


def test_what_is_due_comes_sooner_on_a_faster_clock(emulator: Running, receiver: Receiver) -> None:
    emulator.control.settings(report_after_s=600)
    emulator.control.clock(scale=6000)
    order = {"username": "s", "to": ME, "message": "Hello"}
    requests.post(f"{emulator.url}/version1/messaging", data=order, headers={"apiKey": "k"}, timeout=5)
    assert receiver.wait("/api/sms/delivery-reports", seconds=5)


def test_opt_outs_and_subscriptions_have_their_effects(emulator: Running, receiver: Receiver) -> None:
    emulator.control.ask("POST", f"/phones/{ME}/opt-out", {"senderId": "MyBrand"})
    emulator.control.ask("POST", f"/phones/{ME}/subscriptions", {"shortCode": "12345", "keyword": "NEWS"})
    shown = emulator.control.phone(ME)
    assert shown["opt_outs"] == ["MyBrand"]
    assert [(one["short_code"], one["keyword"]) for one in shown["subscriptions"]] == [("12345", "NEWS")]
    assert receiver.wait("/api/sms/opt-out")[0].body == b"senderId=MyBrand&phoneNumber=%2B254711000017"
    added = receiver.wait("/api/sms/subscription")[0]
    assert added.body == b"phoneNumber=%2B254711000017&shortCode=12345&keyword=NEWS&updateType=addition"
    emulator.control.text(ME, "12345", "stop")
    assert b"updateType=deletion" in receiver.wait("/api/sms/subscription", 2)[1].body
    assert emulator.control.phone(ME)["subscriptions"] == []


def test_reset_makes_all_as_new(emulator: Running, receiver: Receiver) -> None:
    emulator.control.text(ME, "12345", "Hello")
    emulator.control.faults(hang=True)
    emulator.control.settings(balance="KES 1")
    emulator.control.clock(advance=1000)
    emulator.control.reset()
    assert emulator.control.ask("GET", "/phones")["phones"] == []
    assert emulator.control.faults()["on"] == []
    assert emulator.control.settings()["balance"] == "KES 100000.0000"
    assert emulator.control.log() == []


def test_two_phones_see_each_their_own(emulator: Running) -> None:
    order = {"username": "s", "to": ME, "message": "<b>Hello</b>"}
    requests.post(f"{emulator.url}/version1/messaging", data=order, headers={"apiKey": "k"}, timeout=5)
    emulator.control.ask("POST", "/phones", {"number": YOU})
    assert emulator.control.latest(ME, wait=5)
    phones = {one["number"]: one["unread"] for one in emulator.control.ask("GET", "/phones")["phones"]}
    assert phones == {ME: 1, YOU: 0}
    emulator.control.ask("POST", f"/phones/{ME}/messages/read")
    assert emulator.control.phone(ME)["unread"] == 0
