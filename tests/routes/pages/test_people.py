"""People: looking for a number, who was active lately, and everything about one number in one line of time."""

from html import unescape
from typing import Any

import pytest
from flask import Flask

from app.models import Callback, Message, Session
from services import opt_outs
from tests.invoking import ONLY_SQLITE, Sending, Stored
from tests.routes.pages.browsing import Browser
from tests.samples import KINDS, post

pytestmark = ONLY_SQLITE
PHONE, OTHER = "+254711000017", "+254711000018"
PEOPLE = "/dashboard/people"
ONE = f"{PEOPLE}/{PHONE}"
HOSTILE = "<script>alert(1)</script>"
ABOUT_ONE = ("sms.incoming_message", "sms.subscription", "ussd.session", "voice.instructions", "payments.notification", "sms.opt_out")


def came(app: Flask, kind: str, **fields: Any) -> None:
    ours = {"phoneNumber": PHONE} if kind == "sms.opt_out" else {}
    assert post(app.test_client(), kind, KINDS[kind].sample | ours | fields).status_code == 200


def page(app: Flask, path: str) -> str:
    answer = Browser(app).get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def test_nobody_yet_teaches_how_to_begin(app: Flask) -> None:
    assert "flask phone sms" in page(app, PEOPLE)


@pytest.mark.parametrize("typed", ["254711000017", "+254711000017", "%2B254711000017", "0711000017"])
def test_any_spelling_of_a_number_finds_it(make_app: Any, typed: str) -> None:
    answer = Browser(make_app(default_country="KE")).get(f"{PEOPLE}?phone={typed}")
    assert answer.status_code == 302
    assert answer.headers["Location"] in (ONE, ONE.replace("+", "%2B"))


@pytest.mark.parametrize("typed", ["abc", "0711000017", "12", "%00", HOSTILE])
def test_what_is_no_number_is_refused_in_words(app: Flask, typed: str) -> None:
    answer = Browser(app).get(f"{PEOPLE}?phone={typed}")
    assert answer.status_code == 400
    assert "international form" in answer.text
    assert HOSTILE not in answer.text


def test_a_number_that_nobody_knows_gets_a_page_that_says_so(app: Flask) -> None:
    text = page(app, f"{PEOPLE}/{OTHER}")
    assert "Nothing is known of this number yet" in text
    assert f"flask send sms {OTHER}" in text
    assert "Safaricom KE" in text
    assert "is not a whole phone number" in page(app, f"{PEOPLE}/nobody")
    assert "is not a whole phone number" in page(app, f"{PEOPLE}/a/b")


def test_everything_about_a_number_stands_in_one_line_of_time(app: Flask, stored: Stored) -> None:
    for kind in ABOUT_ONE:
        came(app, kind)
    came(app, "airtime.status", status="Failed", description="Not enough airtime")
    text = page(app, ONE)
    said = [
        "Not enough airtime. Read the reason; the account is not charged.", "wants no more", "payment MobileCheckout duka: KES 375.00",
        "call +254711082000", "USSD *384*1234#", "subscription NEWS of 12345", "to 12345: Hello, I need help",
    ]  # fmt: skip
    places = [text.index(told, text.index("<tbody>")) for told in said]
    assert places == sorted(places), "newest first"
    sessions = [row.id for row in stored(Session)]
    assert all(f"/dashboard/sessions/{one}" in text for one in sessions)
    about = [row.id for row in stored(Callback) if row.kind in ("sms.incoming_message", "sms.opt_out", "airtime.status")]
    assert all(f"/dashboard/callbacks/{one}" in text for one in about)


def test_the_spelling_of_a_callback_does_not_matter(app: Flask) -> None:
    came(app, "sms.incoming_message", **{"from": "254711000017", "text": "Jambo"})
    assert "Jambo" in page(app, ONE)
    assert "Jambo" in page(app, f"{PEOPLE}/254711000017")
    assert "Jambo" not in page(app, f"{PEOPLE}/{OTHER}")


def test_the_top_says_operator_opt_out_subscriptions_and_costs(app: Flask) -> None:
    came(app, "sms.opt_out"), came(app, "sms.subscription"), came(app, "voice.instructions"), came(app, "voice.event")
    text = page(app, ONE)
    for told in ("Safaricom KE", "wants no more messages", "Wants no more messages of MyBrand since", "NEWS of 12345", "KES 2.00"):
        assert told in text[: text.index("<tbody>")]
    assert f'href="/dashboard/messages/{PHONE}"' in text
    assert "/?phone=%2B254711000017" in text


def test_who_came_back_is_not_out(app: Flask) -> None:
    came(app, "sms.opt_out")
    assert "Wants no more messages of" in page(app, ONE)
    with app.app_context():
        opt_outs.bring_back(PHONE, "a person")
    text = page(app, ONE)
    assert "Wants no more messages of" not in text
    assert "takes them again" in text


def test_the_phone_is_offered_in_emulator_mode_only(make_app: Any) -> None:
    app = make_app(at_mode="sandbox", at_api_key="k" * 20)
    came(app, "sms.incoming_message")
    assert "?phone=" not in page(app, ONE)


def test_what_was_sent_stands_with_its_cost_and_its_order(sending: Sending, stored: Stored) -> None:
    app = sending()
    app.test_client().get("/api/sms/invoke-bulk-sms?phone=254711000017&message=Hello")
    row = stored(Message)[0]
    text = page(app, ONE)
    assert "Hello" in text
    assert f"/dashboard/invocations/{row.invocation_id}" in text
    assert "KES 0.80" in text
    came(app, "sms.delivery_report", id=row.provider_id, status="Failed", failureReason="UserInBlackList")
    assert "This person blocked messages from this sender. (UserInBlackList) Do not message this person" in page(app, ONE)


def test_an_order_that_was_not_taken_is_told_with_why(sending: Sending) -> None:
    app = sending()
    came(app, "sms.opt_out")
    app.test_client().get("/api/sms/invoke-bulk-sms?phone=254711000017,254711000018&message=Hello")
    text = page(app, ONE)
    assert "sms.bulk Hello" in text
    assert "skipped" in text
    assert "sms.bulk Hello" not in page(app, f"{PEOPLE}/{OTHER}"), "taken: it stands there as the message"


def test_fifty_lines_stand_on_a_page_over_all_tables(app: Flask) -> None:
    for number in range(30):
        came(app, "sms.incoming_message", id=f"m{number}", text=f"Text {number:02}.")
        came(app, "ussd.session", sessionId=f"S{number}")
    browser = Browser(app)
    first = unescape(browser.get(ONE).text)
    following = first.split('class="older"><a href="')[1].split('"')[0]
    assert following.startswith("?after=")
    second = unescape(browser.get(f"{ONE}{following}").text)
    assert first.count("Text ") + first.count("USSD *") == 50
    assert second.count("Text ") + second.count("USSD *") == 10
    assert "Text 29." in first and "Text 00." in second
    assert 'class="older"' not in second


@pytest.mark.parametrize("after", ["x", "cb_01ARZ3NDEKTSV4RRFFQ69G5FAV", "%00", "' OR 1"])
def test_a_place_that_is_none_is_refused(app: Flask, after: str) -> None:
    assert Browser(app).get(f"{ONE}?after={after}").status_code == 400


def test_the_lately_active_stand_once_each_newest_first(sending: Sending) -> None:
    app = sending()
    came(app, "sms.incoming_message")
    came(app, "ussd.session", phoneNumber="254711000018")
    came(app, "ussd.session", phoneNumber=PHONE, sessionId="S2")
    app.test_client().get("/api/sms/invoke-bulk-sms?phone=254711000019&message=Hello")
    text = page(app, PEOPLE)
    body = text[text.index("<tbody>") :]
    assert body.count(f"{PEOPLE}/") == 3
    assert body.index("+254711000019") < body.index(PHONE) < body.index(OTHER)
    assert "sms.bulk" in body and "Safaricom KE" in body


def test_a_number_of_our_own_is_nobody(app: Flask) -> None:
    came(app, "voice.instructions", callerNumber="+254711082000", destinationNumber=PHONE, direction="Outbound")
    assert "+254711082000" not in page(app, PEOPLE)


def test_hostile_texts_stay_text(app: Flask) -> None:
    came(app, "sms.incoming_message", text=HOSTILE, to=HOSTILE)
    came(app, "sms.subscription", keyword=HOSTILE)
    came(app, "sms.opt_out", senderId=HOSTILE)
    came(app, "payments.notification", productName=HOSTILE, status="Failed", description=HOSTILE)
    came(app, "ussd.session", phoneNumber=HOSTILE, sessionId="S9")
    browser = Browser(app)
    for path in (ONE, PEOPLE, f"{PEOPLE}/%3Cscript%3Ealert(1)%3C/script%3E"):
        text = browser.get(path).text
        assert HOSTILE not in text
        assert "&lt;script&gt;" in text


def test_numbers_are_masked_where_privacy_asks_for_it(make_app: Any, stored: Stored) -> None:
    app = make_app(privacy=True)
    for kind in ABOUT_ONE:
        came(app, kind)
    came(app, "sms.incoming_message", id="m2", text=f"Call {OTHER}")
    for number in range(55):
        came(app, "ussd.session", sessionId=f"S{number}")
    text = page(app, PEOPLE)
    assert "711000017" not in text
    link = text[text.index("<tbody>") :].split('href="')[1].split('"')[0]
    for path in (link, ONE, f"{PEOPLE}/{stored(Session)[0].id}", f"{PEOPLE}/{stored(Message)[0].id}"):
        text = page(app, path)
        assert "***017" in text
        assert "711000017" not in text
        assert "711000018" not in text
        assert 'class="older"' in text


@pytest.mark.parametrize("wanted", ["cb_01ARZ3NDEKTSV4RRFFQ69G5FAV", "ses_01ARZ3NDEKTSV4RRFFQ69G5FAV", "inv_01ARZ3NDEKTSV4RRFFQ69G5FAV.0"])
def test_an_id_that_nothing_has_is_404(app: Flask, wanted: str) -> None:
    assert Browser(app).get(f"{PEOPLE}/{wanted}").status_code == 404
