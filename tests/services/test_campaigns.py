"""Campaigns: who is called upon, when, and how they pause and end; whatever happens, nobody twice."""

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, update
from sqlalchemy.pool import NullPool

from app.errors import Conflict, GatewayError, Invalid
from app.models import Campaign, CampaignBatch, CampaignRecipient, Event, Invocation
from services import campaigns
from services.campaigns.quiet import quiet_until, read_quiet_hours
from services.campaigns.texts import columns_of, filled
from services.upkeep.processes import own_name
from tests import stub_at
from tests.invoking import ONLY_SQLITE
from tests.samples import post
from tests.stub_at import StubAT

Stored = Callable[[type], list[Any]]
Sending = Callable[..., Flask]
NOW = datetime(2027, 3, 4, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PHONES = [f"+2547110000{number:02}" for number in range(4)]
NAMED = [{"phone": phone, "name": f"N{place}"} for place, phone in enumerate(PHONES)]
UNAUTHORIZED = stub_at.status(401, b"The supplied authentication is invalid")
NO_MONEY = {"SMSMessageData": {"Message": "InsufficientBalance", "Recipients": []}}


@pytest.fixture
def pokea(sending: Sending) -> Flask:
    return sending()


def made(recipients: list[Any] | None = None, start: bool = True, **asked: Any) -> str:
    """Make a campaign, started, and return its id. Each recipient of the usual one is a batch."""
    wanted = {"name": "News", "channel": "sms", "message": "Hi {name}", "rate": 1000, **asked}
    campaign_id = campaigns.create(campaigns.read_asked(wanted), campaigns.from_list(recipients or NAMED))
    if start:
        campaigns.start(campaign_id)
    return campaign_id


def counts(campaign_id: str) -> dict[str, int]:
    return {state: count for state, count in campaigns.one(campaign_id)["totals"].items() if count and state != "total"}


def state(campaign_id: str) -> str:
    return campaigns.one(campaign_id)["state"]


def run(times: int = 1, now: datetime = NOW) -> int:
    """Let the worker look so many times, a minute apart; return the batches that went."""
    return sum(campaigns.run_due(now + timedelta(minutes=number)) for number in range(times))


def called(at: StubAT, kind: str = "sms.bulk") -> Counter[str]:
    return Counter(phone for seen in at.calls(kind) for phone in seen.fields["to"].split(","))


def told(stored: Stored) -> list[tuple[str, str | None]]:
    return [(event.name, event.data.get("reason")) for event in stored(Event)]


def test_everybody_gets_their_own_text_once(pokea: Flask, at: StubAT, stored: Stored) -> None:
    with pokea.app_context():
        campaign = made()
        assert (run(6), state(campaign), counts(campaign)) == (4, "finished", {"accepted": 4})
        assert run(2, NOW + HOUR) == 0
    assert {seen.fields["to"]: seen.fields["message"] for seen in at.seen} == {line["phone"]: f"Hi {line['name']}" for line in NAMED}
    assert told(stored) == [("campaign.started", None), ("campaign.finished", None)]
    assert stored(Event)[1].data == {"campaignId": campaign, "name": "News", "accepted": 4, "refused": 0, "unknown": 0, "total": 4}
    assert {(row.asked_by, row.reference) for row in stored(Invocation)} == {(f"campaign {campaign}", campaign)}


def test_equal_texts_go_together_by_country(pokea: Flask, at: StubAT, stored: Stored) -> None:
    kenyans = [f"+254711000{number:03}" for number in range(150)]
    with pokea.app_context():
        campaign = made([*kenyans, "+256711000001"], message="Hello")
        assert (run(5), counts(campaign)) == (3, {"accepted": 151})
    assert [len(seen.fields["to"].split(",")) for seen in at.seen] == [100, 50, 1]
    assert [(row.number, row.country) for row in sorted(stored(CampaignBatch), key=lambda row: row.number)] == [
        (1, "KE"),
        (2, "KE"),
        (3, "UG"),
    ]


def test_the_pace_is_kept(pokea: Flask, at: StubAT) -> None:
    with pokea.app_context():
        made(rate=0.1)
        went = [campaigns.run_due(NOW + timedelta(seconds=second)) for second in (0, 5, 9, 10, 15, 20, 30, 40)]
    assert went == [1, 0, 1, 0, 0, 1, 1, 0]


def test_it_waits_for_its_time(pokea: Flask, at: StubAT) -> None:
    with pokea.app_context():
        campaign = made(send_at="2027-03-04T10:00:00Z")
        assert (run(), state(campaign), campaigns.one(campaign)["started_at"]) == (0, "running", None)
        assert run(4, NOW + HOUR) == 4


def test_quiet_hours_hold_one_country_and_not_the_other(pokea: Flask, at: StubAT) -> None:
    with pokea.app_context():
        # 21:30 in Nairobi, 18:30 in Accra
        late = NOW.replace(hour=18, minute=30)
        campaign = made(["+254711000001", "+233241000001", "+254711000002"], message="Hello", quiet_hours="20:00-08:00")
        assert (run(3, late), called(at)) == (1, Counter(["+233241000001"]))
        assert campaigns.one(campaign, late)["quiet"] == {"KE": "2027-03-05T05:00:00+00:00"}
        assert [batch["due_at"] for batch in campaigns.batches(campaign, "waiting")[0]] == ["2027-03-05T05:00:00+00:00"]
        assert run(1, datetime(2027, 3, 5, 4, 59, tzinfo=UTC)) == 0
        assert (run(1, datetime(2027, 3, 5, 5, tzinfo=UTC)), state(campaign)) == (1, "finished")


@pytest.mark.parametrize(
    ("hours", "country", "moment", "ends"),
    [
        ({"*": ["20:00", "08:00"]}, "KE", "2027-03-04T17:00Z", "2027-03-05T05:00Z"),
        ({"*": ["20:00", "08:00"]}, "KE", "2027-03-05T05:00Z", None),
        ({"*": ["20:00", "08:00"]}, "KE", "2027-03-05T01:00Z", "2027-03-05T05:00Z"),
        ({"*": ["20:00", "08:00"]}, "", "2027-03-04T17:00Z", None),
        ({"*": ["12:00", "14:00"]}, "NG", "2027-03-04T11:30Z", "2027-03-04T13:00Z"),
        ({"*": ["12:00", "14:00"]}, "NG", "2027-03-04T13:30Z", None),
        ({"KE": ["20:00", "08:00"]}, "UG", "2027-03-04T20:00Z", None),
        # Summer time begins in Cairo on 30 April.
        ({"EG": ["22:00", "08:00"]}, "EG", "2027-04-29T20:30Z", "2027-04-30T05:00Z"),
        # It ends there on 28 October at midnight: then it is 23:00 for the second time.
        ({"EG": ["22:00", "23:30"]}, "EG", "2027-10-28T20:10Z", "2027-10-28T20:30Z"),
        ({"EG": ["22:00", "23:30"]}, "EG", "2027-10-28T21:10Z", "2027-10-28T21:30Z"),
        (None, "KE", "2027-03-04T20:00Z", None),
    ],
)
def test_quiet_time_is_the_recipients_own(hours: Any, country: str, moment: str, ends: str | None) -> None:
    wanted = datetime.fromisoformat(ends) if ends else None
    assert quiet_until(hours, country, datetime.fromisoformat(moment)) == wanted


@pytest.mark.parametrize(
    "hours", ["20:00", "25:00-08:00", "08:00-08:00", {}, {"from": "20:00"}, {"ke": ["20:00", "08:00"]}, {"KE": "20:00"}, 7]
)
def test_quiet_hours_that_are_none_are_refused(hours: Any) -> None:
    with pytest.raises(ValueError, match="quiet_hours"):
        read_quiet_hours(hours)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Hi {name}", "Hi Ann"), ("{{name}} {name}", "{name} Ann"), ("{{{name}}}", "{Ann}"), ("{ name }", "Ann"), ("none", "none"),
        ("{odd.__class__}", "as it is"), ("{twice}", "{name}"),
    ],
)  # fmt: skip
def test_columns_are_only_looked_up(message: str, text: str) -> None:
    assert filled(message, {"name": "Ann", "odd.__class__": "as it is", "twice": "{name}"}) == text


@pytest.mark.parametrize("message", ["Hi {name", "Hi name}", "Hi {}", "{a{b}}"])
def test_lonely_braces_are_refused(message: str) -> None:
    with pytest.raises(Invalid, match="brace"):
        columns_of(message)


def test_who_opted_out_is_skipped_before_and_after_the_start(pokea: Flask, at: StubAT) -> None:
    stop = {"senderId": "MyBrand", "phoneNumber": PHONES[0]}
    post(pokea.test_client(), "sms.opt_out", stop)
    with pokea.app_context():
        campaign = made(message="Hello")
        assert campaigns.one(campaign)["preview"]["opted_out"] == 1
        post(pokea.test_client(), "sms.opt_out", stop | {"phoneNumber": PHONES[1]})
        run(3)
        assert (state(campaign), counts(campaign)) == ("finished", {"skipped": 2, "accepted": 2})
        again = made(PHONES[:2], message="Hello")
        assert (state(again), counts(again)) == ("finished", {"skipped": 2})
    assert called(at) == Counter(PHONES[2:])


@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "not placed"])
def test_who_opts_out_between_two_tries_is_not_called(sending: Sending, at: StubAT, stored: Stored, is_refused: bool) -> None:
    at.fault = stub_at.status(429, b"slow down")
    app = sending(spend_enabled=is_refused)
    with app.app_context():
        campaign = made(PHONES, channel="voice", message=None)
        run()
    with sending().app_context():
        assert (counts(campaign), len(at.seen), len(stored(Invocation))) == ({"created": 4}, is_refused, is_refused)
        if not is_refused:
            campaigns.resume(campaign)
        post(app.test_client(), "sms.opt_out", {"senderId": "MyBrand", "phoneNumber": PHONES[1]})
        at.fault = None
        run(1, NOW + HOUR)
        assert (state(campaign), counts(campaign)) == ("finished", {"accepted": 3, "skipped": 1})
    assert at.seen[-1].fields["to"].split(",") == [PHONES[0], *PHONES[2:]]
    # The last order has the one key of the batch: whoever still has the old list in hand finds it taken.
    assert [(row.state, row.idempotency_key == f"{campaign}.1") for row in stored(Invocation)] == [
        *([("refused", False)] if is_refused else []), ("accepted", True),
    ]  # fmt: skip


@ONLY_SQLITE
def test_calls_go_in_batches_of_a_few_seconds(pokea: Flask, at: StubAT) -> None:
    with pokea.app_context():
        campaign = made([f"+2547110000{number:02}" for number in range(12)], channel="voice", message=None, rate=1, send_at=NOW.isoformat())
        before = campaigns.one(campaign)["preview"]
        went = [campaigns.run_due(NOW + timedelta(seconds=second)) for second in range(12)]
    assert [second for second, number in enumerate(went) if number] == [0, 5, 10]
    assert [len(seen.fields["to"].split(",")) for seen in at.calls("voice.call")] == [5, 5, 2]
    assert (before["batches"], before["duration_s"]) == (3, 10)


@ONLY_SQLITE
def test_calls_may_come_from_a_number_that_no_setting_names_and_caps_are_foretold(sending: Sending, at: StubAT) -> None:
    with sending(at_voice_number="", sends_per_day=3).app_context():
        asked = {"channel": "voice", "message": None, "sender": "0711082001"}
        with pytest.raises(Invalid, match="must be a phone number of yours"):
            made(PHONES, **asked)
        asked["sender"] = "+254711082001"
        many, few = made(PHONES, start=False, **asked), made(PHONES[:3], **asked)
        refused = [campaigns.one(one)["preview"]["refused"] for one in (many, few)]
        assert refused == ["SENDS_PER_DAY is 3 and 0 were ordered today: this order for 4 was not sent.", None]
        assert (run(), state(few)) == (1, "finished")
    assert at.calls("voice.call")[0].fields["from"] == "+254711082001"


def test_what_is_unknown_stays_so_until_a_person_chooses(pokea: Flask, at: StubAT, stored: Stored) -> None:
    at.fault = stub_at.reset
    with pokea.app_context():
        campaign = made(NAMED[:2])
        run(3)
        assert (state(campaign), counts(campaign)) == ("unsettled", {"unknown": 2})
        at.fault = None
        assert run(3, NOW + HOUR) == 0
        assert campaigns.settle(campaign, 1, "treat_as_sent", "Amina") is None
        with pytest.raises(Conflict, match="Batch 1 is settled"):
            campaigns.settle(campaign, 1, "send_again", "Amina")
        assert campaigns.settle(campaign, 2, "send_again", "Amina", "asked them") == 3
        assert (state(campaign), run(1, datetime.now(UTC) + HOUR), state(campaign)) == ("running", 1, "finished")
        chosen = campaigns.batches(campaign, "settled")[0][1]["chosen"]
    assert (chosen["choice"], chosen["by"], chosen["note"], chosen["batch"]) == ("send_again", "Amina", "asked them", 3)
    assert called(at) == Counter({PHONES[0]: 1, PHONES[1]: 2})
    assert [name for name, _ in told(stored)] == ["campaign.started", "campaign.finished"]


def test_a_callback_settles_what_is_unknown(pokea: Flask, at: StubAT, stored: Stored) -> None:
    at.fault = stub_at.reset
    with pokea.app_context():
        campaign = made(NAMED[:1])
        run()
        assert state(campaign) == "unsettled"
        post(pokea.test_client(), "sms.delivery_report", {"id": "ATXid_1", "status": "Success", "phoneNumber": PHONES[0]})
        campaigns.catch_up_all()
    assert [row.state for row in (*stored(Campaign), *stored(CampaignBatch), *stored(CampaignRecipient))] == [
        "finished",
        "done",
        "accepted",
    ]
    assert told(stored)[-1][0] == "campaign.finished"


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("settings", "fault", "answer", "calls", "reason"),
    [
        ({}, stub_at.reset, None, 3, "3 batches in a row failed"),
        ({"at_base_url": "http://127.0.0.1:1"}, None, None, 0, "3 batches in a row failed. The last: Nothing is listening"),
        ({}, UNAUTHORIZED, None, 1, "did not accept the API key"),
        ({}, stub_at.status(402, b"No credit"), None, 1, "refused: 'No credit'"),
        ({}, None, NO_MONEY, 1, "Top up"),
        ({"spend_enabled": False}, None, None, 0, "SPEND_ENABLED=0"),
        ({"sends_per_day": 2}, None, None, 2, "SENDS_PER_DAY is 2"),
    ],
    ids=["lost answers", "not reached", "wrong key", "402", "no balance", "switched off", "cap"],
)  # fmt: skip
def test_it_pauses_by_itself_and_goes_on_with_who_was_not_called_upon(
    sending: Sending, at: StubAT, stored: Stored, settings: dict[str, Any], fault: Any, answer: Any, calls: int, reason: str
) -> None:
    app = sending(**settings)
    at.fault, at.change = fault, answer and (lambda _usual: answer)
    with app.app_context():
        campaign = made()
        run(5)
        paused = campaigns.one(campaign)
        assert (paused["state"], reason in paused["paused_because"], len(at.calls())) == ("paused", True, calls)
        assert [name for name, _ in told(stored)] == ["campaign.started", "campaign.paused"]
        assert reason in str(told(stored)[1][1])
    at.fault = at.change = None
    with sending().app_context():
        campaigns.resume(campaign)
        run(6, NOW + 2 * HOUR)
        unknown = 3 if fault is stub_at.reset else 0
        assert counts(campaign) == {state: count for state, count in (("unknown", unknown), ("accepted", 4 - unknown)) if count}
        assert max(called(at).values()) == (2 if fault not in (None, stub_at.reset) or answer else 1)


def test_too_many_requests_wait_a_minute(pokea: Flask, at: StubAT) -> None:
    at.fault = stub_at.status(429, b"slow down", Retry_After="90")
    with pokea.app_context():
        campaign = made()
        assert (campaigns.run_due(NOW), campaigns.run_due(NOW + timedelta(seconds=89)), state(campaign)) == (1, 0, "running")
        at.fault = None
        run(6, NOW + timedelta(seconds=90))
        assert (state(campaign), counts(campaign)) == ("finished", {"accepted": 4})


def test_a_refused_recipient_is_told_why(pokea: Flask, at: StubAT) -> None:
    at.change = lambda usual: {"SMSMessageData": usual["SMSMessageData"] | {"Recipients": [
        recipient | ({"status": "UserInBlacklist", "statusCode": 406} if number else {})
        for number, recipient in enumerate(usual["SMSMessageData"]["Recipients"])]}}  # fmt: skip
    with pokea.app_context():
        campaign = made(PHONES[:2], message="Hello")
        run()
        assert (state(campaign), counts(campaign)) == ("finished", {"accepted": 1, "refused": 1})
        assert campaigns.recipients(campaign, "refused")[0] == [
            {"phone": PHONES[1], "state": "refused", "batch": 1, "columns": {},
             "reason": "UserInBlacklist: This person blocked messages from this sender."}
        ]  # fmt: skip


def test_a_batch_whose_process_was_killed_is_not_sent_twice(pokea: Flask, at: StubAT, database_url: str) -> None:
    with pokea.app_context():
        campaign = made(NAMED[:2])
        with pytest.raises(Crash):
            run_and_crash(pokea)
        assert counts(campaign) == {"created": 2}
        run(2, NOW + timedelta(seconds=5))
        assert counts(campaign) == {"created": 1, "accepted": 1}
        # Its lease is over, its order still pending: it waits without being sent.
        assert (run(1, NOW + HOUR), counts(campaign)) == (1, {"created": 1, "accepted": 1})
        let_time_pass(database_url)
        run(1, NOW + 2 * HOUR)
        assert (state(campaign), counts(campaign)) == ("unsettled", {"unknown": 1, "accepted": 1})
    assert called(at) == Counter(PHONES[:2])


class Crash(BaseException):
    """The end of a process."""


def run_and_crash(app: Flask) -> None:
    """Run a batch in a process that ends in the middle of the call, after it reached the other side."""
    desk = app.extensions["pokea.desk"]
    client = desk.client

    class Gone:
        def send_sms(self, *words: Any) -> Any:
            client.send_sms(*words)
            raise Crash

    app.extensions["pokea.desk"] = replace(desk, client=Gone())
    try:
        campaigns.run_due(NOW)
    finally:
        app.extensions["pokea.desk"] = desk


def let_time_pass(url: str) -> None:
    """Make every order older than any call takes."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(update(Invocation).values(called_at=datetime.now(UTC) - HOUR))


def test_a_batch_run_twice_is_sent_once(pokea: Flask, at: StubAT) -> None:
    with pokea.app_context():
        campaign = made(NAMED[:1])
        batch = campaigns.claim(NOW)
        assert batch
        assert campaigns.claim(NOW + timedelta(seconds=5)) is None
        for _ in range(3):
            campaigns.run_batch(batch)
        assert (state(campaign), len(at.seen)) == ("finished", 1)


def test_four_calls_at_once_are_the_most(pokea: Flask, at: StubAT) -> None:
    with pokea.app_context():
        campaign = made([{"phone": f"+2547110000{number:02}", "name": str(number)} for number in range(6)])
        *leased, fifth = [campaigns.claim(NOW + HOUR) for _ in range(5)]
        assert (len(set(leased)), None in leased, fifth) == (4, False, None)
        campaigns.pause(campaign)
        campaigns.run_batch(str(leased[0]))
        assert (at.seen, counts(campaign)) == ([], {"created": 6})


def test_batches_of_a_process_that_is_gone_hold_nobody_up(pokea: Flask, at: StubAT, database_url: str) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with pokea.app_context():
        campaign = made([{"phone": f"+2547110000{number:02}", "name": str(number)} for number in range(6)])
        assert all(campaigns.claim(NOW + HOUR) for _ in range(4))
        # This process lives.
        assert run(1, NOW + HOUR) == 0
        machine = own_name().partition(":")[0]
        engine = create_engine(database_url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(update(CampaignBatch).values(leased_by=f"{machine}:{gone.pid}:x"))
        assert (run(1, NOW + HOUR + timedelta(seconds=1)), state(campaign), counts(campaign)) == (6, "finished", {"accepted": 6})
    assert max(called(at).values()) == 1


def test_cancel_ends_what_waits_and_keeps_what_was_sent(pokea: Flask, at: StubAT) -> None:
    with pokea.app_context():
        campaign = made(rate=0.5)
        run(1)
        taken = campaigns.claim(NOW + timedelta(seconds=2))
        campaigns.cancel(campaign)
        assert counts(campaign) == {"accepted": 1, "created": 1, "cancelled": 2}
        campaigns.run_batch(str(taken))
        assert (run(2, NOW + HOUR), counts(campaign), state(campaign)) == (0, {"accepted": 1, "cancelled": 3}, "cancelled")
    assert called(at) == Counter(PHONES[:1])


@pytest.mark.parametrize(
    ("steps", "verb", "right"),
    [((), "pause", "start it first"), ((), "resume", "start it first"), (("start",), "start", "pause or cancel it"), (("start", "pause"), "pause", "resume"),
     (("cancel",), "start", "make a new one")],
)  # fmt: skip
@ONLY_SQLITE
def test_what_cannot_be_done_now_is_told_with_what_can(pokea: Flask, steps: tuple[str, ...], verb: str, right: str) -> None:
    with pokea.app_context():
        campaign = made(start=False)
        for step in steps:
            getattr(campaigns, step)(campaign)
        with pytest.raises(Conflict, match=right):
            getattr(campaigns, verb)(campaign)
        with pytest.raises(GatewayError, match="No campaign 'cmp_x'"):
            getattr(campaigns, verb)("cmp_x")


@pytest.mark.parametrize("message", ["Your {name} is ready", None])
def test_calls_say_the_text_or_follow_the_flow(pokea: Flask, at: StubAT, stored: Stored, message: str | None) -> None:
    with pokea.app_context():
        campaign = made(NAMED[:1], channel="voice", message=message)
        run()
        assert (state(campaign), counts(campaign)) == ("finished", {"accepted": 1})
    [call] = at.calls("voice.call")
    assert (call.fields["from"], call.fields["clientRequestId"]) == ("+254711082000", stored(Invocation)[0].id)
    answered = {"sessionId": "s1", "isActive": "1", "callerNumber": PHONES[0], "clientRequestId": call.fields["clientRequestId"]}
    xml = post(pokea.test_client(), "voice.instructions", answered).text
    assert ("<Say>Your N0 is ready</Say>" if message else "This is a demo voice application") in xml
    other = post(pokea.test_client(), "voice.instructions", answered | {"sessionId": "s2", "clientRequestId": "inv_other"}).text
    assert "This is a demo voice application" in other
