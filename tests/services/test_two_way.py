"""The answer that goes back to a message by itself, and its guards."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.extensions import writing
from app.models import Callback, Invocation, OptOut, Reaction
from app.schemas.callbacks import KINDS
from services import due, opt_outs
from services.reactions import reactions, two_way
from tests.invoking import LIVE, ONLY_SQLITE, Sending, Stored, live
from tests.samples import PATHS, post
from tests.stub_at import StubAT

MESSAGE = "sms.incoming_message"
PHONE = "+254711000017"
PROVEN = f"{PATHS[MESSAGE]}?token={LIVE['callback_token'][0]}"


def says(app: Flask, number: int = 0, path: str | None = None, **fields: Any) -> None:
    """Post a message."""
    post(app.test_client(), MESSAGE, KINDS[MESSAGE].sample | {"id": f"message-{number}"} | fields, path)


def react(app: Flask) -> None:
    with app.app_context():
        due.catch_up()
        reactions.run_due(100, datetime.now(UTC))


def skipped(stored: Stored) -> list[str]:
    return [did["reason"] for reaction in stored(Reaction) for did in reaction.did or [] if did["state"] == "skipped"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Habari “yako”? 😀\nWatu", 'This is a response to: "Habari “yako”? 😀\nWatu"'), ("", 'This is a response to: ""'),
        ("a\tb\u2028c\x01d", 'This is a response to: "a b c?d"'), ("help", "Send STOP to get no more messages from us, START to get them again."),
    ],
)  # fmt: skip
@ONLY_SQLITE
def test_a_message_is_answered_from_the_code_that_it_came_to(sending: Sending, at: StubAT, stored: Stored, text: str, said: str) -> None:
    app = sending()
    says(app, text=text, to="54321", linkId="L1")
    react(app)
    assert [did["state"] for reaction in stored(Reaction) for did in reaction.did] == ["accepted"]
    [seen] = at.calls()
    assert {name: seen.fields[name] for name in ("to", "from", "message", "linkId")} == {
        "to": PHONE, "from": "54321", "message": said, "linkId": "L1",
    }  # fmt: skip


@ONLY_SQLITE
def test_a_message_without_a_link_id_is_answered_without_one(sending: Sending, at: StubAT) -> None:
    app = sending()
    says(app, linkId="")
    react(app)
    assert ["linkId" in seen.fields for seen in at.calls()] == [False]


@ONLY_SQLITE
def test_a_sample_is_answered_without_its_link_id_which_is_invented(sending: Sending, at: StubAT) -> None:
    app = sending()
    post(app.test_client(), MESSAGE)
    react(app)
    assert [(seen.fields["from"], "linkId" in seen.fields) for seen in at.calls()] == [("12345", False)]


OFF, NO_NUMBER, OWN = "TWOWAY_AUTO_REPLY is off", "the sender is not a phone number", "the sender is a number or code of our own"


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("settings", "fields", "reason"),
    [
        ({"twoway_auto_reply": False}, {}, OFF),
        ({"at_mode": "sandbox", "at_username": "sandbox", "at_api_key": "key-of-ours"}, {}, OFF),
        ({}, {"from": "MyBank"}, NO_NUMBER),
        ({}, {"from": "22384"}, NO_NUMBER),
        ({}, {"from": "+254711XXXYYY"}, NO_NUMBER),
        ({}, {"from": "0711000017"}, NO_NUMBER),
        ({}, {"from": "12345"}, NO_NUMBER),
        ({}, {"from": "+254711082000"}, OWN),
        ({}, {"from": "254711082000"}, OWN),
        ({"default_country": "KE"}, {"from": "0711082000"}, OWN),
        ({}, {"from": PHONE, "to": "254711000017"}, OWN),
        ({"at_shortcode": "254711000017"}, {"from": PHONE}, OWN),
        ({"at_sender_id": "+254711000017"}, {"from": PHONE}, OWN),
        ({"at_ussd_code": "+254711000017"}, {"from": PHONE}, OWN),
    ],
)
def test_each_guard_keeps_the_answer_back(
    sending: Sending, at: StubAT, stored: Stored, settings: dict[str, Any], fields: dict[str, Any], reason: str
) -> None:
    app = sending(**settings)
    says(app, 1, text="Hello", **fields)
    says(app, 2, text="HELP", **fields)
    react(app)
    assert ([reaction.state for reaction in stored(Reaction)], skipped(stored), at.calls()) == (["done"] * 2, [reason] * 2, [])


@ONLY_SQLITE
def test_who_opted_out_gets_no_answer(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()
    post(app.test_client(), "sms.opt_out", KINDS["sms.opt_out"].sample | {"phoneNumber": PHONE})
    says(app)
    react(app)
    assert (skipped(stored), at.calls()) == (["this person opted out"], [])


@ONLY_SQLITE
def test_stop_and_start_are_heard_and_answered_by_nothing(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()

    def is_out() -> bool:
        react(app)
        with app.app_context(), writing() as connection:
            return opt_outs.opted_out(connection, [PHONE]) == {PHONE}

    says(app, 1, text="Stop.")
    assert is_out()
    assert [(row.phone, row.sender, row.state, row.by) for row in stored(OptOut)] == [(PHONE, "", "out", "keyword")]
    says(app, 2, text="start")
    assert not is_out()
    assert ([reaction.name for reaction in stored(Reaction)], at.calls()) == (["stop", "start"], [])


@ONLY_SQLITE
def test_live_only_a_proven_message_is_answered(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = live(sending, at, twoway_auto_reply=True)
    for number in range(50):
        says(app, number, path=PATHS[MESSAGE] + ("?token=wrong" if number % 2 else ""))
    says(app, 50, path=PROVEN)
    with app.app_context(), writing() as connection:
        connection.execute(Callback.__table__.update().values(checks={"address": True}))
    react(app)
    assert (len(stored(Callback)), skipped(stored), at.calls()) == (1, ["the callback is not proven"], [])
    says(app, 51, path=PROVEN)
    react(app)
    assert len(at.calls()) == 1


@ONLY_SQLITE
def test_live_nothing_is_answered_unless_that_is_asked_for(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = live(sending, at)
    says(app, path=PROVEN)
    react(app)
    assert (skipped(stored), at.calls()) == ([OFF], [])


def answered_at(app: Flask, times: list[datetime]) -> None:
    """Move the orders that were made to other times."""
    with app.app_context(), writing() as connection:
        ids = connection.scalars(Invocation.__table__.select().with_only_columns(Invocation.id).order_by(Invocation.id)).all()
        for order, moment in zip(ids, times, strict=True):
            connection.execute(Invocation.__table__.update().where(Invocation.id == order).values(called_at=moment))


@ONLY_SQLITE
def test_three_a_minute_and_twenty_a_day_are_the_most(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()
    now = datetime.now(UTC)
    for number in range(5):
        says(app, number, text="HELP" if number % 2 else "Hello")
    says(app, 5, **{"from": "+254711000018"})
    react(app)
    assert ([seen.fields["to"] for seen in at.calls()].count(PHONE), len(at.calls())) == (3, 4)
    assert skipped(stored) == [two_way.TOO_MANY] * 2
    for batch in range(1, 8):
        hours_ago = [now - timedelta(hours=1)] * len(stored(Invocation))
        answered_at(app, hours_ago)
        for number in range(3):
            says(app, 10 * batch + number)
        react(app)
    assert [seen.fields["to"] for seen in at.calls()].count(PHONE) == 20
    answered_at(app, [now - timedelta(hours=25)] * 21)
    says(app, 100)
    react(app)
    assert [seen.fields["to"] for seen in at.calls()].count(PHONE) == 21


def test_many_at_once_do_not_pass_together(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()
    for number in range(12):
        says(app, number)
    with app.app_context():
        due.catch_up()
    ids = [reaction.id for reaction in stored(Reaction)]

    def one(reaction_id: str) -> None:
        with app.app_context():
            reactions.run_one(reaction_id)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(one, ids))
    assert (len(at.calls()), len(skipped(stored))) == (3, 9)


def test_an_answer_that_was_sent_counts_once_when_its_reaction_runs_again(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()
    for number in range(4):
        says(app, number)
    react(app)
    with app.app_context():
        for reaction in stored(Reaction):
            reactions.again(reaction.id)
    react(app)
    assert (len(at.calls()), len(skipped(stored))) == (3, 1)
