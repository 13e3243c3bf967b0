"""Who opted out, came back or subscribed: what was told last counts, whatever is folded first."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from app.extensions import writing
from app.models import Callback, OptOut, Reaction, Subscription
from services import due
from services.opt_outs import opt_in, opt_out, opted_out
from services.reactions import reactions
from tests.invoking import LIVE, ONLY_SQLITE
from tests.samples import post
from tests.services.ledger.folding import PHONE, Stored, folded, in_every_order, kept, part

OTHER = "+254711000018"
STOP = {"senderId": "MyBrand", "phoneNumber": "254711000017"}


def left(app: Flask) -> set[str]:
    """Return who of two opted out."""
    with app.app_context(), writing() as connection:
        return opted_out(connection, [PHONE, OTHER])


def change(app: Flask, function: Callable[..., None], *told: object) -> None:
    with app.app_context(), writing() as connection:
        function(connection, PHONE, *told)


@pytest.mark.parametrize("is_worked_off", [True, False])
def test_an_opt_out_holds_before_and_after_the_worker_saw_it(app: Flask, is_worked_off: bool) -> None:
    post(app.test_client(), "sms.opt_out", STOP)
    if is_worked_off:
        with app.app_context():
            due.catch_up()
    assert left(app) == {PHONE}


@pytest.mark.parametrize("is_worked_off", [True, False])
def test_who_came_back_by_hand_is_written_to_until_the_next_stop(app: Flask, is_worked_off: bool, stored: Stored) -> None:
    client = app.test_client()
    post(client, "sms.opt_out", STOP)
    if is_worked_off:
        with app.app_context():
            due.catch_up()
    change(app, opt_in, "Amina", datetime.now(UTC) + timedelta(milliseconds=2))
    assert left(app) == set()
    with app.app_context():
        due.catch_up()
    assert left(app) == set()
    assert {row.state for row in stored(OptOut)} == {"in"}
    change(app, opt_out, "", "keyword", datetime.now(UTC) + timedelta(seconds=1))
    assert left(app) == {PHONE}


def test_a_stop_that_is_newer_than_the_return_holds(app: Flask) -> None:
    change(app, opt_in, "Amina", datetime.now(UTC) - timedelta(seconds=5))
    post(app.test_client(), "sms.opt_out", STOP)
    assert left(app) == {PHONE}
    with app.app_context():
        due.catch_up()
    assert left(app) == {PHONE}


def test_an_older_callback_changes_nothing_that_a_newer_one_told(app: Flask, stored: Stored) -> None:
    now = datetime.now(UTC)
    change(app, opt_in, "keyword", now, "cb_2")
    change(app, opt_out, "MyBrand", "callback", now, "cb_1")
    assert left(app) == set()
    change(app, opt_out, "MyBrand", "callback", now, "cb_3")
    change(app, opt_in, "keyword", now, "cb_2")
    assert left(app) == {PHONE}
    assert {(row.sender, row.state, row.callback_id) for row in stored(OptOut)} == {("", "in", "cb_2"), ("MyBrand", "out", "cb_3")}


def test_opt_outs_of_several_senders_end_alike_in_every_order(app: Flask) -> None:
    steps = [kept(app, "sms.opt_out", STOP), kept(app, "sms.opt_out", STOP | {"senderId": "12345"}), kept(app, "sms.opt_out", STOP)]
    rows, _ = in_every_order(app, steps[:2], OptOut)
    assert len(rows) == 2
    rows, _ = folded(app, steps, OptOut)
    assert {part(row, "phone", "sender", "state", "by") for row in rows} == {
        (PHONE, "MyBrand", "out", "callback"),
        (PHONE, "12345", "out", "callback"),
    }


def said(app: Flask, text: str, phone: str = PHONE, number: int = 0) -> None:
    """Have a person send a message."""
    fields = {"id": f"m{number or text}", "from": phone, "to": "12345", "date": "2026-03-04 10:30:00", "text": text}
    assert post(app.test_client(), "sms.incoming_message", fields).status_code == 200


def work_off(app: Flask) -> None:
    """Have the worker do what waits."""
    with app.app_context():
        due.catch_up()
        reactions.run_due(100, datetime.now(UTC))


@pytest.mark.parametrize("phone", [PHONE, PHONE.removeprefix("+")])
def test_who_opts_out_comes_back_and_opts_out_again_within_minutes_is_out(app: Flask, phone: str, stored: Stored) -> None:
    told = {"senderId": "MyBrand", "phoneNumber": PHONE}
    for is_again in (False, True):
        post(app.test_client(), "sms.opt_out", told)
        post(app.test_client(), "sms.opt_out", told)
        work_off(app)
        assert left(app) == {PHONE}
        if not is_again:
            said(app, "START", phone)
            said(app, "YES-1", OTHER)
            work_off(app)
            assert left(app) == set()
    assert [row.repeats for row in stored(Callback) if row.kind == "sms.opt_out"] == [1, 1]


@ONLY_SQLITE
def test_who_was_brought_back_by_hand_and_opts_out_again_is_out(app: Flask) -> None:
    for is_again in (False, True):
        post(app.test_client(), "sms.opt_out", STOP)
        assert left(app) == {PHONE}
        if not is_again:
            change(app, opt_in, "Amina", datetime.now(UTC))


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("texts", "is_out"),
    [(["STOP"], True), (["“Stop!” please"], True), (["please STOP"], False), (["STOPPED"], False), (["STOP", "START"], False),
        (["START", "STOP"], True), (["STOP", "YES-1"], True)],
)  # fmt: skip
def test_a_word_counts_before_the_worker_sees_it(make_app: Callable[..., Flask], texts: list[str], is_out: bool) -> None:
    app = make_app(twoway_auto_reply=False)
    for number, text in enumerate(texts):
        said(app, text, PHONE.removeprefix("+"), number + 1)
    assert left(app) == ({PHONE} if is_out else set())
    # What follows from the message is known now, its reaction has not run.
    with app.app_context():
        due.catch_up()
    assert left(app) >= ({PHONE} if is_out else set())
    work_off(app)
    assert left(app) == ({PHONE} if is_out else set())


@ONLY_SQLITE
def test_a_reaction_may_answer_who_said_stop_while_it_runs(app: Flask) -> None:
    said(app, "STOP")
    with app.app_context():
        due.catch_up()
    now = datetime.now(UTC)
    for values, is_out in (({"leased_until": now + timedelta(seconds=60)}, False), ({"leased_until": now}, True),
                           ({"leased_until": None, "state": "dead"}, True), ({"state": "done"}, False)):  # fmt: skip
        with app.app_context(), writing() as connection:
            connection.execute(update(Reaction).values(values))
        assert left(app) == ({PHONE} if is_out else set())


@ONLY_SQLITE
def test_live_a_start_that_anybody_may_have_posted_undoes_nothing(make_app: Callable[..., Flask]) -> None:
    app = make_app(**LIVE, callback_checks="warn", ratelimit_enabled=False)
    said(app, "STOP")
    said(app, "START")
    assert left(app) == {PHONE}


SPELLINGS = ["0711000017", "+254 711 000 017", "tel:+254711000017", "(0711) 000-017", "254711000017"]


@ONLY_SQLITE
@pytest.mark.parametrize("kind", ["sms.opt_out", "sms.incoming_message"])
def test_a_number_is_known_in_every_spelling(make_app: Callable[..., Flask], kind: str, stored: Stored) -> None:
    app = make_app(default_country="KE")
    for number, spelled in enumerate(SPELLINGS):
        if kind == "sms.opt_out":
            post(app.test_client(), kind, {"senderId": "MyBrand", "phoneNumber": spelled})
        else:
            said(app, "STOP", spelled, number + 1)
        assert left(app) == {PHONE}, spelled
        work_off(app)
        assert left(app) == {PHONE}, spelled
        said(app, "START", spelled, number + 100)
        work_off(app)
        assert left(app) == set(), spelled
    assert {row.phone for row in stored(OptOut)} == {PHONE}


@ONLY_SQLITE
def test_what_is_no_number_stays_as_it_was_sent(app: Flask, stored: Stored) -> None:
    for phone in ("+254711XXXYYY", "0711000017"):
        post(app.test_client(), "sms.opt_out", {"senderId": "MyBrand", "phoneNumber": phone})
    work_off(app)
    assert {row.phone for row in stored(OptOut)} == {"+254711XXXYYY", "+0711000017"}


@pytest.mark.parametrize(
    ("words", "state"),
    [(["addition", "Deletion", "Addition"], "addition"), (["addition", "DELETION"], "deletion"), (["addition", "Paused"], "Paused")],
)
def test_the_last_word_on_a_subscription_counts_in_every_order(app: Flask, words: list[str], state: str) -> None:
    fields = {"phoneNumber": PHONE, "shortCode": "12345", "keyword": "NEWS"}
    steps = [kept(app, "sms.subscription", fields | {"updateType": word}) for word in words]
    other = kept(app, "sms.subscription", {"phoneNumber": PHONE, "shortCode": "12345", "updateType": "deletion"})
    rows, _ = in_every_order(app, [*steps, other], Subscription)
    assert {part(row, "phone", "short_code", "keyword", "state") for row in rows} == {
        (PHONE, "12345", "NEWS", state),
        (PHONE, "12345", "", "deletion"),
    }
