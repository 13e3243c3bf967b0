"""Sessions: the list and its filters, transcripts of USSD and of calls, replays of the whole, drop-off, recordings."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.models import Callback, Invocation, Reaction, Session
from services.apps import Flows
from services.reading.single import MOST_STEPS
from services.ussd import Ask, Choose, End, Menu, Option
from tests.invoking import LIVE, ONLY_SQLITE, Stored
from tests.routes.pages.browsing import ELSEWHERE, Browser
from tests.rows import callback, keep
from tests.samples import post

pytestmark = ONLY_SQLITE
Make = Callable[..., Flask]
PHONE, CODE = "+254711000017", "*384*1234#"
SESSIONS = "/dashboard/sessions"
HOSTILE = "<script>alert(1)</script>"
CALL = {"sessionId": "ATVId_1", "callerNumber": PHONE, "destinationNumber": "+254711082000", "direction": "Inbound", "isActive": "1"}
XML = "<Response>{}</Response>"


def hop(app: Flask, text: str = "", session: str = "S1", **fields: str) -> str:
    told = {"sessionId": session, "phoneNumber": PHONE, "serviceCode": CODE, "text": text, "networkCode": "63902", **fields}
    return str(post(app.test_client(), "ussd.session", told).text)


def end(app: Flask, status: str, session: str = "S1", **fields: str) -> None:
    told = {"sessionId": session, "phoneNumber": PHONE, "serviceCode": CODE, "status": status, "hopsCount": "2", "durationInMillis": "9000"}
    assert post(app.test_client(), "ussd.session_end", told | fields).status_code == 200


def call(app: Flask, kind: str = "voice.instructions", **fields: str) -> None:
    assert post(app.test_client(), kind, CALL | fields).status_code == 200


def hang_up(app: Flask, **fields: str) -> None:
    over = {"isActive": "0", "callSessionState": "Completed", "status": "Success", "durationInSeconds": "72"}
    call(app, "voice.event", **{**over, "hangupCause": "NORMAL_CLEARING", "currencyCode": "KES", "amount": "2.00", **fields})


def with_menu(app: Flask, screens: dict[str, Any]) -> Flask:
    apps = app.extensions["pokea.apps"]
    app.extensions["pokea.apps"] = replace(apps, flows=Flows(menus={"*": Menu(screens)}, calls=apps.flows.calls))
    return app


def saying(app: Flask, xml: str) -> Flask:
    """Let a flow answer every call with this, whatever it is."""

    class Said:
        def answer(self, _call: Any, _step: str) -> str:
            return xml

    apps = app.extensions["pokea.apps"]
    app.extensions["pokea.apps"] = replace(apps, flows=Flows(menus=apps.flows.menus, calls={"*": Said()}))  # type: ignore[dict-item]
    return app


def page(app: Flask, path: str) -> str:
    answer = Browser(app).get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def test_an_empty_list_teaches_how_to_dial(app: Flask) -> None:
    assert "flask phone ussd" in page(app, SESSIONS)
    assert "flask phone ussd" in page(app, f"{SESSIONS}?view=drop-off")
    assert "--record" in page(app, f"{SESSIONS}?view=recordings")


def test_a_line_tells_who_where_how_long_and_how_it_ended(app: Flask, stored: Stored) -> None:
    hop(app), hop(app, "2"), end(app, "Incomplete")
    text, row = page(app, SESSIONS), stored(Session)[0]
    for told in (PHONE, CODE, "timed out", "9 s", f"{SESSIONS}/{row.id}", f"/dashboard/people/{PHONE}"):
        assert told in text


FILTERED = [
    ("kind=ussd", {"S1", "S2"}), ("kind=voice", {"ATVId_1"}), ("state=open", {"S2"}), ("state=ended", {"S1", "ATVId_1"}),
    ("ended=timed+out", {"S1"}), ("ended=error", {"ATVId_1"}), ("ended=completed", set()), ("own=*384*1234%23", {"S1", "S2"}),
    ("own=%2B254711082000", {"ATVId_1"}), ("phone=254711000018", {"S2"}), ("kind=ussd&ended=error", set()),
]  # fmt: skip


@pytest.mark.parametrize(("query", "wanted"), FILTERED, ids=[query for query, _ in FILTERED])
def test_filters_leave_what_fits(app: Flask, stored: Stored, query: str, wanted: set[str]) -> None:
    hop(app), end(app, "Incomplete"), hop(app, session="S2", phoneNumber="+254711000018"), call(app)
    hang_up(app, status="Failed", hangupCause="USER_BUSY")
    text = page(app, f"{SESSIONS}?{query}")
    rows = {row.provider_id: row.id for row in stored(Session)}
    assert {name for name, row_id in rows.items() if f"{SESSIONS}/{row_id}" in text} == wanted


@pytest.mark.parametrize("query", ["ended=never", "kind=sms", "state=asleep", "after=1", "since=x"])
def test_a_filter_that_is_none_is_refused(app: Flask, query: str) -> None:
    assert Browser(app).get(f"{SESSIONS}?{query}").status_code == 400


def test_fifty_stand_on_a_page_and_the_older_ones_on_the_next(app: Flask, stored: Stored) -> None:
    for number in range(53):
        hop(app, session=f"S{number}")
    browser = Browser(app)
    first = unescape(browser.get(f"{SESSIONS}?kind=ussd").text)
    following = first.split('class="older"><a href="')[1].split('"')[0]
    second = unescape(browser.get(following).text)
    ids = [row.id for row in stored(Session)]
    assert [sum(f"{SESSIONS}/{one}" in text for one in ids) for text in (first, second)] == [50, 3]
    assert "kind=ussd" in following


def test_a_transcript_shows_screens_and_what_was_newly_typed(app: Flask, stored: Stored) -> None:
    hop(app), hop(app, "1"), hop(app, "1*1"), end(app, "Success")
    text = page(app, f"{SESSIONS}/S1")
    assert "ACC1001" in page(app, f"{SESSIONS}/{stored(Session)[0].id}"), "found by our id and theirs"
    assert text.index("What would you want to check") < text.index("Choose account information") < text.index("ACC1001")
    assert text.count("They typed: </span>1<small>") == 2
    assert "They typed: </span>1*1" not in text
    assert "CON" in text and "END" in text and "/182" in text
    assert "“1*1”" in text and "<code>1</code> › <code>1</code>" in text
    assert all(f"/dashboard/callbacks/{row.id}" in text for row in stored(Callback))


def test_pins_and_secret_answers_are_masked_in_a_transcript(app: Flask) -> None:
    with_menu(app, {"start": Ask("Word?", "next", "word", secret=True), "next": Ask("PIN?", "end", "pin"), "end": End("Thanks")})
    hop(app), hop(app, "sesame"), hop(app, "sesame*4321"), end(app, "Success", input="sesame*4321")
    for path in (f"{SESSIONS}/S1", f"{SESSIONS}/S1/export"):
        text = page(app, path)
        assert "sesame" not in text
        assert "4321" not in text
        assert "****" in text


def test_a_screen_that_is_too_long_or_unusual_is_marked(app: Flask) -> None:
    with_menu(app, {"start": Choose("Karibu " * 30, (Option("Go’on", "end"),)), "end": End("x")})
    app.extensions["pokea.apps"].flows.menus["*"] = replace(app.extensions["pokea.apps"].flows.menus["*"], more="")
    hop(app)
    text = page(app, f"{SESSIONS}/S1")
    assert "characters: many networks cut at" in text
    assert text.count("unusual characters: ’") == 1


def test_hostile_texts_stay_text(app: Flask) -> None:
    with_menu(app, {"start": Ask(HOSTILE, "end", "x"), "end": End(HOSTILE)})
    hop(app, serviceCode=HOSTILE), hop(app, HOSTILE, serviceCode=HOSTILE), end(app, HOSTILE, errorMessage=HOSTILE, serviceCode=HOSTILE)
    browser = Browser(app)
    for path in (SESSIONS, f"{SESSIONS}/S1", f"{SESSIONS}?view=drop-off", f"{SESSIONS}?view=drop-off&own={HOSTILE}"):
        text = browser.get(path).text
        assert HOSTILE not in text
        assert "&lt;script&gt;" in text


def test_numbers_are_masked_where_privacy_asks_for_it(make_app: Any, stored: Stored) -> None:
    app = make_app(privacy=True)
    hop(app), hop(app, "2"), end(app, "Success"), call(app), hang_up(app, recordingUrl=f"https://example.com/{PHONE[1:]}.mp3")
    page(app, SESSIONS)
    ids = [row.id for row in stored(Session)]
    paths = [SESSIONS, f"{SESSIONS}?view=drop-off", f"{SESSIONS}?view=recordings"]
    for path in [*paths, *(f"{SESSIONS}/{one}{more}" for one in ids for more in ("", "/export", "/replays"))]:
        assert "711000017" not in page(app, path), path
    assert "***017" in page(app, SESSIONS)
    assert f"/dashboard/people/{ids[0]}" in page(app, SESSIONS)


@pytest.mark.parametrize("path", ["/nothing", "/ses_01ARZ3NDEKTSV4RRFFQ69G5FAV", "/nothing/export", "/nothing/replays", "/%00"])
def test_an_id_that_nothing_has_is_404(app: Flask, path: str) -> None:
    assert Browser(app).get(f"{SESSIONS}{path}").status_code == 404


def test_a_call_is_told_from_its_ringing_to_its_end(app: Flask) -> None:
    saying(app, XML.format(
        '<Say>Karibu</Say><Play url="https://example.com/a.mp3"/><GetDigits numDigits="1" timeout="20"><Say>Press 1</Say></GetDigits>'
        '<Record finishOnKey="#" maxLength="30"/><Dial phoneNumbers="+254711000018" record="true"/><Conference/><Sing>la</Sing>'
    ))  # fmt: skip
    call(app, callSessionState="Ringing"), call(app, dtmfDigits="1", callSessionState="Active")
    hang_up(app, recordingUrl="https://example.com/1.mp3")
    text = page(app, f"{SESSIONS}/ATVId_1")
    said = (
        "ringing", f"{PHONE} → +254711082000", "<Say></b> Karibu", "<Play></b> https://example.com/a.mp3",
        "<GetDigits></b> “Press 1”, then waits for 1 digit, at most 20 s", "<Record></b> records until #, at most 30 s",
        "<Dial></b> +254711000018, records the call", "joins the conference", "<Sing></b> la", "pressed</b> 1",
        "Somebody hung up, as calls end. (NORMAL_CLEARING)", "72 s", "KES 2.00",
        '<a href="https://example.com/1.mp3" rel="noopener noreferrer">listen</a>',
    )  # fmt: skip
    for told in said:
        assert told in text
    assert text.index("ringing") < text.index("pressed") < text.index("hang-up")


def test_a_failed_call_says_why_and_what_to_do(app: Flask) -> None:
    call(app), hang_up(app, status="Failed", hangupCause="USER_BUSY", amount="0")
    assert "The line was busy. (USER_BUSY) Call again later." in page(app, f"{SESSIONS}/ATVId_1")


@pytest.mark.parametrize(
    ("xml", "told"),
    [
        ('<!DOCTYPE x [<!ENTITY a "haha">]><Response><Say>&a;</Say></Response>', "must not have a DOCTYPE"),
        ("<Response><Say>", "must be XML"), ("<Reply/>", "it is a <Reply>"), (XML.format(""), "the call ends"),
    ],
    ids=["doctype", "broken", "other", "empty"],
)  # fmt: skip
def test_an_answer_that_no_call_understands_is_shown_as_such(app: Flask, xml: str, told: str) -> None:
    call(saying(app, xml))
    text = page(app, f"{SESSIONS}/ATVId_1")
    assert told in text
    assert "</b> haha" not in text


def test_an_address_that_is_none_is_no_link(app: Flask) -> None:
    call(app), hang_up(app, recordingUrl="javascript:alert(1)")
    for path in (f"{SESSIONS}/ATVId_1", f"{SESSIONS}?view=recordings"):
        text = page(app, path)
        assert 'href="javascript' not in text
        assert "javascript:alert(1)" in text


def test_recordings_are_listed_with_who_spoke(app: Flask) -> None:
    call(app)
    fields = {
        "sessionId": "ATVId_1",
        "phoneNumber": PHONE,
        "recordingUrl": "https://example.com/r.mp3",
        "duration": "18",
        "status": "completed",
    }
    assert post(app.test_client(), "voice.recording", fields).status_code == 200
    for path in (f"{SESSIONS}?view=recordings", f"{SESSIONS}/ATVId_1"):
        text = page(app, path)
        for told in ('href="https://example.com/r.mp3" rel="noopener noreferrer"', "18 s", "completed", f"/dashboard/people/{PHONE}"):
            assert told in text


def test_the_whole_session_is_replayed_in_order_without_effects(app: Flask, stored: Stored) -> None:
    hop(app), hop(app, "1"), hop(app, "1*1"), end(app, "Success")
    first = stored(Callback)
    with_menu(app, {"start": Choose("What would you want to check ", (Option("My Account", "end"),)), "end": End("Changed")})
    browser = Browser(app)
    browser.get(f"{SESSIONS}/S1")
    answer = browser.post(f"{SESSIONS}/S1/replay")
    text = unescape(answer.text)
    made = stored(Callback)[len(first) :]
    assert [row.replay_of for row in made] == [row.id for row in first]
    assert not any(row.has_effects or row.due_at for row in made)
    assert not stored(Invocation) and not stored(Reaction)
    assert stored(Session)[0].steps == 3
    assert "Replayed 4 of 4 steps" in text
    assert text.count(">changed<") == 3
    assert text.count(">same<") == 1
    assert all(f"/dashboard/callbacks/{row.id}" in text for row in [*first, *made])
    assert len(stored(Callback)) == 2 * len(first), "reading makes nothing"
    # Nobody knows what came after the last one that is read.
    keep(app, *(callback(datetime.now(UTC), kind="ussd.session", reference="S1", replay_of=first[0].id) for _ in range(MOST_STEPS)))
    assert "Replayed 4 of the first 4 steps" in unescape(browser.post(f"{SESSIONS}/S1/replay").text)


def test_only_what_came_is_replayed_and_the_table_shows_the_newest(app: Flask, stored: Stored) -> None:
    hop(app)
    browser = Browser(app)
    browser.get(f"{SESSIONS}/S1")
    browser.post(f"{SESSIONS}/S1/replay")
    text = browser.post(f"{SESSIONS}/S1/replay").text
    first, second, third = stored(Callback)
    assert third.replay_of == second.replay_of == first.id
    assert third.id in text
    assert second.id not in text


def test_a_session_is_kept_as_a_fixture(make_app: Make, tmp_path: Path, stored: Stored) -> None:
    app = make_app(fixtures_dir=tmp_path / "events")
    hop(app), hop(app, "2"), end(app, "Success")
    browser = Browser(app)
    shown = browser.get(f"{SESSIONS}/S1").text
    own = re.search(rf'action="({SESSIONS}/ses_\w+/fixture)"', shown)[1]
    assert "posts all of it in order" in shown
    # A replay is no step.
    browser.post(f"{SESSIONS}/S1/replay")
    told = browser.post(own, {"name": "balance-menu"}).text
    kept = "Kept 3 callbacks as balance-menu. Post them, in order and each time as another session, with: flask trigger @balance-menu"
    assert kept in unescape(told)
    steps = json.loads((tmp_path / "events" / "balance-menu.json").read_text())["steps"]
    assert [(step["kind"], step["fields"].get("text")) for step in steps] == [
        ("ussd.session", ""),
        ("ussd.session", "2"),
        ("ussd.session_end", None),
    ]
    assert "There is a fixture 'balance-menu' already" in unescape(browser.post(own, {"name": "balance-menu"}).text)
    assert browser.post(own, {"name": "../up"}).status_code == 400
    assert app.test_client().post(own, data={"name": "forged"}).status_code == 400
    assert [path.name for path in (tmp_path / "events").iterdir()] == ["balance-menu.json"]


def test_a_session_too_long_to_be_read_whole_becomes_no_file(make_app: Make, tmp_path: Path) -> None:
    app = make_app(fixtures_dir=tmp_path / "events")
    hop(app)
    keep(app, *[callback(kind="ussd.session", reference="S1", fields={"sessionId": "S1"}) for _ in range(MOST_STEPS - 1)])
    browser = Browser(app)
    assert "Only the first 500 callbacks are shown." in browser.get(f"{SESSIONS}/S1").text
    refused = browser.post(f"{SESSIONS}/S1/fixture", {"name": "endless"})
    assert (refused.status_code, "whole or not at all" in refused.text, (tmp_path / "events").exists()) == (400, True, False)


def test_a_live_session_becomes_no_file(make_app: Make, tmp_path: Path) -> None:
    app = make_app(**LIVE, dashboard_password="long-enough-1", fixtures_dir=tmp_path / "events")
    proof = {"Authorization": f"Bearer {LIVE['callback_token'][0]}"}
    post(app.test_client(), "ussd.session", {"sessionId": "S1", "phoneNumber": PHONE, "text": ""}, headers=proof)
    browser = Browser(app, ELSEWHERE)
    browser.get("/login")
    browser.post("/login", {"secret": "long-enough-1"})
    shown = browser.get(f"{SESSIONS}/S1")
    assert (shown.status_code, "Keep as a named fixture" in shown.text) == (200, False)
    refused = browser.post(f"{SESSIONS}/S1/fixture", {"name": "real-people"})
    assert (refused.status_code, "Nothing was kept" in refused.text, (tmp_path / "events").exists()) == (403, True, False)


def test_a_forged_replay_does_nothing(app: Flask, stored: Stored) -> None:
    hop(app)
    assert app.test_client().post(f"{SESSIONS}/S1/replay").status_code == 400
    assert len(stored(Callback)) == 1


def test_an_export_is_what_the_api_tells(app: Flask, stored: Stored) -> None:
    hop(app), hop(app, "2"), end(app, "Success")
    answer = Browser(app).get(f"{SESSIONS}/S1/export")
    told = json.loads(answer.text)["data"]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{stored(Session)[0].id}.json"'
    assert told["session_id"] == "S1"
    assert [step["came"] for step in told["steps"]][:2] == ["", "2"]


def test_the_phone_is_offered_in_emulator_mode_only(app: Flask, make_app: Any) -> None:
    hop(app)
    assert "/?phone=%2B254711000017" in page(app, f"{SESSIONS}/S1")
    live = make_app(at_mode="sandbox", at_api_key="k" * 20)
    assert "?phone=" not in page(live, f"{SESSIONS}/S1")


def test_drop_off_counts_who_saw_a_screen_and_who_left_there(app: Flask) -> None:
    balance = {"start": Choose("Balance?", (Option("Yes", "ask"), Option("No", "end"))), "end": End("Bye"), "ask": lambda hop: Ask(
        f"You have KES {hop.phone_number[-3:]}. Send?", "end", "x")}  # fmt: skip
    with_menu(app, balance)
    for number in range(3):
        phone = f"+25471100001{number}"
        hop(app, session=f"S{number}", phoneNumber=phone), hop(app, "1", f"S{number}", phoneNumber=phone)
    hop(app, "1*1", "S2", phoneNumber="+254711000012")
    end(app, "Incomplete", "S0")
    text = page(app, f"{SESSIONS}?view=drop-off&own=*384*1234%23")
    line = text[text.index("You have KES #. Send?") :].split("</tr>")[0]
    assert '<td class="num">3</td><td class="num">2 <span class="muted">(1 may still go on)</span></td><td class="num">67 %</td>' in line
    first = text[text.index("Balance? / 1. Yes / 2. No") :].split("</tr>")[0]
    assert '<td class="num">3</td><td class="num">0</td>' in first
    assert "newest 3 sessions" in text


def test_drop_off_of_a_code_that_nobody_dialled_says_so(app: Flask) -> None:
    hop(app)
    assert "No session of *999# is kept." in page(app, f"{SESSIONS}?view=drop-off&own=*999%23")


def test_a_replay_does_not_count_as_a_session_that_left(app: Flask) -> None:
    hop(app), hop(app, "2")
    browser = Browser(app)
    browser.get(f"{SESSIONS}/S1")
    browser.post(f"{SESSIONS}/S1/replay")
    text = page(app, f"{SESSIONS}?view=drop-off")
    assert '<td class="num">1</td><td class="num">0</td>' in text
    assert '<td class="num">2</td>' not in text
