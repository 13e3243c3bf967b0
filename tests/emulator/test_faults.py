"""Every fault, as an independent receiver or a bare socket sees it: bytes, order, times."""

import http.client
import time
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from emulator.client import Answered
from emulator.faults import FAULTS
from tests.emulator.conftest import Got, Receiver, Running

ME = "+254711000017"
REPORTS = "/api/sms/delivery-reports"
TWOWAY = "/api/sms/twoway"


def send(emulator: Running, timeout: float = 10, to: str = ME) -> requests.Response:
    body = {"username": "sandbox", "to": to, "message": "Hello", "bulkSMSMode": "1"}
    return requests.post(f"{emulator.url}/version1/messaging", data=body, headers={"apiKey": "test"}, timeout=timeout)


def statuses(receiver: Receiver) -> list[str]:
    return [dict(got.fields)["status"] for got in receiver.at(REPORTS)]


def test_all_are_off_until_switched_on_and_shown_while_on(emulator: Running) -> None:
    assert emulator.control.faults()["on"] == []
    assert emulator.control.faults(slow=5, hang=True)["faults"] == {"slow": 5, "hang": True}
    assert emulator.control.faults(slow=False, hang=None)["on"] == []
    assert set(emulator.control.faults()["known"]) == set(FAULTS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"slwo": 1}, "No fault 'slwo'"),
        ({"slow": "x"}, "'slow' takes seconds"),
        ({"slow": -1}, "'slow' takes seconds"),
        ({"duplicate": 1.5}, "whole number"),
        ({"server_error": 404}, "500 to 599"),
        ({"report": "Lost"}, "Failed, Rejected, never"),
        ({"hang": {"value": True, "times": 0}}, "'times'"),
        ({"hang": {"value": True, "only": "x"}}, "'only'"),
    ],
)
def test_a_wrong_one_is_refused_and_none_is_changed(emulator: Running, given: dict, said: str) -> None:
    with pytest.raises(Answered, match=said):
        emulator.control.faults(late=5, **given)
    assert emulator.control.faults()["on"] == []


def test_one_counts_down_and_is_for_what_it_names(emulator: Running) -> None:
    emulator.control.faults(server_error={"value": 503, "only": ["/version1/*"], "times": 2})
    asked = [requests.post(f"{emulator.url}/call", data={"username": "s", "from": "+254711082000", "to": ME}, headers={"apiKey": "k"},
                           timeout=5).status_code]  # fmt: skip
    asked += [send(emulator).status_code for _ in range(3)]
    assert asked == [200, 503, 503, 201]


def test_duplicate(emulator: Running, receiver: Receiver) -> None:
    emulator.control.faults(duplicate=2)
    emulator.control.text(ME, "12345", "Hello")
    emulator.control.clock(advance=5)
    got = receiver.wait(TWOWAY, 3)
    assert len(got) == 3
    assert len({one.body for one in got}) == 1


def test_late(emulator: Running, receiver: Receiver) -> None:
    emulator.control.faults(late=30)
    emulator.control.text(ME, "12345", "Hello")
    emulator.control.clock(advance=29)
    assert receiver.at(TWOWAY) == []
    emulator.control.clock(advance=2)
    assert len(receiver.at(TWOWAY)) == 1


def test_reordered_reports_end_with_the_one_that_was_first(emulator: Running, receiver: Receiver) -> None:
    emulator.control.settings(interim_reports=True)
    send(emulator)
    emulator.control.clock(advance=10)
    assert statuses(receiver) == ["Sent", "Success"]
    emulator.control.faults(reordered=True)
    send(emulator)
    emulator.control.clock(advance=10)
    assert statuses(receiver)[2:] == ["Success", "Sent"]


def test_reordered_messages_overtake_each_other(emulator: Running, receiver: Receiver) -> None:
    emulator.control.faults(reordered=True)
    for text in ("one", "two"):
        emulator.control.text(ME, "12345", text)
    emulator.control.clock(advance=10)
    assert [dict(got.fields)["text"] for got in receiver.at(TWOWAY)] == ["two", "one"]


def test_dropped(emulator: Running, receiver: Receiver) -> None:
    emulator.control.faults(dropped={"value": True, "only": ["sms.delivery_report"]})
    send(emulator)
    emulator.control.text(ME, "12345", "Hello")
    emulator.control.clock(advance=100)
    assert receiver.at(REPORTS) == []
    assert len(receiver.at(TWOWAY)) == 1
    assert "dropped on purpose" in [entry["explanation"] for entry in emulator.control.log()]


def test_retry_storm_comes_at_once(emulator: Running, receiver: Receiver) -> None:
    emulator.control.faults(retry_storm=20)

    def slow(_got: Got) -> tuple[int, str]:
        time.sleep(0.2)
        return 200, "GOOD"

    receiver.answers[TWOWAY] = slow
    emulator.control.text(ME, "12345", "Hello")
    got = receiver.wait(TWOWAY, 20)
    assert len({one.body for one in got}) == 1
    # One after the other they would take 4 s.
    assert got[-1].at - got[0].at < 2


def test_callback_before_the_answer_to_the_send(emulator: Running, receiver: Receiver) -> None:
    emulator.control.faults(callback_first=True)
    seen_before: list[int] = []
    receiver.answers[REPORTS] = lambda _got: (seen_before.append(1), (200, "OK"))[1]
    answer = send(emulator)
    assert seen_before == [1]
    sent = answer.json()["SMSMessageData"]["Recipients"][0]["messageId"]
    assert dict(receiver.at(REPORTS)[0].fields)["id"] == sent
    emulator.control.clock(advance=10)
    assert len(receiver.at(REPORTS)) == 1


def test_slow(emulator: Running) -> None:
    emulator.control.faults(slow=0.5)
    began = time.monotonic()
    assert send(emulator).status_code == 201
    assert time.monotonic() - began >= 0.5


def test_hang_does_what_is_asked_and_never_answers(emulator: Running, receiver: Receiver) -> None:
    emulator.control.faults(hang=True)
    with pytest.raises(requests.ReadTimeout):
        send(emulator, timeout=0.4)
    assert len(emulator.control.messages(ME)) == 1
    assert len(receiver.wait(REPORTS)) == 1


def test_reset_breaks_the_connection_after_the_request(emulator: Running) -> None:
    emulator.control.faults(reset=True)
    address = urlsplit(emulator.url)
    line = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
    body = urlencode({"username": "s", "to": ME, "message": "Hello"})
    line.request("POST", "/version1/messaging", body, {"apiKey": "k", "Content-Type": "application/x-www-form-urlencoded"})
    with pytest.raises(ConnectionResetError):
        line.getresponse()
    line.close()
    assert len(emulator.control.messages(ME)) == 1


def test_too_many_does_nothing(emulator: Running) -> None:
    emulator.control.faults(too_many=True)
    answer = send(emulator)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert emulator.control.messages(ME) == []


@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_error_does_what_is_asked(emulator: Running, status: int) -> None:
    emulator.control.faults(server_error=status)
    answer = send(emulator)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert len(emulator.control.messages(ME)) == 1


def test_html(emulator: Running) -> None:
    emulator.control.faults(html=True)
    answer = send(emulator)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert answer.text.startswith("<html>")


def test_charset_in_both_directions(emulator: Running, receiver: Receiver) -> None:
    assert send(emulator).headers["Content-Type"] == "application/json"
    emulator.control.faults(charset=True)
    assert send(emulator).headers["Content-Type"] == "application/json; charset=utf-8"
    emulator.control.text(ME, "12345", "Hello")
    assert receiver.wait(TWOWAY)[0].headers["Content-Type"] == "application/x-www-form-urlencoded; charset=UTF-8"


def test_drop_session_after_a_hop(emulator: Running, receiver: Receiver) -> None:
    receiver.answers["/api/ussd/session"] = (200, "CON more")
    emulator.control.faults(drop_session={"value": 2, "times": 1})
    first = emulator.control.dial(ME, "*384*1234#")
    assert first["open"]
    second = emulator.control.reply(ME, first["session"], "1")
    assert (second["screen"], second["open"], second["status"]) == ("Connection problem or invalid MMI code", False, "Incomplete")
    assert "on purpose" in second["why"]
    assert dict(receiver.wait("/api/ussd/status")[0].fields)["status"] == "Incomplete"
    assert emulator.control.faults()["on"] == []


@pytest.mark.parametrize(("report", "told"), [("Failed", ["Failed"]), ("Rejected", ["Rejected"]), ("never", [])])
def test_reports_can_be_forced(emulator: Running, receiver: Receiver, report: str, told: list[str]) -> None:
    emulator.control.faults(report=report)
    send(emulator)
    emulator.control.clock(advance=100)
    assert statuses(receiver) == told


@pytest.mark.parametrize(
    ("last", "told"),
    [("001", ["Success"]), ("002", ["Failed"]), ("003", ["Rejected"]), ("004", []), ("005", []), ("006", ["Success", "Success"])],
)
def test_magic_numbers_decide_reports(emulator: Running, receiver: Receiver, last: str, told: list[str]) -> None:
    send(emulator, to=f"+254711000{last}")
    emulator.control.clock(advance=100)
    assert statuses(receiver) == told
    assert len({got.body for got in receiver.at(REPORTS)}) <= 1


@pytest.mark.parametrize(("last", "arrives"), [("001", True), ("002", False), ("003", False), ("005", True), ("006", True)])
def test_what_was_not_delivered_is_on_no_phone(emulator: Running, receiver: Receiver, last: str, arrives: bool) -> None:
    number = f"+254711000{last}"
    send(emulator, to=number)
    emulator.control.clock(advance=10)
    assert [message["on_phone"] for message in emulator.control.messages(number)] == [arrives]
    assert emulator.control.phone(number)["unread"] == int(arrives)
    assert (emulator.control.latest(number, wait=0) is not None) is arrives
