"""Reactions: planned for a kept callback, run once, again after a failure, and never sending twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from flask import Flask

from app.errors import Conflict
from app.extensions import writing
from app.models import Callback, Invocation, Reaction
from app.schemas.callbacks import KINDS
from services import due
from services.reactions import reactions
from services.reactions.acting import Happened
from services.reactions.asking import NotSent
from services.reactions.keywords import Rule, on
from services.reactions.swap_answers import SwapAnswer, judged
from tests.invoking import LIVE, ONLY_SQLITE, Sending, Stored, live
from tests.samples import PATHS, post
from tests.stub_at import Handler, StubAT

MESSAGE = "sms.incoming_message"
PHONE = "+254711000017"


def with_rules(app: Flask, *rules: Rule) -> Flask:
    """Give an application other reactions than those that are shipped."""
    apps = app.extensions["pokea.apps"]
    app.extensions["pokea.apps"] = replace(apps, flows=replace(apps.flows, reactions=rules))
    return app


def react(app: Flask, now: datetime | None = None) -> int:
    """Process what was kept, and run the reactions that are due."""
    with app.app_context():
        due.catch_up()
        return reactions.run_due(100, now or datetime.now(UTC))


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def thank(happened: Happened) -> None:
    happened.send_sms("Thank you")


def test_a_reaction_gets_the_callback_and_its_order_is_told(sending: Sending, at: StubAT, stored: Stored) -> None:
    got: list[Happened] = []

    def confirm(message: Happened) -> None:
        got.append(message)
        message.send_sms("Thank you")

    app = with_rules(sending(), on(MESSAGE, confirm, keyword="YES-*"))
    fields = KINDS[MESSAGE].sample | {"text": "yes-1042 please", "from": "254711000017"}
    post(app.test_client(), MESSAGE, fields)
    assert react(app) == 1
    [callback], [reaction], [invocation] = stored(Callback), stored(Reaction), stored(Invocation)
    [happened] = got
    assert (happened.id, happened.kind, happened.phone, happened.match, happened.text) == (
        callback.id,
        MESSAGE,
        PHONE,
        "1042",
        "yes-1042 please",
    )
    assert (happened.fields, happened.data["link_id"], happened.is_proven) == (fields, fields["linkId"], False)
    assert (reaction.state, reaction.name, reaction.tries, reaction.last_error, reaction.leased_until) == ("done", "confirm", 1, None, None)
    assert [(did["invocation"], did["kind"], did["state"]) for did in reaction.did] == [(invocation.id, "sms.bulk", "accepted")]
    assert (invocation.idempotency_key, invocation.reference, invocation.asked_by) == (
        f"{callback.id}.confirm.1",
        callback.id,
        "reaction confirm",
    )
    assert react(app, later(300)) == 0
    assert [seen.fields["to"] for seen in at.calls()] == [PHONE]


def everything(happened: Happened) -> None:
    happened.reply("A")
    happened.call()
    happened.send_airtime(Decimal("1E+2"), "KES")
    happened.checkout(10, "KES", "duka", {"order": "1042"})
    happened.check_sim_swap()
    happened.send_sms("B", phone="+254711000001,+254711000002", sender_id="MyBrand")


@ONLY_SQLITE
def test_each_order_goes_out_once_however_often_the_reaction_runs(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = with_rules(sending(), on(MESSAGE, everything, name="x" * 90))
    post(app.test_client(), MESSAGE)
    react(app)
    [reaction] = stored(Reaction)
    assert (reaction.state, reaction.last_error) == ("done", None)
    kinds = ["sms.premium", "voice.call", "airtime.send", "payments.checkout", "sim_swap.check", "sms.bulk"]
    assert [(did["kind"], did["state"]) for did in reaction.did] == [(kind, "accepted") for kind in kinds]
    with app.app_context():
        reactions.again(reaction.id)
        reactions.run_one(reaction.id)
    assert stored(Reaction)[0].did == reaction.did
    assert len(at.calls()) == len(kinds)
    assert {invocation.attempts for invocation in stored(Invocation)} == {1}
    assert all(8 <= len(invocation.idempotency_key) <= 100 for invocation in stored(Invocation))


def test_one_whose_process_is_killed_runs_again_and_sends_nothing_twice(sending: Sending, at: StubAT, stored: Stored) -> None:
    kills = [1, 1]

    def killed(happened: Happened) -> None:
        happened.send_sms("Thank you")
        if kills and kills.pop():
            raise KeyboardInterrupt

    app = with_rules(sending(), on(MESSAGE, killed))
    post(app.test_client(), MESSAGE)
    for seconds in (1, 60, 122, 244):
        with suppress(KeyboardInterrupt):
            react(app, later(seconds))
    [reaction] = stored(Reaction)
    assert (reaction.state, reaction.tries, kills, len(at.calls())) == ("done", 3, [], 1)


def test_one_that_always_ends_its_process_is_dead_in_the_end(sending: Sending, stored: Stored) -> None:
    def killed(_happened: Happened) -> None:
        raise KeyboardInterrupt

    app = with_rules(sending(), on(MESSAGE, killed))
    post(app.test_client(), MESSAGE)
    for turn in range(6):
        with suppress(KeyboardInterrupt):
            react(app, later(1 + 121 * turn))
    [reaction] = stored(Reaction)
    assert (reaction.state, reaction.last_error) == ("dead", "Its process ended while it ran, 5 times.")


def test_eight_at_once_run_it_once(sending: Sending, at: StubAT, stored: Stored) -> None:
    ran: list[str] = []

    def count(happened: Happened) -> None:
        ran.append(happened.id)
        happened.send_sms("Thank you")

    app = with_rules(sending(), on(MESSAGE, count))
    post(app.test_client(), MESSAGE)
    with app.app_context():
        due.catch_up()
    [reaction] = stored(Reaction)

    def one(_number: int) -> list[str]:
        with app.app_context():
            claimed = reactions.claim(5, datetime.now(UTC))
            reactions.run_one(reaction.id)
            return claimed

    with ThreadPoolExecutor(8) as threads:
        claimed = [ids for ids in threads.map(one, range(8)) if ids]
    assert (len(ran), len(at.calls()), stored(Reaction)[0].state) == (1, 1, "done")
    assert claimed in ([], [[reaction.id]])


def test_a_failing_one_backs_off_shows_its_traceback_and_can_be_run_again(sending: Sending, at: StubAT, stored: Stored) -> None:
    wrong = [True]

    def read_age(message: Happened) -> None:
        message.send_sms("One moment")
        if wrong:
            raise ValueError(f"{message.phone} typed token=abc123, not an age\0")

    app = with_rules(sending(), on(MESSAGE, read_age))
    post(app.test_client(), MESSAGE)
    began = later(1)
    for number, pause_s in enumerate((10, 60, 600, 3600), 1):
        assert react(app, began) == 1
        [reaction] = stored(Reaction)
        assert (reaction.state, reaction.tries, reaction.due_at) == ("waiting", number, began + timedelta(seconds=pause_s))
        assert react(app, began + timedelta(seconds=pause_s - 1)) == 0
        began += timedelta(seconds=pause_s)
    assert react(app, began) == 1
    [reaction] = stored(Reaction)
    assert (reaction.state, reaction.tries) == ("dead", 5)
    assert 'in read_age\n    raise ValueError(f"' in reaction.last_error
    assert reaction.last_error.endswith("ValueError: ***017 typed token=****, not an age\ufffd")
    assert "one_reaction.py" not in reaction.last_error
    assert [did["state"] for did in reaction.did] == ["accepted"]
    wrong.clear()
    with app.app_context():
        reactions.again(reaction.id)
    assert react(app) == 1
    [reaction] = stored(Reaction)
    assert (reaction.state, reaction.tries, reaction.last_error, len(at.calls())) == ("done", 1, None, 1)


@ONLY_SQLITE
@pytest.mark.parametrize(("error", "pause_s"), [(ValueError("no"), 10), (Conflict("Wait.", retry_after_s=1), 5)], ids=["failed", "later"])
def test_one_that_ran_for_long_is_tried_again_after_a_pause(sending: Sending, stored: Stored, error: Exception, pause_s: int) -> None:
    def slow(_happened: Happened) -> None:
        clock.shift(60)
        raise error

    app = with_rules(sending(), on(MESSAGE, slow))
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        post(app.test_client(), MESSAGE)
        react(app)
        [reaction] = stored(Reaction)
        assert (reaction.state, reaction.due_at - datetime.now(UTC)) == ("waiting", timedelta(seconds=pause_s))


def test_an_order_that_is_under_way_is_no_failure(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = with_rules(sending(), on(MESSAGE, thank))
    post(app.test_client(), MESSAGE)
    react(app)
    [reaction], now = stored(Reaction), datetime.now(UTC)
    with app.app_context():
        with writing() as connection:
            connection.execute(Invocation.__table__.update().values(state="pending", called_at=now))
        reactions.again(reaction.id)
        reactions.run_one(reaction.id, now)
    [reaction] = stored(Reaction)
    assert (reaction.state, reaction.tries, reaction.due_at) == ("waiting", 0, now + timedelta(seconds=5))
    assert (reaction.last_error, len(at.calls())) == (None, 1)


def refuse(handler: Handler, _body: bytes) -> None:
    handler.reply(401, b"no", "text/plain")


def hang_up(handler: Handler, _body: bytes) -> None:
    handler.close_connection = True


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("fault", "order", "state", "last"),
    [
        (refuse, thank, "waiting", "NotSent: "),
        (refuse, lambda happened: happened.send_sms("x", insist=False), "done", None),
        (hang_up, thank, "done", None),
        (None, lambda happened: happened.send_sms("x", phone="12"), "waiting", "NotSent: 'phone' is not a phone number we understand"),
        (None, lambda happened: happened.send_sms(" "), "waiting", "NotSent: 'message' must not be empty"),
        (None, lambda happened: happened.send_airtime("-5", "KES"), "waiting", "NotSent: 'amount' must be a positive number"),
        (None, lambda happened: happened.send_airtime(5, "kes"), "waiting", "NotSent: 'currency' must be an ISO 4217 code"),
    ],
    ids=["refused", "refused but not insisted", "unknown", "phone", "empty", "amount", "currency"],
)
def test_a_refused_order_is_an_error_and_an_unknown_one_is_not(
    sending: Sending, at: StubAT, stored: Stored, fault: Any, order: Callable[[Happened], None], state: str, last: str | None
) -> None:
    app = with_rules(sending(), on(MESSAGE, order, name="order"))
    at.fault = fault
    post(app.test_client(), MESSAGE)
    react(app)
    [reaction] = stored(Reaction)
    assert reaction.state == state
    assert (last in reaction.last_error) if last else reaction.last_error is None
    assert reaction.did[0]["state"] == ("unknown" if fault is hang_up else "refused")


@pytest.mark.parametrize("which", ["refused", "differing", "repeat"])
def test_only_an_accepted_callback_has_reactions(sending: Sending, stored: Stored, which: str) -> None:
    app = with_rules(sending(), on("airtime.status", thank))
    sample = KINDS["airtime.status"].sample
    post(app.test_client(), "airtime.status", sample)
    post(app.test_client(), "airtime.status", sample | {"refused": {"status": ""}, "differing": {"value": "KES 1"}, "repeat": {}}[which])
    react(app)
    [first, *_others] = stored(Callback)
    assert [reaction.callback_id for reaction in stored(Reaction)] == [first.id]


@ONLY_SQLITE
def test_one_that_is_not_listed_here_waits_for_a_worker_that_lists_it(sending: Sending, stored: Stored) -> None:
    app = with_rules(sending(), on(MESSAGE, thank))
    post(app.test_client(), MESSAGE)
    with app.app_context():
        due.catch_up()
    react(with_rules(app))
    [reaction] = stored(Reaction)
    assert (reaction.state, "flows/ lists no reaction 'thank'." in reaction.last_error) == ("waiting", True)


@ONLY_SQLITE
@pytest.mark.parametrize("order", [thank, everything, Happened.send_airtime, Happened.opt_in], ids=["sms", "many", "airtime", "in"])
def test_live_an_unproven_callback_causes_nothing(sending: Sending, at: StubAT, stored: Stored, order: Any) -> None:
    def run(happened: Happened) -> None:
        order(happened, 10, "KES") if order is Happened.send_airtime else order(happened)

    app = with_rules(live(sending, at), on(MESSAGE, run))
    post(app.test_client(), MESSAGE, path=f"{PATHS[MESSAGE]}?token={LIVE['callback_token'][0]}")
    with app.app_context(), writing() as connection:
        connection.execute(Callback.__table__.update().values(checks={}))
    react(app)
    [reaction] = stored(Reaction)
    assert (reaction.state, "Forbidden" in reaction.last_error, at.calls()) == ("waiting", True, [])


TODAY = date(2026, 3, 4)


@pytest.mark.parametrize(
    ("state", "swapped_on", "is_safe"),
    [
        ("not_swapped", None, True), ("not_swapped", date(2026, 3, 1), False), ("swapped", None, False), ("swapped", date(2026, 3, 3), False),
        ("swapped", date(2026, 2, 25), False), ("swapped", date(2026, 2, 24), True), ("swapped", date(2026, 3, 9), False),
        ("failed", None, False), ("pending", None, False), ("unknown", None, False), ("failed", date(2020, 1, 1), False),
    ],
)  # fmt: skip
def test_a_sim_card_is_safe_only_where_that_is_known(state: str, swapped_on: date | None, is_safe: bool) -> None:
    assert judged(state, swapped_on, 7, TODAY).is_safe is is_safe


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "not answered"])
def test_check_and_wait_gives_the_answer_of_the_callback(sending: Sending, at: StubAT, stored: Stored, is_answered: bool) -> None:
    answers: list[SwapAnswer] = []
    app = sending()

    def pay_out(happened: Happened) -> None:
        ordered = happened.check_sim_swap()
        happened.orders = 0  # as one that begins anew
        if is_answered:
            fields = {"status": "Swapped", "lastSimSwapDate": "28-02-2020", "requestId": ordered.provider_id, "transactionId": "t"}
            post(app.test_client(), "sim_swap.status", fields)
        answers.append(happened.check_and_wait(timeout_s=0.3))

    with_rules(app, on(MESSAGE, pay_out))
    post(app.test_client(), MESSAGE)
    react(app)
    assert stored(Reaction)[0].last_error is None
    assert answers == [SwapAnswer("swapped", date(2020, 2, 28), True) if is_answered else SwapAnswer("pending")]
    assert len(at.calls("sim_swap.check")) == 1


def test_not_sent_says_what_would_be_right(app: Flask) -> None:
    happened = Happened("cb_x", "airtime.status", {}, {}, PHONE, datetime.now(UTC))
    with app.app_context(), pytest.raises(NotSent, match=r"Only a message can be replied to, not airtime\.status: use send_sms"):
        happened.reply("x")
