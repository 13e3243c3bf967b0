"""The pages of campaigns: a form, a preview, a start, and all that a person may do until the end."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask

from app.models import Campaign, CampaignBatch, CampaignRecipient, Recipient
from services import campaigns
from tests import stub_at
from tests.invoking import ONLY_SQLITE, live
from tests.routes.pages.browsing import Browser
from tests.samples import post
from tests.stub_at import StubAT

Stored = Callable[[type], list[Any]]
Sending = Callable[..., Flask]
pytestmark = ONLY_SQLITE
URL = "/dashboard/campaigns"
NEW = f"{URL}/new"
CSV = 'phone,name\n+254711000017,Ann\n0711000018,"Ben, junior"\n12,Bad\n+254711000017,Again\n'
FORM = {"name": "News", "channel": "sms", "message": "Hi {name}", "recipients": CSV}


@pytest.fixture
def pokea(sending: Sending) -> Flask:
    return sending(default_country="KE")


@pytest.fixture
def browser(pokea: Flask) -> Browser:
    browser = Browser(pokea)
    browser.get(NEW)
    return browser


def made(browser: Browser, **fields: Any) -> str:
    """Make a draft, and return the address of its page."""
    answer = browser.post(NEW, {**FORM, **fields})
    assert answer.status_code == 200, answer.text
    return answer.request.path


def run(app: Flask) -> None:
    """Send the batches that may go, as the worker does."""
    with app.app_context():
        campaigns.run_due(datetime.now(UTC) + timedelta(seconds=60))


def test_a_campaign_is_previewed_started_paused_resumed_and_finished(browser: Browser, pokea: Flask, at: StubAT, stored: Stored) -> None:
    assert "Nothing goes before you have seen a preview." in browser.get(URL).text
    browser.get(NEW)
    own = made(browser)
    text = unescape(browser.get(own).text)
    assert "draft: nothing is sent yet" in text
    assert "1 not numbers, 1 repeated, 0 opted out" in text
    assert "Hi Ben, junior" in text
    assert "not a phone number" in text
    assert "hx-get" not in text.partition('id="progress"')[2].partition(">")[0]
    run(pokea)
    assert at.seen == []
    assert "Started" in browser.post(f"{own}/start").text
    part = browser.part(f"{own}/progress").text
    assert 'hx-trigger="every 3s, wake"' in part
    assert part.lstrip().startswith("<section")
    assert "paused" in browser.post(f"{own}/pause").text
    run(pokea)
    assert at.seen == []
    assert "Somebody paused it." in browser.get(own).text
    browser.post(f"{own}/resume")
    run(pokea)
    assert len(at.seen) == 2
    text = unescape(browser.get(own).text)
    assert "finished" in text
    assert "2 of 2 · 100 %" in text
    assert "2 no report yet" in text
    assert "every 3s" not in browser.part(f"{own}/progress").text
    listed = browser.get(URL).text
    assert 'value="2"' in listed
    assert "2 accepted" in listed
    assert browser.post(f"{own}/start").status_code == 409


def test_what_became_of_the_accepted_is_told(browser: Browser, pokea: Flask, at: StubAT, stored: Stored) -> None:
    own = made(browser)
    browser.post(f"{own}/start")
    run(pokea)
    ids = [row.provider_id for row in stored(Recipient)]
    post(pokea.test_client(), "sms.delivery_report", {"id": ids[0], "status": "Success", "phoneNumber": "+254711000017"})
    post(pokea.test_client(), "sms.delivery_report", {"id": ids[1], "status": "Failed", "failureReason": "UserInBlackList"})
    text = browser.get(own).text
    assert "1 delivered" in text
    assert "1 failed" in text


def test_refusals_are_told_in_words(browser: Browser, pokea: Flask, at: StubAT) -> None:
    own = made(browser, recipients="254711000017", message="Hi")
    at.change = refused_by_all
    browser.post(f"{own}/start")
    run(pokea)
    text = unescape(browser.get(own).text)
    assert "Why refused" in text
    assert "1: UserInBlacklist" in text
    assert "UserInBlacklist" in unescape(browser.get(f"{own}/recipients?state=refused").text)


def refused_by_all(answer: Any) -> Any:
    for one in answer["SMSMessageData"]["Recipients"]:
        one |= {"status": "UserInBlacklist", "statusCode": 406, "messageId": "None"}
    return answer


def test_it_says_why_it_paused_by_itself_and_what_to_do(browser: Browser, pokea: Flask, at: StubAT) -> None:
    own = made(browser)
    at.fault = lambda handler, _body: handler.reply(401, b"The supplied authentication is invalid")
    browser.post(f"{own}/start")
    run(pokea)
    text = unescape(browser.get(own).text)
    assert "It paused by itself: mend that, then resume." in text
    assert "did not accept the API key" in text


def test_a_person_chooses_about_what_is_unknown(browser: Browser, pokea: Flask, at: StubAT, stored: Stored) -> None:
    own = made(browser)
    at.fault = stub_at.reset
    browser.post(f"{own}/start")
    run(pokea)
    text = unescape(browser.get(own).text)
    assert "all is sent, some of it unknown" in text
    assert "Of 2 nobody knows whether they got it" in text
    assert "Batch 1: 1 recipient" in text
    assert "Batch 1 counts as sent." in browser.post(f"{own}/batches/1/settle", {"choice": "treat_as_sent", "note": "asked Ann"}).text
    assert "Batch 2 is sent again as batch 3." in browser.post(f"{own}/batches/2/settle", {"choice": "send_again"}).text
    assert [row.chosen and row.chosen["note"] for row in sorted(stored(CampaignBatch), key=lambda row: row.number)] == [
        "asked Ann",
        "",
        None,
    ]
    assert browser.post(f"{own}/batches/1/settle", {"choice": "treat_as_sent"}).status_code == 409
    assert browser.post(f"{own}/batches/1/settle", {"choice": "guess"}).status_code == 400
    for number in ("0", "99", "9" * 30, "9" * 4400):
        assert browser.post(f"{own}/batches/{number}/settle", {"choice": "send_again"}).status_code == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"recipients": ""}, "Nobody to send to"), ({"message": ""}, "Missing 'message'"), ({"message": "Hi {town}"}, "no column 'town'"),
        ({"send_at": "soon"}, "'send_at' must be a time"), ({"quiet_hours": "night"}, "'quiet_hours' must be times"), ({"rate": "0"}, "'rate' must be"),
        ({"name": ""}, "Missing 'name'"), ({"channel": "fax"}, "'channel' must be sms or voice"), ({"recipients": "hello"}, "No recipient is left"),
        ({"recipients": "a,b\n1,2"}, "one of them 'phone'"), ({"message": "Hi {name"}, "brace"), ({"send_at": "x", "rate": "0"}, "'rate' must be"),
        ({"file": (io.BytesIO(b"phone\n254711000017"), "x.csv")}, "Give the recipients once"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_what_was_typed_stays(browser: Browser, stored: Stored, fields: dict[str, Any], said: str) -> None:
    answer = browser.post(NEW, {**FORM, **fields})
    assert (answer.status_code, said in unescape(answer.text)) == (400, True), answer.text
    assert fields.get("name", "News") in answer.text
    assert stored(Campaign) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"recipients": "254711000017\n\n +254 711 000-018 \n"}, {"recipients": "phone\r\n254711000017\r\n254711000018\r\n"},
        {"recipients": "", "file": (io.BytesIO("\ufeffphone;town\n254711000017;Nairobi\n0711000018;Thika\n".encode()), "list.csv")},
    ],
    ids=["one a line", "one column", "a file"],
)  # fmt: skip
def test_recipients_are_taken_as_people_have_them(browser: Browser, stored: Stored, fields: dict[str, Any]) -> None:
    made(browser, message="Hi", send_at="2027-03-04 10:30+03:00", quiet_hours="20:00-08:00", rate="5", **fields)
    [row] = stored(Campaign)
    assert (row.send_at, row.quiet_hours, row.rate) == (datetime(2027, 3, 4, 7, 30, tzinfo=UTC), {"*": ["20:00", "08:00"]}, 5)
    assert [one.phone for one in stored(CampaignRecipient)] == ["+254711000017", "+254711000018"]


def test_a_long_list_is_taken_and_one_too_long_is_a_page(browser: Browser, stored: Stored) -> None:
    lines = "".join(f"+2547110{number:05},{'x' * 300}\n" for number in range(1000))
    made(browser, recipients="", file=(io.BytesIO(f"phone,name\n{lines}".encode()), "long.csv"))
    assert len(stored(CampaignRecipient)) == 1000
    length = {"CONTENT_LENGTH": str(16 * 1024 * 1024 + 1)}
    answer = browser.client.post(NEW, content_type="multipart/form-data; boundary=x", environ_overrides=length)
    assert (answer.status_code, answer.mimetype, "make several campaigns" in answer.text) == (413, "text/html", True)
    # Other forms take no more than before.
    assert browser.post("/dashboard/webhooks", {"url": "x" * 70_000}).status_code == 413


def test_live_starts_only_with_the_word(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = live(sending, at, dashboard_password="p" * 16)
    browser = Browser(app)
    browser.get("/login")
    browser.post("/login", {"secret": "p" * 16})
    browser.get(NEW)
    own = made(browser, recipients="254711000017", message="Hi")
    text = unescape(browser.get(own).text)
    assert "LIVE account acme: this sends real SMS to 1 number for real." in text
    assert "What it costs: not known" in text
    refused = browser.post(f"{own}/start")
    assert (refused.status_code, "type the word send" in refused.text) == (400, True)
    assert [row.state for row in stored(Campaign)] == ["draft"]
    browser.post(f"{own}/start", {"confirm": "send"})
    assert [row.state for row in stored(Campaign)] == ["running"]
    browser.post(f"{own}/pause")
    assert browser.post(f"{own}/resume").status_code == 400


def test_cancelling_is_for_good_and_asks(browser: Browser, stored: Stored) -> None:
    own = made(browser)
    assert browser.post(f"{own}/cancel").status_code == 400
    assert "cancelled" in browser.post(f"{own}/cancel", {"sure": "1"}).text
    assert {row.state for row in stored(CampaignRecipient)} == {"cancelled"}


def test_lists_page_by_key(browser: Browser) -> None:
    own = made(browser)
    campaign_id = own.rpartition("/")[2]
    assert "Ann" in browser.get(f"{own}/recipients?state=created").text
    assert "Nobody is in that state." in browser.get(f"{own}/recipients?state=accepted").text
    assert "Ann" not in browser.get(f"{own}/recipients?after=1").text
    assert [browser.get(path).status_code for path in (f"{own}/recipients?after=x", f"{own}/recipients?state=x")] == [400, 400]
    assert campaign_id not in browser.get(f"{URL}?after={campaign_id}").text
    assert [browser.get(f"{URL}?{query}").status_code for query in ("after=x", "after=cb_01KF3Z0000000000000000000", "state=x")] == [
        400
    ] * 3


@pytest.mark.parametrize("path", [f"{URL}/cmp_x", f"{URL}/%00", f"{URL}/cmp_x/recipients", f"{URL}/cmp_x/progress"])
def test_what_is_not_there_is_a_page(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_hostile_names_and_texts_are_only_text(browser: Browser) -> None:
    evil = "<script>alert(1)</script>\"'{{7*7}}"
    own = made(browser, name=evil, message="<img src=x> {name}", recipients=f"phone,name\n254711000017,{evil.replace(chr(34), '')}\n")
    for path in (URL, own, f"{own}/recipients", f"{own}/progress"):
        text = browser.get(path).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "49" not in text.partition("&lt;script")[2][:60]


def test_privacy_masks_numbers(sending: Sending) -> None:
    browser = Browser(sending(privacy=True))
    browser.get(NEW)
    own = made(browser, name="To +254711000017", message="Call {phone}", recipients="254711000017\n2547110\n")
    for path in (URL, own, f"{own}/recipients", f"{own}/progress"):
        assert "711000017" not in browser.get(path).text
    assert "***017" in browser.get(own).text


def test_a_forged_form_does_nothing(browser: Browser, stored: Stored) -> None:
    own = made(browser)
    browser.token = "forged"
    for path in (NEW, *(f"{own}/{what}" for what in ("start", "pause", "resume", "cancel", "batches/1/settle"))):
        assert browser.post(path, {**FORM, "sure": "1", "confirm": "send", "choice": "send_again"}).status_code == 400
    assert [row.state for row in stored(Campaign)] == ["draft"]
