"""The state outlives a restart, and a file that is not one does not stand in the way."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from emulator import create_app
from emulator.client import Control
from emulator.doers import DOERS
from emulator.server import Server, first_free
from emulator.settings import Settings
from emulator.store import Store
from emulator.world import World
from tests.emulator.conftest import Receiver, Running
from tests.running import free_port, wait_until

ME, YOU = "+254711000017", "+254711000018"


@contextmanager
def kept(path: Path, app_url: str) -> Iterator[tuple[Control, World]]:
    """An emulator that keeps its state in a file; at the end it is stopped as by a signal."""
    port = free_port()
    world = World(DOERS, Settings(app_url=app_url), f"http://127.0.0.1:{port}")
    store = Store(world, path)
    store.load()
    server = Server("127.0.0.1", port, create_app(world))
    threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
    world.timetable.start()
    store.start()
    control = Control(world.own_url)
    yield control, world
    control.close()
    server.shutdown()
    server.server_close()
    world.timetable.stop()
    store.stop()


def whole(control: Control) -> dict:
    """All that can be seen, but for what time alone changes."""
    seen = {name: control.ask("GET", f"/{name}") for name in ("phones", "faults", "settings", "calls")}
    seen["each"] = {one["number"]: control.phone(one["number"]) for one in seen["phones"]["phones"]}
    return json.loads(json.dumps(seen, sort_keys=True), parse_float=lambda _: 0)


def test_all_is_there_after_a_restart(tmp_path: Path, emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/ussd/session"] = (200, "CON more")
    receiver.answers["/api/voice/instruct"] = (
        200,
        '<Response><GetDigits numDigits="4" timeout="500"><Say>Your PIN</Say></GetDigits></Response>',
    )
    path = tmp_path / "emulator.json"
    with kept(path, receiver.url) as (control, _):
        control.settings(speech_chars_per_s=0, magic_numbers={"777": "rejected"}, carriers={"+25470": "Airtel Kenya"}, balance="KES 77.50")
        control.faults(late={"value": 5, "only": ["sms.opt_out"], "times": 3})
        control.clock(advance=3600)
        session = control.dial(ME, "*384*1234#")["session"]
        control.text(ME, "12345", "Hello")
        control.ask("POST", f"/phones/{ME}/subscriptions", {"shortCode": "12345", "keyword": "NEWS"})
        call = control.call(YOU, "+254711082000")["call"]
        control.act(call, "digits", digits="12")
        order = {"username": "s", "to": ME, "message": "Hello"}
        requests.post(f"{control.url}/version1/messaging", data=order, headers={"apiKey": "k"}, timeout=5)
        checkout = {"username": "s", "productName": "duka", "phoneNumber": ME, "currencyCode": "KES", "amount": 10}
        requests.post(f"{control.url}/mobile/checkout/request", json=checkout, headers={"apiKey": "k"}, timeout=5)
        receiver.wait("/api/sms/delivery-reports")
        before = whole(control)
    with kept(path, receiver.url) as (control, world):
        assert whole(control) == before
        assert 3500 < world.clock.ahead_s < 3700
        assert control.reply(ME, session, "1")["screen"] == "more"
        receiver.answers["/api/voice/instruct"] = (200, "<Response/>")
        assert control.act(call, "digits", digits="34")["state"] == "ended"
        assert dict(receiver.at("/api/voice/instruct")[-1].fields)["dtmfDigits"] == "1234"
        prompt = control.phone(ME)["payment_prompts"][0]["id"]
        assert control.ask("POST", f"/phones/{ME}/payments/{prompt}", {"pin": True})["status"] == "Success"


def test_what_was_due_is_done_after_a_restart(tmp_path: Path, emulator: Running, receiver: Receiver) -> None:
    path = tmp_path / "emulator.json"
    receiver.answers["/api/sms/twoway"] = (500, "no")
    with kept(path, receiver.url) as (control, _):
        control.text(ME, "12345", "Hello")
        receiver.wait("/api/sms/twoway")
    with kept(path, receiver.url) as (control, _):
        control.clock(advance=180)
        assert len(receiver.at("/api/sms/twoway")) == 4


@pytest.mark.parametrize(
    "break_it",
    [
        lambda path: path.write_text("{"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text('{"phones": 5}'),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_text(""),
        lambda path: path.write_text('{"version": 999}'),
        lambda path: path.write_text('{"faults": {"duplicate": 1}}'),
        lambda path: path.write_text('{"scale": 0}'),
        lambda path: path.write_text('{"ahead_s": 1e15}'),
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_text('{"tasks": [{"id": 1, "due": 1, "name": "x", "strand": "y"}]}'),
    ],
    ids=["half", "list", "shape", "bytes", "empty", "version", "fault", "stopped", "far", "deep", "task"],
)
def test_a_file_that_is_no_state_is_put_aside(tmp_path: Path, break_it: Callable[[Path], object]) -> None:
    path = tmp_path / "emulator.json"
    break_it(path)
    world = World(DOERS, Settings(), "http://127.0.0.1:1")
    store = Store(world, path)
    said = store.load()
    assert "put aside as emulator.json.unreadable" in said
    assert not path.exists()
    store.stop()
    assert (tmp_path / "emulator.json.unreadable").exists()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    world = World(DOERS, Settings(), "http://127.0.0.1:1")
    Store(world, tmp_path / "deep" / "emulator.json").stop()
    assert (tmp_path / "deep" / "emulator.json").stat().st_mode & 0o777 == 0o600


def test_a_file_is_one_emulator_s(tmp_path: Path) -> None:
    world = World(DOERS, Settings(), "http://127.0.0.1:1")
    first = Store(world, tmp_path / "emulator.json")
    with pytest.raises(BlockingIOError):
        Store(world, tmp_path / "emulator.json")
    first.stop()
    Store(world, tmp_path / "emulator.json").stop()


def test_what_was_under_way_is_done_again_after_a_restart(tmp_path: Path, emulator: Running, receiver: Receiver) -> None:
    path = tmp_path / "emulator.json"
    may_answer = threading.Event()

    def slow(_got: object) -> tuple[int, str]:
        may_answer.wait(20)
        return 200, "OK"

    receiver.answers["/api/sms/opt-out"] = slow
    with kept(path, receiver.url) as (control, _):
        for sender in ("one", "two", "three"):
            control.ask("POST", f"/phones/{ME}/opt-out", {"senderId": sender})
        receiver.wait("/api/sms/opt-out")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    may_answer.set()
    receiver.got.clear()
    with kept(path, receiver.url):
        told = receiver.wait("/api/sms/opt-out", 3)
    assert sorted(dict(got.fields)["senderId"] for got in told) == ["one", "three", "two"]


def test_a_full_disk_is_said_once_and_once_when_it_has_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(DOERS, Settings(), "http://127.0.0.1:1")
    folder = tmp_path / "state"
    store = Store(world, folder / "emulator.json")
    # A folder in the place of the draft refuses it as a full disk does, also to root.
    (folder / "emulator.json.new").mkdir()
    store.start()
    world.phone(ME)
    wait_until(lambda: "is not written" in caplog.text, 5, "the first word")
    world.phone(YOU)
    time.sleep(1.2)
    (folder / "emulator.json.new").rmdir()
    wait_until(lambda: "is written to" in caplog.text, 5, "the second word")
    store.stop()
    assert caplog.text.count("is not written") == 1
    assert YOU in (folder / "emulator.json").read_text()


def test_a_taken_port_is_passed_over(emulator: Running) -> None:
    taken = int(emulator.url.rpartition(":")[2])
    assert first_free("127.0.0.1", taken) > taken


def test_a_session_that_a_restart_cuts_is_over_and_told_of(tmp_path: Path, emulator: Running, receiver: Receiver) -> None:
    path = tmp_path / "emulator.json"
    may_answer = threading.Event()
    receiver.answers["/api/ussd/session"] = lambda _got: (may_answer.wait(10), (200, "CON late"))[1]
    with kept(path, receiver.url) as (control, _):
        url = f"{control.url}/control/phones/{ME}/ussd"
        dialling = threading.Thread(target=lambda: requests.post(url, json={"code": "*384*1234#"}, timeout=20))
        dialling.start()
        receiver.wait("/api/ussd/session")
    may_answer.set()
    dialling.join(20)
    with kept(path, receiver.url) as (control, _):
        shown = control.phone(ME)["ussd"]
        assert (shown["open"], shown["status"]) == (False, "Incomplete")
        assert "the emulator was stopped" in shown["why"]
        assert b"status=Incomplete" in receiver.wait("/api/ussd/status")[-1].body
