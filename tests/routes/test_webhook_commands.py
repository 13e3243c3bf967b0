"""flask webhooks, flask deliveries and flask sign: what they print for people and as JSON, and how they fail."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import update

from app.extensions import writing
from app.models import Delivery, Endpoint
from services import due
from services.webhooks import events, signing
from tests.samples import post

Stored = Callable[[type], list[Any]]
HOOK = "https://8.8.8.8/hooks"
SECRET = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.fixture
def pokea(make_app: Callable[..., Flask]) -> Flask:
    """An application whose context nobody pushed: each command gets its own, as in a shell."""
    return make_app()


def run(app: Flask, *words: str, **options: Any) -> Result:
    return app.test_cli_runner().invoke(args=list(words), **options)


def as_json(app: Flask, *words: str) -> Any:
    return json.loads(run(app, *words, "--json").stdout)


def add(app: Flask, *patterns: str) -> str:
    """Make a receiver and return its id."""
    wanted = [word for pattern in patterns for word in ("--event", pattern)]
    return str(as_json(app, "webhooks", "add", HOOK, *wanted)["webhookId"])


def change(app: Flask, model: Any, **values: Any) -> None:
    with app.app_context(), writing() as connection:
        connection.execute(update(model).values(values))


def test_a_secret_is_shown_when_a_receiver_is_made_and_never_again(pokea: Flask, stored: Stored) -> None:
    done = run(pokea, "webhooks", "add", HOOK, "--event", "sms.*", "--event", "ping", "--format", "original")
    [row] = stored(Endpoint)
    assert done.stdout.splitlines() == [row.id, f"secret shown once: {row.secret}"]
    assert (row.events, row.format, row.is_active) == (["sms.*", "ping"], "original", True)
    for words in (("list",), ("list", "--json"), ("show", row.id), ("show", row.id, "--json")):
        shown = run(pokea, "webhooks", *words)
        assert (shown.exit_code, HOOK in shown.stdout, row.secret in shown.output) == (0, True, False)


# A command line, its exit code, and what is said
WRONG: list[tuple[tuple[str, ...], int, str]] = [
    (("webhooks", "add", "http://127.0.0.1/", "--event", "*"), 1, "That address is private (127.0.0.1). To allow"),
    (("webhooks", "add", HOOK, "--event", "sms.incomming_message"), 1, "Did you mean sms.incoming_message?\nKnown events: sms."),
    (("webhooks", "add", HOOK), 2, "--event"), (("webhooks", "show", "webhook_1"), 1, "No webhook 'webhook_1'"),
    (("webhooks", "remove", "webhook_1", "--yes"), 1, "No webhook"), (("deliveries", "show", "dlv_1"), 1, "No delivery 'dlv_1'"),
    (("deliveries", "resend", "dlv_1"), 1, "No delivery"), (("deliveries", "resend"), 2, "ID…"),
    (("deliveries", "recover", "--since", "then"), 2, "--since must be a time"), (("deliveries", "list", "--endpoint", "x"), 1, "No webhook"),
    (("deliveries", "recover", "--since", "2h", "--endpoint", "x"), 1, "No webhook 'x'"), (("sign", "-"), 2, "--secret-file FILE"),
    (("sign", "-", "--secret", "whsec_!"), 2, "whsec_ and base64"), (("sign", "-", "--secret", "MDEy"), 2, "whsec_ and base64"),
    (("sign", "-", "--secret", SECRET, "--at", "then"), 2, "--at must be a time"), (("sign", "no.json", "--secret", SECRET), 2, "no.json"),
]  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_wrong_command_says_what_would_be_right(pokea: Flask) -> None:
    for words, code, said in WRONG:
        done = run(pokea, *words)
        assert (done.exit_code, done.stdout, said in done.stderr) == (code, "", True), (words, done.output)


def test_a_receiver_is_tried_rotated_turned_off_and_on_and_removed(pokea: Flask, stored: Stored) -> None:
    webhook = add(pokea, "*")
    [first] = stored(Endpoint)
    sent = as_json(pokea, "webhooks", "test", webhook)
    assert [row.id for row in stored(Delivery)] == [sent["deliveryId"]]
    rotated = run(pokea, "webhooks", "rotate", webhook)
    [row] = stored(Endpoint)
    assert rotated.stdout == f"secret shown once: {row.secret}\n"
    assert row.previous_secret == first.secret != row.secret
    assert "off (1 waiting)" in run(pokea, "webhooks", "disable", webhook).stdout + run(pokea, "webhooks", "list").stdout
    refused = run(pokea, "webhooks", "test", webhook)
    assert (refused.exit_code, "This endpoint is off" in refused.stderr) == (1, True)
    assert as_json(pokea, "webhooks", "enable", webhook)["active"] is True
    asked = run(pokea, "webhooks", "remove", webhook, input="n\n")
    assert (asked.exit_code, "1 waiting" in asked.stderr, len(stored(Endpoint))) == (1, True, 1)
    assert run(pokea, "webhooks", "remove", webhook, input="y\n").exit_code == 0
    assert stored(Endpoint) == stored(Delivery) == []


def test_a_failing_receiver_is_listed_as_one(pokea: Flask) -> None:
    webhook = add(pokea, "*")
    run(pokea, "webhooks", "test", webhook)
    change(pokea, Endpoint, failing_since=datetime(2026, 3, 4, 11, 20, tzinfo=UTC), failures=2)
    assert "failing since 11:20Z (1 waiting)" in run(pokea, "webhooks", "list").stdout
    change(pokea, Endpoint, url=f"{HOOK}?token=geheim")
    assert f"{HOOK}?token=****  *" in run(pokea, "webhooks", "list").stdout
    assert as_json(pokea, "webhooks", "list")[0]["url"] == f"{HOOK}?token=****"
    assert as_json(pokea, "webhooks", "show", webhook)["url"] == f"{HOOK}?token=geheim"


def test_deliveries_are_listed_shown_and_sent_again(pokea: Flask, stored: Stored) -> None:
    webhook = add(pokea, "*")
    sent = [as_json(pokea, "webhooks", "test", webhook)["deliveryId"] for _ in range(2)]
    tried = {
        "attempts": 3,
        "attempted_at": datetime.now(UTC),
        "status": 503,
        "answer": "busy\nlater",
        "ms": 7,
        "problem": "Endpoint answered 503.",
    }
    change(pokea, Delivery, state="dead", **tried)
    listed = run(pokea, "deliveries", "list", "--endpoint", webhook, "--state", "dead").stdout.splitlines()
    assert [line.split()[-1] for line in listed] == sent[::-1]
    assert "dead      try 3  503" in listed[0]
    assert run(pokea, "deliveries", "list", "--state", "delivered").stdout == ""
    shown = run(pokea, "deliveries", "show", sent[0]).stdout
    assert "try 3" in shown
    assert "7 ms  Endpoint answered 503.\n            busy\n" in shown
    assert as_json(pokea, "deliveries", "show", sent[0])["attempts"][0]["answer"] == "busy\nlater"
    assert run(pokea, "deliveries", "resend", *sent).stdout == "queued 2 resends\n"
    assert [row.state for row in stored(Delivery)] == ["waiting", "waiting"]


def test_recover_sends_what_was_not_delivered(pokea: Flask, stored: Stored) -> None:
    webhook, other, off = add(pokea, "*"), add(pokea, "call.*"), add(pokea, "*")
    with pokea.app_context(), writing() as connection:
        for name in ("call.started", "call.failed", "message.failed"):
            events.publish(connection, name, {}, datetime.now(UTC))
        later = datetime.now(UTC) + timedelta(hours=5)
        for name, state in (("call.started", "waiting"), ("call.failed", "dead"), ("message.failed", "delivered")):
            connection.execute(update(Delivery).where(Delivery.event == name).values(state=state, due_at=later))
        connection.execute(update(Endpoint).where(Endpoint.id == off).values(is_active=False))
    recovered = run(pokea, "deliveries", "recover", "--since", "2h", "--endpoint", other)
    assert recovered.stdout.splitlines()[-1] == "queued 2 resends"
    assert run(pokea, "deliveries", "recover", "--since", "2h").stdout == "queued 4 resends\n"
    rows = [row for row in stored(Delivery) if row.due_at <= datetime.now(UTC)]
    assert sorted((row.endpoint_id, row.event, row.state) for row in rows) == sorted(
        (each, event, "waiting") for each in (webhook, other) for event in ("call.started", "call.failed")
    )
    assert run(pokea, "deliveries", "recover", "--since", "2h", "--endpoint", off).exit_code == 1
    assert run(pokea, "deliveries", "recover", "--since", "2099-01-01T00:00:00Z").stdout == "queued 0 resends\n"


def test_recover_all_also_sends_what_was_delivered_or_never_made(pokea: Flask, stored: Stored) -> None:
    first, second = add(pokea, "sms.*"), add(pokea, "voice.*", "sms.opt_out")
    run(pokea, "webhooks", "disable", second)
    post(pokea.test_client(), "sms.opt_out")
    with pokea.app_context():
        due.catch_up()
    change(pokea, Delivery, state="delivered")
    run(pokea, "webhooks", "enable", second)
    assert run(pokea, "deliveries", "recover", "--since", "2h", "--all").stdout == "queued 2 resends\n"
    assert sorted((row.endpoint_id, row.state) for row in stored(Delivery)) == sorted([(first, "waiting"), (second, "waiting")])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sign_prints_the_headers_of_a_receiver(pokea: Flask, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "body").write_bytes(b'{"a":1}\n\xff')
    at = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
    words = ("sign", str(tmp_path / "body"), "--secret-file", str(tmp_path / "secret"), "--id", "evt_1", "--at")
    headers = as_json(pokea, *words, "2026-03-04T10:30:00Z")
    assert headers["webhook-signature"] == signing.sign(SECRET, "evt_1", int(at.timestamp()), b'{"a":1}\n\xff')
    assert headers["X-Pokea-Signature"] == signing.sign_hex(SECRET, b'{"a":1}\n\xff')
    lines = run(pokea, *words, str(int(at.timestamp()))).stdout.splitlines()
    assert lines == [f"{name}: {value}" for name, value in headers.items()]
    piped = run(pokea, "sign", "-", "--secret", SECRET, "--id", "evt_1", "--at", "10m", input=b"{}").stdout
    assert f"X-Pokea-Signature: {signing.sign_hex(SECRET, b'{}')}" in piped
