"""The switch that stops all sending: obeyed by every process with its next order, and undone as simply."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.errors import NotReady
from app.extensions import db
from app.models import Campaign, Invocation, Reaction
from services import campaigns, due, sms, spend_switch
from services.invocations import Order
from services.reactions import reactions
from services.reactions.acting import Happened
from services.reactions.keywords import on
from tests import stub_at
from tests.invoking import KINDS, LIVE, ONLY_SQLITE, TOKEN, URLS, Sending, Stored, live
from tests.routes.test_send_commands import run
from tests.samples import post
from tests.services.test_reactions import MESSAGE, react, with_rules
from tests.services.test_reactions import PHONE as SENDER
from tests.stub_at import StubAT

NOW = datetime(2027, 3, 4, 9, 0, tzinfo=UTC)


def stop(app: Flask, by: str = "Amina") -> None:
    with app.app_context():
        spend_switch.stop(by)


def allow(app: Flask) -> None:
    with app.app_context():
        spend_switch.allow("Amina")


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_sent_by_any_process_until_it_is_allowed(sending: Sending, at: StubAT, stored: Stored, kind: str) -> None:
    one, other = sending(), sending()
    stop(one)
    for app in (one, other):
        answer = app.test_client().get(URLS[kind])
        assert answer.status_code == 503
        assert answer.get_json()["error"].startswith("Sending is stopped since ")
        assert answer.get_json()["error"].endswith(
            " UTC by Amina: nothing was sent. Allow it on the dashboard (Money) or with flask spend allow."
        )
        preview = app.test_client().get(URLS[kind] + "&preview=1")
        assert "Sending is stopped" in preview.get_json()["preview"]["refused"]
    assert (at.calls(), stored(Invocation)) == ([], [])
    allow(other)
    assert [app.test_client().get(URLS[kind]).status_code for app in (one, other)] == [200, 200]


def test_callbacks_go_on_and_what_is_known_is_told(sending: Sending, at: StubAT) -> None:
    client = sending().test_client()
    keyed = URLS["airtime.send"] + "&idempotencyKey=order-1042"
    client.get(keyed)
    stop(client.application)
    assert post(client, "sms.delivery_report").status_code == 200
    assert (client.get(keyed).get_json()["repeated"], len(at.calls())) == (True, 1)


def test_a_campaign_pauses_and_goes_on_when_it_is_resumed(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()
    stop(app)
    with app.app_context():
        asked = campaigns.read_asked({"name": "News", "channel": "sms", "message": "Hi", "rate": 1000})
        campaign = campaigns.create(asked, campaigns.from_list(["+254711000001", "+254711000002"]))
        assert "Sending is stopped" in campaigns.one(campaign)["preview"]["refused"]
        campaigns.start(campaign)
        campaigns.run_due(NOW)
        assert (stored(Campaign)[0].state, at.calls()) == ("paused", [])
        assert "Sending is stopped since" in stored(Campaign)[0].paused_because
        allow(app)
        campaigns.resume(campaign)
        campaigns.run_due(NOW + timedelta(hours=1))
        assert campaigns.one(campaign)["totals"]["accepted"] == 2


def test_a_reaction_is_refused_and_sends_once_when_it_is_tried_again(sending: Sending, at: StubAT, stored: Stored) -> None:
    def thank(happened: Happened) -> None:
        happened.reply("Thank you")

    app = with_rules(sending(), on(MESSAGE, thank))
    stop(app)
    post(app.test_client(), MESSAGE, {"from": SENDER, "to": "12345", "text": "Hello", "id": "m1", "date": "2026-03-04 10:30:00"})
    react(app)
    waits = stored(Reaction)[0]
    assert (waits.state, "Sending is stopped" in waits.last_error, at.calls()) == ("waiting", True, [])
    allow(app)
    with app.app_context():
        due.catch_up()
        for _ in range(2):
            reactions.run_due(100, datetime.now(UTC) + timedelta(minutes=5))
    assert (stored(Reaction)[0].state, len(at.calls())) == ("done", 1)


def test_after_it_stopped_no_order_begins_however_many_ask(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()

    def ask(number: int) -> str:
        with app.app_context():
            try:
                if number == 6:
                    spend_switch.stop("Amina")
                    return "stopped"
                details = {"message": "x", "sender_id": None, "enqueue": False}
                return sms.send_bulk(Order("sms.bulk", [f"+2547110000{number:02}"], details)).invocation.state
            except NotReady:
                return "refused"

    with ThreadPoolExecutor(4) as threads:
        ended = list(threads.map(ask, range(16)))
    with app.app_context(), db.engine.connect() as connection:
        since = spend_switch.read_switch(connection).since  # type: ignore[union-attr]
    begun = [row.called_at for row in stored(Invocation)]
    assert ended.count("accepted") == len(begun)
    assert ended.count("refused") == 15 - len(begun)
    assert all(called_at < since + timedelta(seconds=1) for called_at in begun)
    assert ended[-1] == "refused"


@ONLY_SQLITE
def test_who_stopped_first_stays_named_and_so_does_who_allowed(sending: Sending) -> None:
    app = sending()
    with app.app_context():
        with db.engine.connect() as connection:
            assert spend_switch.read_switch(connection) is None
        first = spend_switch.stop("Amina", NOW)
        assert spend_switch.stop("Brian", NOW + timedelta(hours=1)) == first
        assert first.said() == "Sending is stopped since 2027-03-04 09:00:00 UTC by Amina."
        assert spend_switch.allow("   ", NOW).said() == "Sending is allowed since 2027-03-04 09:00:00 UTC by somebody."
        assert len(spend_switch.stop("x" * 500).by) == 100


@ONLY_SQLITE
def test_the_setting_wins(sending: Sending, at: StubAT) -> None:
    app = sending(spend_enabled=False)
    allow(app)
    assert "SPEND_ENABLED=0" in app.test_client().get(URLS["sms.bulk"]).get_json()["error"]
    done = run(app, "spend", "allow")
    assert "only that setting" in done.stderr


@ONLY_SQLITE
def test_commands_stop_allow_and_tell(sending: Sending, at: StubAT) -> None:
    app = sending(sends_per_day=3, spend_cap_number=100)
    client: FlaskClient = app.test_client()
    client.get(URLS["airtime.send"])
    assert run(app, "spend", "status").stdout.splitlines() == [
        "Sending is allowed.",
        "SPEND_CAP_DAILY    not set",
        "SPEND_CAP_ORDER    not set",
        "SPEND_CAP_NUMBER   10.00 of 100 KES by +254711000000",
        "SENDS_PER_DAY      1 of 3",
        "AIRTIME_DAILY_CAP  not set",
    ]
    assert run(app, "spend", "stop").stdout.startswith("Sending is stopped since ")
    assert client.get(URLS["sms.bulk"]).status_code == 503
    told = json.loads(run(app, "spend", "status", "--json").stdout)
    assert (told["is_allowed"], told["switch"]["is_stopped"]) == (False, True)
    assert run(app, "spend", "allow", "--json").exit_code == 0
    assert client.get(URLS["sms.bulk"]).status_code == 200
    assert "***000" in run(sending(privacy=True, spend_cap_number=100), "spend", "status").stdout


@ONLY_SQLITE
def test_live_the_command_asks_before_it_allows(sending: Sending, at: StubAT) -> None:
    app = live(sending, at)
    run(app, "spend", "stop")
    refused = run(app, "spend", "allow", typed="n\n")
    assert (refused.exit_code, f"LIVE account '{LIVE['at_username']}'" in refused.stderr) == (1, True)
    assert app.test_client().get(URLS["sms.bulk"], headers=TOKEN).status_code == 503
    assert run(app, "spend", "allow", "--yes").exit_code == 0
    assert app.test_client().get(URLS["sms.bulk"], headers=TOKEN).status_code == 200


@ONLY_SQLITE
def test_an_order_under_way_ends_as_it_will(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()

    def stop_meanwhile(handler: stub_at.Handler, body: bytes) -> None:
        stop(app)
        handler.reply(201, body)

    at.fault = stop_meanwhile
    assert app.test_client().get(URLS["sms.bulk"]).status_code == 200
    assert [row.state for row in stored(Invocation)] == ["accepted"]
