"""Repeats on the emulator's clock, at a receiver that refuses."""

import pytest

from tests.emulator.conftest import Receiver, Running

ME = "+254711000017"
HOUR_S = 3600


def test_an_incoming_message_is_repeated_once_a_minute_for_twelve_hours(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/sms/twoway"] = (500, "no")
    emulator.control.text(ME, "12345", "Hello")
    receiver.wait("/api/sms/twoway")
    emulator.control.clock(advance=12 * HOUR_S + 600)
    got = receiver.at("/api/sms/twoway")
    assert len(got) == 720
    assert len({one.body for one in got}) == 1
    times = [entry["time"] for entry in emulator.control.log(0) if entry["kind"] == "sms.incoming_message"]
    minutes = [time[11:16] for time in times[-200:]]
    assert len(set(minutes)) == 200


def test_it_ends_with_the_first_200(emulator: Running, receiver: Receiver) -> None:
    answers = iter([(500, "no"), (201, "not 200"), (200, "GOOD"), (500, "never asked")])
    receiver.answers["/api/sms/twoway"] = lambda _got: next(answers)
    emulator.control.text(ME, "12345", "Hello")
    receiver.wait("/api/sms/twoway")
    emulator.control.clock(advance=HOUR_S)
    assert len(receiver.at("/api/sms/twoway")) == 3


@pytest.mark.parametrize(("status", "times"), [(400, 360), (500, 360), (399, 1), (302, 1), (200, 1)])
def test_a_payment_is_repeated_for_six_hours_from_400_on(emulator: Running, receiver: Receiver, status: int, times: int) -> None:
    receiver.answers["/api/payments/notification"] = (status, "no")
    receiver.answers["/api/payments/validation"] = (200, '{"status":"Validated"}')
    emulator.control.ask("POST", f"/phones/{ME}/payments", {"product": "duka", "amount": "KES 10", "account": "A1"})
    receiver.wait("/api/payments/validation")
    emulator.control.clock(advance=7 * HOUR_S)
    assert len(receiver.at("/api/payments/notification")) == times


def test_other_kinds_are_repeated_only_when_it_is_set(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/sms/opt-out"] = (500, "no")
    emulator.control.ask("POST", f"/phones/{ME}/opt-out", {"senderId": "MyBrand"})
    receiver.wait("/api/sms/opt-out")
    emulator.control.clock(advance=600)
    assert len(receiver.at("/api/sms/opt-out")) == 1
    emulator.control.settings(repeat_all=True)
    emulator.control.ask("POST", f"/phones/{ME}/opt-out", {"senderId": "Other"})
    receiver.wait("/api/sms/opt-out", 2)
    emulator.control.clock(advance=600)
    assert len(receiver.at("/api/sms/opt-out")) == 12


def test_nobody_there_is_tried_again_and_told_when_back(emulator: Running, receiver: Receiver) -> None:
    url = receiver.url
    emulator.control.settings(app_url="http://127.0.0.1:9")
    emulator.control.text(ME, "12345", "Hello")
    emulator.control.clock(advance=120)
    assert receiver.at("/api/sms/twoway") == []
    emulator.control.settings(app_url=url)
    emulator.control.clock(advance=60)
    assert len(receiver.at("/api/sms/twoway")) == 1
    emulator.control.clock(advance=600)
    assert len(receiver.at("/api/sms/twoway")) == 1
