"""Calls that the API begins or changes: own actions, transfers, phones that answer by themselves; and money that moves."""

import threading
from typing import Any

import pytest
import requests

from emulator.client import Answered
from tests.emulator.conftest import Receiver, Running

ME, DESK, BOSS = "+254711000017", "+254711000018", "+254711000019"
OWN = "+254711082000"
INSTRUCT, EVENTS = "/api/voice/instruct", "/api/voice/events"


def ask(emulator: Running, path: str, status: int = 200, **fields: Any) -> Any:
    """Ask the API with JSON."""
    answer = requests.post(f"{emulator.url}{path}", json={"username": "s", **fields}, headers={"apiKey": "k"}, timeout=10)
    assert answer.status_code == status, answer.text
    return answer.json() if status < 400 else answer.text


def events(receiver: Receiver) -> list[dict[str, str]]:
    return [dict(got.fields) for got in receiver.at(EVENTS)]


@pytest.fixture
def connected(emulator: Running, receiver: Receiver) -> str:
    """A call of ME that DESK answered."""
    emulator.control.settings(speech_chars_per_s=0)
    receiver.answers[INSTRUCT] = (200, f'<Response><Dial phoneNumbers="{DESK}"/></Response>')
    call = emulator.control.call(ME, OWN)["call"]
    emulator.control.act(call, "answer", phone=DESK)
    return str(call)


def legs(emulator: Running, call: str) -> dict[str, str]:
    return {leg["number"]: leg["state"] for leg in emulator.control.call_state(call)["legs"]}


@pytest.mark.parametrize(("which", "goes"), [("callee", ME), ("caller", DESK), (None, ME)])
def test_a_connected_call_is_handed_on(emulator: Running, receiver: Receiver, connected: str, which: str | None, goes: str) -> None:
    more = {"callLeg": which} if which else {}
    told = ask(emulator, "/callTransfer", phoneNumber=BOSS, sessionId=connected, holdMusicUrl="https://example.com/hold.mp3", **more)
    assert told == {"callTransferResponse": {"errorMessage": "None", "status": "Success"}}
    assert legs(emulator, connected)[BOSS] == "ringing"
    assert "[hold music https://example.com/hold.mp3]" in emulator.control.call_state(connected)["heard"]
    emulator.control.act(connected, "answer", phone=BOSS)
    stays = {ME, DESK} - {goes}
    assert legs(emulator, connected) == {goes: "ended", stays.pop(): "active", BOSS: "active"}
    emulator.control.act(connected, "hangup", phone=BOSS)
    receiver.wait(EVENTS, 3)
    states = [(one["callSessionState"], one.get("callTransferState"), one["isActive"]) for one in events(receiver)]
    assert states == [("Transferred", "Active", "1"), ("TransferCompleted", "Completed", "1"), ("Completed", None, "0")]
    assert events(receiver)[0]["callTransferredToNumber"] == BOSS
    assert events(receiver)[2]["callTransferParam"] == (which or "callee")


def test_a_transfer_that_nobody_takes_leaves_the_call_as_it_was(emulator: Running, receiver: Receiver, connected: str) -> None:
    ask(emulator, "/callTransfer", phoneNumber=BOSS, sessionId=connected)
    emulator.control.act(connected, "reject", phone=BOSS)
    assert legs(emulator, connected) == {ME: "active", DESK: "active", BOSS: "ended"}
    assert receiver.wait(EVENTS)
    assert events(receiver)[0]["callTransferHangupCause"] == "DestinationNotSupported"
    emulator.control.act(connected, "hangup", phone=DESK)
    assert emulator.control.call_state(connected)["state"] == "ended"


@pytest.mark.parametrize("number", ["+254711000009", "seller@ke.sip.africastalking.com", "12"])
def test_a_transfer_to_who_cannot_be_reached_is_aborted(emulator: Running, connected: str, number: str) -> None:
    told = ask(emulator, "/callTransfer", phoneNumber=number, sessionId=connected)
    assert told["callTransferResponse"]["status"] == "Aborted"
    assert emulator.control.call_state(connected)["state"] == "active"


def test_a_call_that_brings_its_own_actions_asks_nobody(emulator: Running, receiver: Receiver) -> None:
    emulator.control.settings(speech_chars_per_s=0)
    actions = [{"actionType": "Say", "text": "Your code is 1234"}, {"actionType": "Play", "url": "https://example.com/x.mp3"}]
    call = ask(emulator, "/call", **{"from": OWN, "to": [ME]}, callActions=actions)["entries"][0]["sessionId"]
    heard = emulator.control.act(call, "answer")["heard"]
    assert heard == ["Your code is 1234", "[plays https://example.com/x.mp3]"]
    assert receiver.wait(EVENTS)
    assert receiver.at(INSTRUCT) == []


def test_own_actions_can_dial(emulator: Running, receiver: Receiver) -> None:
    actions = [{"actionType": "Dial", "phoneNumbers": [DESK], "record": True}]
    call = ask(emulator, "/call", **{"from": OWN, "to": ME}, callActions=actions)["entries"][0]["sessionId"]
    emulator.control.act(call, "answer", phone=ME)
    emulator.control.act(call, "answer", phone=DESK)
    emulator.control.act(call, "hangup", phone=DESK)
    assert dict(receiver.wait(EVENTS)[0].fields)["recordingUrl"].startswith(emulator.url)


@pytest.mark.parametrize("actions", [[{"actionType": "Fly"}], "Say", [5], [{"actionType": "Play"}], [{"actionType": "Dial"}]])
def test_wrong_own_actions_are_refused(emulator: Running, actions: Any) -> None:
    assert "malformed" in ask(emulator, "/call", 400, **{"from": OWN, "to": ME}, callActions=actions)
    assert emulator.control.ask("GET", "/calls")["calls"] == []


def test_phones_can_answer_by_themselves(emulator: Running, receiver: Receiver) -> None:
    emulator.control.settings(auto_answer=True, speech_chars_per_s=0)
    receiver.answers[INSTRUCT] = (200, "<Response><Say>Hello</Say></Response>")
    ask(emulator, "/call", **{"from": OWN, "to": f"{ME},+254711000010"})
    emulator.control.clock(advance=2)
    assert dict(receiver.wait(EVENTS)[0].fields)["callerNumber"] == ME
    emulator.control.clock(advance=60)
    assert [one["hangupCause"] for one in events(receiver)] == ["NORMAL_CLEARING", "NO_ANSWER"]


def test_who_never_answers_cannot_be_made_to(emulator: Running) -> None:
    call = ask(emulator, "/call", **{"from": OWN, "to": "+254711000010"})["entries"][0]["sessionId"]
    with pytest.raises(Answered, match="never answers"):
        emulator.control.act(call, "answer")


def test_a_person_in_a_call_can_make_no_other(emulator: Running, connected: str) -> None:
    with pytest.raises(Answered, match="is in a call already"):
        emulator.control.call(ME, OWN)
    second = ask(emulator, "/call", **{"from": OWN, "to": DESK})["entries"][0]["sessionId"]
    emulator.control.clock(advance=2)
    assert emulator.control.call_state(second)["hangup_cause"] == "USER_BUSY"


def test_calls_cost_each_started_minute(emulator: Running, receiver: Receiver, connected: str) -> None:
    emulator.control.clock(advance=61)
    emulator.control.act(connected, "hangup")
    told = dict(receiver.wait(EVENTS)[0].fields)
    assert (told["amount"], told["currencyCode"]) == ("4.00", "KES")
    assert told["durationInSeconds"] in ("61", "62")
    assert emulator.control.settings()["balance"] == "KES 99996.0000"


def test_hanging_up_while_the_app_is_asked_ends_the_call(emulator: Running, receiver: Receiver) -> None:
    may_answer = threading.Event()
    receiver.answers[INSTRUCT] = lambda _got: (may_answer.wait(10), (200, "<Response><Say>Too late</Say></Response>"))[1]
    calling = threading.Thread(target=lambda: requests.post(f"{emulator.url}/control/phones/{ME}/call", json={"to": OWN}, timeout=20))
    calling.start()
    receiver.wait(INSTRUCT)
    call = emulator.control.ask("GET", "/calls")["calls"][0]["call"]
    ended = emulator.control.act(call, "hangup")
    assert (ended["state"], ended["hangup_cause"], ended["heard"]) == ("ended", "ORIGINATOR_CANCEL", [])
    may_answer.set()
    calling.join(10)
    emulator.world.timetable.wait_until_idle(5)
    assert emulator.control.call_state(call)["heard"] == []
    assert len(receiver.wait(EVENTS)) == 1


def test_money_goes_from_the_wallet_to_the_account(emulator: Running) -> None:
    told = ask(emulator, "/topup/stash", 201, productName="duka", currencyCode="KES", amount=250)
    assert told["status"] == "Success"
    settings = emulator.control.settings()
    assert (settings["balance"], settings["wallet"]) == ("KES 100250.0000", "KES 99750.0000")
    assert ask(emulator, "/topup/stash", 201, productName="duka", currencyCode="KES", amount=10**6)["status"] == "Failed"
    assert emulator.control.settings()["wallet"] == "KES 99750.0000"


def test_the_payments_of_a_product_are_listed_newest_first(emulator: Running) -> None:
    for amount in (1, 2, 3):
        ask(emulator, "/mobile/checkout/request", 201, productName="duka", phoneNumber=ME, currencyCode="KES", amount=amount)
    query = {"username": "s", "productName": "duka", "pageNumber": "1", "count": "2"}
    found = requests.get(f"{emulator.url}/query/transaction/fetch", params=query, headers={"apiKey": "k"}, timeout=5).json()
    assert [one["value"] for one in found["responses"]] == ["KES 3.0000", "KES 2.0000"]
    wrong = requests.get(f"{emulator.url}/query/transaction/fetch", params={**query, "count": "x"}, headers={"apiKey": "k"}, timeout=5)
    assert wrong.status_code == 400


def test_a_payment_that_nobody_confirms_fails(emulator: Running, receiver: Receiver) -> None:
    ask(emulator, "/mobile/checkout/request", 201, productName="duka", phoneNumber=ME, currencyCode="KES", amount=5)
    emulator.control.clock(advance=61)
    told = receiver.wait("/api/payments/notification")
    assert b'"status":"Failed"' in told[0].body
    assert emulator.control.phone(ME)["payment_prompts"] == []
