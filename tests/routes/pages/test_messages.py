"""Messages: conversations, one of them whole, and the form that sends once."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask

from app.models import Invocation
from app.schemas.callbacks import KINDS
from routes.pages.messages import ROWS
from tests.invoking import LIVE, ONLY_SQLITE, Sending, Stored, live
from tests.routes.pages.browsing import Browser
from tests.samples import post
from tests.stub_at import StubAT, hang

pytestmark = ONLY_SQLITE
PHONE, OTHER = "+254711000017", "+254711000018"
THREAD, NEW = f"/dashboard/messages/{PHONE}", "/dashboard/messages/new"
HOSTILE = "<script>alert(1)</script>"


def key_of(page: str) -> str:
    return re.search(r'name="key" value="([^"]+)"', page)[1]  # type: ignore[index]


def write(browser: Browser, path: str = THREAD, follow: bool = True, **fields: Any) -> Any:
    """Open a page, and send its form filled in."""
    key = key_of(browser.get(path).text)
    return browser.post(path, {"key": key, "message": "Hello", "sender": "own", **fields}, follow)


def incoming(app: Flask, text: str, number: int = 1, sender: str = PHONE, **fields: str) -> None:
    told = {"id": f"in-{number}", "from": sender, "to": "12345", "text": text, "date": "2026-03-04 10:30:00", **fields}
    assert post(app.test_client(), "sms.incoming_message", told).status_code == 200


def report(app: Flask, message_id: str, status: str, **fields: str) -> None:
    told = {"id": message_id, "status": status, "phoneNumber": PHONE, "networkCode": "63902", **fields}
    assert post(app.test_client(), "sms.delivery_report", told).status_code == 200


def words(page: str) -> str:
    """Return what a person reads of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_thread_runs_from_the_oldest_to_the_newest_and_reports_take_messages_further(sending: Sending, at: StubAT) -> None:
    app = sending()
    browser = Browser(app)
    incoming(app, "First of all")
    write(browser, message="Then this")
    page = browser.part(THREAD).text
    assert page.index("First of all") < page.index("Then this")
    assert "queued → sent" in page
    assert "delivered" not in page
    report(app, at.last_id, "Success", retryCount="2")
    page = browser.get(THREAD).text
    assert "queued → sent → delivered" in page
    assert "KES 0.80" in page
    assert "2 retries" in page
    assert "/dashboard/invocations/inv_" in page
    assert "/dashboard/callbacks/cb_" in page


def test_a_failure_is_told_in_words_with_its_code_and_what_to_do(sending: Sending, at: StubAT) -> None:
    app = sending()
    browser = Browser(app)
    write(browser)
    report(app, at.last_id, "Failed", failureReason="UserInBlackList")
    page = browser.get(THREAD).text
    assert "This person blocked messages from this sender. (UserInBlackList)" in page
    assert "Do not message this person unless they ask for it again." in page
    report(app, at.last_id, "Success", retryCount="1")
    assert "Reports do not agree: Failed, Success." in browser.get(THREAD).text


def test_what_was_refused_at_once_stands_in_the_thread_and_in_the_list(sending: Sending, at: StubAT) -> None:
    at.change = lambda answer: {
        "SMSMessageData": {
            "Message": "Sent to 0/1",
            "Recipients": [{"number": PHONE, "status": "UserInBlacklist", "statusCode": 406, "cost": "0", "messageId": "None"}],
        }
    }
    browser = Browser(sending())
    page = write(browser).text
    assert "This person blocked messages from this sender. (UserInBlacklist)" in page
    assert "Refused: Africa's Talking refused: 'UserInBlacklist'." in words(page)
    listed = words(browser.get("/dashboard/messages").text)
    assert f"{PHONE} refused" in listed


def test_the_list_names_each_number_once_by_its_newest_message(sending: Sending, at: StubAT) -> None:
    app = sending()
    for number in range(3):
        incoming(app, f"Text {number}", number)
    incoming(app, "Another", 9, OTHER)
    page = Browser(app).get("/dashboard/messages").text
    assert page.count(f'href="{THREAD}"') == 1
    assert "Text 2" in page
    assert "Text 1" not in page
    assert page.index(OTHER) < page.index(PHONE)


def test_older_conversations_and_messages_are_found_by_key(sending: Sending, at: StubAT) -> None:
    app = sending()
    for number in range(ROWS + 2):
        incoming(app, f"Text {number:03}", number, f"+2547110000{number:02}")
    browser = Browser(app)
    first = browser.get("/dashboard/messages").text
    assert [f"Text {number:03}" in first for number in range(4)] == [False, False, True, True]
    older = browser.get(unescape(re.search(r'class="older"><a href="([^"]+)"', first)[1])).text  # type: ignore[index]
    assert [f"Text {number:03}" in older for number in range(4)] == [True, True, False, False]
    for number in range(200, 200 + ROWS + 1):
        incoming(app, f"Text {number}", number)
    thread = browser.get(THREAD).text
    assert ("Text 200" in thread, "Text 201" in thread) == (False, True)
    assert "Text 200" in browser.get(unescape(re.search(r'class="older"><a href="([^"]+before=[^"]+)"', thread)[1])).text  # type: ignore[index]


@pytest.mark.parametrize("spelling", [PHONE, "254711000017", "0711000017", "+254 711 000-017", "tel:+254711000017"])
def test_a_number_is_found_in_any_spelling(sending: Sending, at: StubAT, spelling: str) -> None:
    app = sending(default_country="KE")
    incoming(app, "Mine")
    incoming(app, "Not mine", 2, OTHER)
    browser = Browser(app)
    found = browser.get(f"/dashboard/messages?q={spelling.replace('+', '%2B')}").text
    assert "Mine" in found
    assert "Not mine" not in found
    assert "Mine" in browser.get(f"/dashboard/messages/{spelling}").text


def test_texts_are_searched(sending: Sending, at: StubAT) -> None:
    app = sending()
    incoming(app, "Where is order 1042?")
    incoming(app, "Hello", 2, OTHER)
    browser = Browser(app)
    found = browser.get("/dashboard/messages?q=ORDER 10").text
    assert "Where is order 1042?" in found
    assert OTHER not in found
    assert "No message has this in it" in browser.get("/dashboard/messages?q=nothing like it").text


def test_an_empty_list_teaches_the_first_step_and_an_unknown_name_is_no_conversation(sending: Sending) -> None:
    browser = Browser(sending())
    assert "flask trigger sms.incoming_message" in browser.get("/dashboard/messages").text
    assert "No message to or from this number yet." in browser.get(THREAD).text
    for who in ("nobody", "msg_1", "inv_1.0", "inv_1.x", "inv_1", "%00"):
        assert browser.get(f"/dashboard/messages/{who}").status_code == 404


def test_only_the_thread_comes_where_a_part_is_asked_for(sending: Sending, at: StubAT) -> None:
    app = sending()
    incoming(app, "Hello")
    part = Browser(app).part(THREAD)
    assert "Hello" in part.text
    assert "<html" not in part.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Hello", "5 characters in 1 part of GSM-7"),
        ("a" * 161, "161 characters in 2 parts of GSM-7"),
        ("Habari “leo”", "12 characters in 1 part of UCS-2, because of “ “” ”"),
    ],
    ids=["short", "two parts", "unusual"],
)
def test_a_preview_counts_and_sends_nothing(sending: Sending, at: StubAT, text: str, told: str) -> None:
    app = sending()
    browser = Browser(app)
    write(browser, NEW, to=OTHER)
    post(app.test_client(), "sms.opt_out", {"senderId": "MyBrand", "phoneNumber": OTHER})
    page = write(browser, NEW, to=f"{PHONE}, {OTHER}", message=text, preview="1").text
    said = words(page)
    assert told in said
    assert f"1 number: {PHONE}" in said
    assert f"1, blocked: they want no more messages ({OTHER})" in said
    assert f"KES {'1.60' if len(text) > 160 else '0.80'}" in said
    assert f">\n{text}</textarea>" in unescape(page)
    assert len(at.calls()) == 1


def test_a_form_that_comes_again_with_another_sender_sends_once(sending: Sending, at: StubAT) -> None:
    browser = Browser(sending())
    fields = {"key": key_of(browser.get(THREAD).text), "message": "Hello"}
    browser.post(THREAD, fields | {"sender": "own"})
    assert "sent another message already" in browser.post(THREAD, fields | {"sender": "premium"}).text
    assert len(at.calls()) == 1


def test_a_form_that_comes_twice_sends_once(sending: Sending, at: StubAT, stored: Stored) -> None:
    browser = Browser(sending())
    key = key_of(browser.get(THREAD).text)
    fields = {"key": key, "message": "Hello", "sender": "own"}
    first = browser.post(THREAD, fields, follow=False)
    assert (first.status_code, first.location) == (303, THREAD)
    again = browser.post(THREAD, fields)
    assert "this form was not sent a second time" in again.text
    assert len(at.calls()) == 1
    order = stored(Invocation)[0]
    assert (order.idempotency_key, order.asked_by, order.kind) == (key, "dashboard", "sms.bulk")
    other = browser.post(THREAD, fields | {"message": "Something else"})
    assert other.status_code == 409
    assert "This form sent another message already: nothing was sent now." in other.text
    assert key_of(other.text) != key
    assert "Something else</textarea>" in other.text
    assert len(at.calls()) == 1


def test_an_order_whose_end_nobody_knows_says_so(sending: Sending, at: StubAT) -> None:
    at.fault = hang
    page = words(write(Browser(sending())).text)
    assert "may have been sent: do not repeat it" in page
    assert "may have been sent ·" in page


def test_what_was_typed_stays_beside_what_is_wrong_with_it(sending: Sending, at: StubAT) -> None:
    browser = Browser(sending())
    answer = write(browser, NEW, to="0711", message=" ")
    assert answer.status_code == 400
    assert 'value="0711"' in answer.text
    assert "is not a phone number we understand" in answer.text
    assert "must not be empty" in answer.text
    assert "To whom?" in write(browser, NEW, to=" , ").text
    assert "has no key" in write(browser, NEW, to=PHONE, key="").text
    assert at.calls() == []


def test_an_answer_from_the_short_code_carries_the_link_id_of_their_last_message(sending: Sending, at: StubAT) -> None:
    app = sending()
    incoming(app, "How are you?", linkId="link-1")
    browser = Browser(app)
    page = browser.get(THREAD).text
    assert re.search(r'value="premium" checked', page)
    browser.post(THREAD, {"key": key_of(page), "message": "Fine", "sender": "premium", "link_id": "link-1"})
    write(browser, NEW, to=PHONE, message="Fine, too", sender="premium")
    assert [seen.fields["linkId"] for seen in at.calls("sms.premium")] == ["link-1", "link-1"]
    write(browser, NEW, to=f"{PHONE},{OTHER}", message="To many", sender="premium")
    assert "linkId" not in at.calls()[-1].fields
    assert "premium" in browser.get(THREAD).text


def test_an_answer_to_our_own_sample_names_no_link_id_for_it_is_invented(sending: Sending, at: StubAT) -> None:
    app = sending()
    incoming(app, "How are you?", linkId=KINDS["sms.incoming_message"].sample["linkId"])
    write(Browser(app), NEW, to=PHONE, message="Fine", sender="premium")
    assert ["linkId" in seen.fields for seen in at.calls("sms.premium")] == [False]


def test_who_opted_out_is_not_written_to(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending()
    browser = Browser(app)
    key = key_of(browser.get(THREAD).text)
    post(app.test_client(), "sms.opt_out", {"senderId": "MyBrand", "phoneNumber": PHONE})
    page = browser.get(THREAD).text
    assert "Blocked, will not send: this person wants no more messages." in page
    assert "<textarea" not in page
    for more in ({}, {"force": "1"}, {"preview": "1"}):
        answer = browser.post(THREAD, {"key": key, "message": "Hello", "sender": "own", **more})
        assert "Blocked, will not send: everybody here wants no more messages." in answer.text
        assert "force" not in answer.text
    assert at.calls() == []
    assert stored(Invocation) == []


def test_a_switch_that_is_off_is_told_before_and_after(sending: Sending, at: StubAT) -> None:
    browser = Browser(sending(spend_enabled=False))
    assert "SPEND_ENABLED=0" in browser.get(THREAD).text
    answer = write(browser)
    assert answer.status_code == 503
    assert "Sending is switched off (SPEND_ENABLED=0): nothing was sent." in answer.text
    assert "Hello</textarea>" in answer.text
    assert at.calls() == []


def test_live_a_message_goes_only_after_a_page_that_says_what_it_is(sending: Sending, at: StubAT) -> None:
    browser = Browser(live(sending, at, dashboard_password="open sesame"))
    browser.get("/login")
    browser.post("/login", {"secret": "open sesame"})
    key = key_of(browser.get(THREAD).text)
    fields = {"key": key, "message": "Hello\nthere", "sender": "own"}
    asked = browser.post(THREAD, fields)
    assert asked.status_code == 200
    assert f"LIVE account '{LIVE['at_username']}': this sends a real SMS to {PHONE} and costs what the network takes" in unescape(
        asked.text
    )
    assert at.calls() == []
    assert "Hello\nthere" in re.search(r'type="hidden" name="message" value="([^"]+)"', asked.text)[1]  # type: ignore[index]
    sent = browser.post(THREAD, fields | {"confirm": "send"})
    assert "Accepted: SMS sent to" in sent.text
    browser.post(THREAD, fields | {"confirm": "send"})
    assert len(at.calls()) == 1
    assert "and costs about KES 0.80." in unescape(write(browser).text)
    assert len(at.calls()) == 1


def test_a_forged_form_is_refused_and_sends_nothing(sending: Sending, at: StubAT, stored: Stored) -> None:
    browser = Browser(sending())
    for path in (THREAD, NEW, "/dashboard/messages/opt-outs"):
        browser.token = "forged"
        answer = browser.post(path, {"to": PHONE, "phone": PHONE, "message": "Hello", "key": "forged-key", "sender": "own"})
        assert answer.status_code == 400
    assert at.calls() == []
    assert stored(Invocation) == []


def test_numbers_are_masked_where_asked_and_conversations_still_open(sending: Sending, at: StubAT) -> None:
    app = sending(privacy=True)
    incoming(app, f"Call me at {OTHER}")
    browser = Browser(app)
    page = browser.get("/dashboard/messages").text
    href = re.search(r'href="(/dashboard/messages/msg_[^"]+)"', page)[1]  # type: ignore[index]
    thread = browser.get(href).text
    sent = browser.post(href, {"key": key_of(thread), "message": "Hello", "sender": "own"})
    assert "Accepted: SMS sent to ***017." in sent.text
    assert len(at.calls()) == 1
    for text in (page, thread, sent.text):
        assert "***017" in text
        assert "711000017" not in text
        assert "711000018" not in text


def test_hostile_text_stays_text(sending: Sending, at: StubAT) -> None:
    app = sending()
    incoming(app, HOSTILE, sender="<b>nobody</b>", linkId=HOSTILE)
    browser = Browser(app)
    page = browser.get("/dashboard/messages").text
    thread = browser.get(re.search(r'href="(/dashboard/messages/msg_[^"]+)"', page)[1]).text  # type: ignore[index]
    typed = write(browser, NEW, to=HOSTILE, message=HOSTILE, link_id=HOSTILE).text
    for text in (page, thread, typed, browser.get(f"/dashboard/messages?q={HOSTILE}").text):
        assert HOSTILE not in text
        assert "<b>nobody" not in text
        assert "&lt;script&gt;" in text
