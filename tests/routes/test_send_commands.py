"""flask send, flask invocations, and what flask doctor asks: the invoke addresses from a terminal."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.models import Invocation, Recipient
from tests import stub_at
from tests.running import free_port
from tests.samples import post
from tests.stub_at import PATHS, StubAT

Stored = Callable[[type], list[Any]]
PHONE = "+254711000017"
LINES = {
    "sms.bulk": ("sms", PHONE, "Hello there", "--from", "MyBrand"),
    "sms.premium": ("sms", PHONE, "Hello there", "--premium", "--link-id", "L1"),
    "voice.call": ("call", PHONE),
    "airtime.send": ("airtime", PHONE, "10.50"),
    "sim_swap.check": ("sim-swap", PHONE),
    "payments.checkout": ("checkout", PHONE, "100", "--product", "duka", "--metadata", '{"order": "1"}'),
}  # fmt: skip


def run(app: Flask, *words: str, typed: str | None = None) -> Result:
    return app.test_cli_runner().invoke(args=list(words), input=typed)


@pytest.fixture
def pokea(sending: Callable[..., Flask]) -> Flask:
    return sending()


@pytest.mark.parametrize("kind", LINES)
def test_every_order_can_be_sent(pokea: Flask, at: StubAT, stored: Stored, kind: str) -> None:
    done = run(pokea, "send", *LINES[kind], "--reference", "R-1", "--json")
    assert (done.exit_code, json.loads(done.stdout)["invocation"]["state"]) == (0, "accepted")
    assert [seen.path for seen in at.seen] == [PATHS[kind]]
    assert [(row.kind, row.asked_by, row.reference) for row in stored(Invocation)] == [(kind, "command line", "R-1")]
    lines = run(pokea, "send", *LINES[kind]).stdout.splitlines()
    assert lines[0].startswith(f"{PHONE}   accepted")
    assert lines[-1].startswith("inv_")


def test_a_preview_says_what_it_would_be(pokea: Flask, at: StubAT) -> None:
    done = run(pokea, "send", "sms", f"{PHONE},254711000018", "x" * 161, "--preview")
    assert done.exit_code == 0
    assert "parts           2" in done.stdout
    assert at.seen == []


@pytest.mark.parametrize(
    ("words", "said"),
    [(("sms", "07110", "x"), "'phone' is not a phone number we understand: '07110'"), (("airtime", PHONE, "0"), "must be a positive number"),
        (("airtime", PHONE, "10", "--currency", "kes"), "'currency' must be an ISO 4217 code"), (("sms", PHONE, ""), "'message' must not be empty"),
        (("checkout", PHONE, "10", "--product", "d", "--metadata", "x"), "'metadata' must be a JSON object"),
        (("sms", PHONE, "x", "--link-id", "L"), "go with --premium"),
        (("sms", PHONE, "x", "--premium", "--from", "Me"), "do not go with --premium")],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_sent(pokea: Flask, at: StubAT, words: tuple[str, ...], said: str) -> None:
    done = run(pokea, "send", *words)
    assert done.exit_code in (1, 2)
    assert said in done.stderr
    assert at.seen == []


def test_refused_and_unknown_are_told_and_exit_1(pokea: Flask, at: StubAT) -> None:
    at.fault = stub_at.status(401, b"The supplied authentication is invalid")
    refused = run(pokea, "send", "sms", PHONE, "x")
    assert (refused.exit_code, "did not accept the API key" in refused.stdout) == (1, True)
    at.fault = stub_at.reset
    lost = run(pokea, "send", "airtime", PHONE, "10")
    assert (lost.exit_code, "may have been sent: do not repeat it" in lost.stdout) == (3, True)


def test_the_same_key_is_not_sent_twice(pokea: Flask, at: StubAT) -> None:
    for _ in range(2):
        done = run(pokea, "send", "airtime", PHONE, "10", "--key", "order-1042")
    assert (done.exit_code, "not sent twice. Take another --key" in done.stdout, len(at.calls())) == (0, True, 1)


@pytest.mark.parametrize(("typed", "code", "calls"), [("y\n", 0, 1), ("n\n", 1, 0), ("", 1, 0)])
def test_live_asks_before_it_sends(sending: Callable[..., Flask], at: StubAT, typed: str, code: int, calls: int) -> None:
    app = sending(at_mode="live", at_username="acme", at_api_key="live-key-1234", callback_token=("c",), at_base_url=at.url)
    done = run(app, "send", "sms", PHONE, "x", typed=typed)
    assert f"LIVE account 'acme': this sends a real SMS to {PHONE}. Continue? [y/N]" in done.stderr
    assert (done.exit_code, len(at.calls())) == (code, calls)
    assert run(app, "send", "airtime", PHONE, "10", "--yes").exit_code == 0
    assert len(at.calls()) == calls + 1


def test_invocations_are_listed_and_shown(pokea: Flask, stored: Stored) -> None:
    assert "No invocations" in run(pokea, "invocations", "list").stderr
    run(pokea, "send", "sms", f"{PHONE},254711000018", "x", "--reference", "R-1")
    run(pokea, "send", "call", PHONE)
    newest = run(pokea, "invocations", "list").stdout.splitlines()
    assert [PHONE in newest[0], "2 phones" in newest[1]] == [True, True]
    for words in (("--kind", "voice.call"), ("--reference", "R-1"), ("--phone", "254711000018"), ("--state", "accepted", "--limit", "1")):
        assert len(json.loads(run(pokea, "invocations", "list", *words, "--json").stdout)) == 1
    [row] = json.loads(run(pokea, "invocations", "list", "--reference", "R-1", "--json").stdout)
    shown = run(pokea, "invocations", "show", row["id"])
    assert "idempotency_key" in shown.stdout
    assert json.loads(run(pokea, "invocations", "show", row["id"], "--json").stdout) == row | {"callbacks": []}
    report = {"id": stored(Recipient)[0].provider_id, "status": "Success", "phoneNumber": PHONE}
    callback_id = post(pokea.test_client(), "sms.delivery_report", report).headers["X-Pokea-Id"]
    [told] = json.loads(run(pokea, "invocations", "show", row["id"], "--json").stdout)["callbacks"]
    assert (told["id"], told["kind"], told["status"]) == (callback_id, "sms.delivery_report", "Success")
    assert "No invocation 'inv_x'" in run(pokea, "invocations", "show", "inv_x").stderr


def test_lists_say_why_and_what_is_not_there(pokea: Flask, at: StubAT) -> None:
    at.fault = stub_at.status(400, b"No such thing")
    run(pokea, "send", "sms", PHONE, "x", "--reference", "R-9")
    assert "R-9  Africa's Talking refused: 'No such thing'." in run(pokea, "invocations", "list").stdout
    assert "No invocation is like that" in run(pokea, "invocations", "list", "--state", "unknown").stderr
    assert "not a phone number we understand: 'abc'" in run(pokea, "invocations", "list", "--phone", "abc").stderr


def test_terminals_are_told_of_options(pokea: Flask, at: StubAT) -> None:
    post(pokea.test_client(), "sms.opt_out", {"senderId": "MyBrand", "phoneNumber": PHONE})
    assert "Add --force to send it anyway" in run(pokea, "send", "sms", PHONE, "x").stderr
    assert "'--key' must be 8 to 100" in run(pokea, "send", "sms", PHONE, "x", "--key", "short").stderr


def test_a_database_that_was_never_migrated_is_told_how(sending: Callable[..., Flask], at: StubAT, tmp_path: Any) -> None:
    told = run(sending(database_url=f"sqlite:///{tmp_path}/never.db"), "send", "sms", PHONE, "x")
    assert (told.exit_code, "flask db upgrade" in told.stderr, at.seen) == (1, True, [])


def test_privacy_masks_numbers(sending: Callable[..., Flask]) -> None:
    app = sending(privacy=True)
    run(app, "send", "sms", PHONE, "x")
    text = run(app, "invocations", "list").stdout + run(app, "invocations", "list", "--json").stdout
    assert "711000017" not in text
    assert "***017" in text


@pytest.mark.parametrize(("word", "state"), [("sent", "accepted"), ("not-sent", "refused")])
def test_a_person_settles_what_is_unknown(pokea: Flask, at: StubAT, stored: Stored, word: str, state: str) -> None:
    at.fault = stub_at.reset
    run(pokea, "send", "airtime", PHONE, "10", "--key", "order-1042")
    at.fault = None
    invocation_id = stored(Invocation)[0].id
    done = run(pokea, "invocations", "settle", invocation_id, "--as", word, "--note", "seen in the dashboard")
    assert (done.exit_code, done.stdout) == (0, f"{invocation_id} is {state}\n")
    (row,) = stored(Invocation)
    assert (row.state, row.settled["note"], row.settled_at is not None) == (state, "seen in the dashboard", True)
    assert (row.problem, row.advice) == (None, None)
    assert row.settled["by"]
    assert [recipient.state for recipient in stored(Recipient)] == [state]
    again = run(pokea, "invocations", "settle", invocation_id, "--as", "sent")
    assert (again.exit_code, "only an unknown one can be settled" in again.stderr) == (1, True)
    # One that was not sent may be ordered again; one that was is not.
    assert run(pokea, "send", "airtime", PHONE, "10", "--key", "order-1042").exit_code == 0
    assert len(at.calls()) == (1 if word == "sent" else 2)


def findings(app: Flask) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["state"], one["message"]) for one in json.loads(run(app, "doctor", "--json").stdout)["checks"]}


def test_the_doctor_asks_for_the_account(sending: Callable[..., Flask], at: StubAT) -> None:
    assert findings(sending())["account"] == ("ok", f"sandbox at {at.url}, balance KES 1234.5000")
    assert at.seen[0].path == "/version1/user"
    at.change = lambda answer: {"userData": answer["UserData"]}
    assert findings(sending())["account"][0] == "ok"
    state, message = findings(sending(at_api_key="wrong-key-1"))["account"]
    assert (state, "not accepted" in message, "wrong-key-1" in message) == ("failed", True, False)
    for fault in (stub_at.reset, stub_at.status(500), stub_at.status(200, b"<html>")):
        at.fault = fault
        assert findings(sending())["account"][0] == "failed"
    url = f"http://127.0.0.1:{free_port()}"
    assert findings(sending(at_base_url=url))["account"] == (
        "warning", f"the emulator at {url} does not answer: invoke addresses will send nothing")  # fmt: skip


def test_callbacks_settle_what_a_list_shows(pokea: Flask, at: StubAT) -> None:
    at.fault = stub_at.reset
    run(pokea, "send", "airtime", PHONE, "10")
    post(pokea.test_client(), "airtime.status", {"requestId": "ATQid_1", "status": "Success", "phoneNumber": PHONE, "value": "KES 10.0000"})
    [row] = json.loads(run(pokea, "invocations", "list", "--json").stdout)
    assert (row["state"], row["settled"]["is_guess"]) == ("accepted", True)
