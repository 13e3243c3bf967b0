"""Money: costs that add up, caps, the switch, orders whose end nobody knows, payments and top-ups."""

import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.models import Cost, Invocation, Recipient
from services import campaigns
from tests import stub_at
from tests.invoking import KINDS, ONLY_SQLITE, PHONE, TOKEN, URLS, Sending, Stored, live
from tests.routes.pages.browsing import Browser
from tests.samples import post
from tests.stub_at import StubAT

MONEY, UNKNOWN = "/dashboard/money", "/dashboard/money/unknown"
HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def pokea(sending: Sending) -> Flask:
    return sending()


@pytest.fixture
def browser(pokea: Flask) -> Browser:
    return Browser(pokea)


def cost_something(app: Flask) -> None:
    """Let Africa's Talking tell of two messages, a call, a session, a top-up and two payments."""
    client = app.test_client()
    for _ in range(2):
        client.get(URLS["sms.bulk"])
    post(client, "voice.event", {"sessionId": "ATVId_1", "isActive": "0", "callerNumber": PHONE, "direction": "Inbound", "durationInSeconds": "60",
        "currencyCode": "KES", "amount": "2.50", "status": "Success"})  # fmt: skip
    post(client, "ussd.session_end", {"sessionId": "ATUid_1", "phoneNumber": "+254711000017", "status": "Success", "cost": "KES 0.1500", "serviceCode": "*1#",
        "networkCode": "63902", "hopsCount": "2", "durationInMillis": "90", "input": "1", "lastAppResponse": "END", "date": "2026-03-04", "errorMessage": "None"})  # fmt: skip
    top_up = {"requestId": "ATQid_1", "status": "Success", "phoneNumber": PHONE, "value": "KES 100.0000", "discount": "KES 4.0000"}
    post(client, "airtime.status", top_up)
    for name, fee in (("ATPid_1", "KES 1.0000"), ("ATPid_2", "UGX 30.0000")):
        payment = {
            "transactionId": name,
            "status": "Success",
            "category": "MobileCheckout",
            "source": PHONE,
            "value": f"{fee[:3]} 1000",
            "transactionFee": fee,
        }
        post(client, "payments.notification", payment)


# What follows from cost_something, counted by hand
BY_HAND = {
    "KES": {"sms": "1.60", "voice": "2.50", "ussd": "0.15", "airtime": "96.00", "payments": "1.00"},
    "UGX": {"payments": "30.00"},
}


def rows_of(page: TestResponse) -> dict[str, str]:
    """Return the costs of the table of products, by currency and product, as they are shown."""
    found = re.findall(r'<th scope="row">(\w+)(?: <span[^<]*</span>)?</th><td class="num">\d+</td><td class="num">([^<]+)</td>', page.text)
    return {f"{cost[:3]} {product}": cost[4:] for product, cost in found}


def svgs(page: TestResponse) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(text) for text in re.findall(r'<svg class="plot".*?</svg>', page.text, re.DOTALL)]


def unknown(app: Flask, at: StubAT, kind: str = "airtime.send", query: str = "", **headers: str) -> str:
    """Place an order whose answer is lost, and return its id."""
    at.fault = stub_at.reset
    answer = app.test_client().get(URLS[kind] + query, headers=headers)
    at.fault = None
    at.seen.clear()
    assert answer.status_code == 202
    return str(answer.get_json()["invocation"]["id"])


def again(browser: Browser, invocation_id: str, follow: bool = True, **fields: Any) -> TestResponse:
    return browser.post(f"/dashboard/invocations/{invocation_id}/again", {"attempt": "1", **fields}, follow)


def test_costs_are_what_was_told_in_table_and_plot(pokea: Flask, browser: Browser, stored: Stored) -> None:
    cost_something(pokea)
    page = browser.get(MONEY)
    assert page.status_code == 200
    assert rows_of(page) == {f"{currency} {product}": cost for currency, costs in BY_HAND.items() for product, cost in costs.items()}
    assert "<b>KES 101.25</b>" in page.text
    assert '<td class="num">KES 5.25</td>' in page.text  # without airtime
    plots = svgs(page)
    assert len(plots) == 2
    for plot, costs in zip(plots, BY_HAND.values(), strict=True):
        bars = [rect for rect in plot.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
        told = [Decimal(str(bar.findtext(f"{SVG}title")).rpartition(" ")[2]) for bar in bars]
        assert (len(bars), sum(told)) == (len(costs), sum(map(Decimal, costs.values())))
        heights = [float(bar.get("height", 0)) for bar in bars]
        assert sum(heights) / float(sum(told)) == pytest.approx(max(heights) / float(max(told)), rel=0.02)
    assert sum(row.amount for row in stored(Cost)) == Decimal("131.25")


def test_a_plot_has_a_name_and_no_style(pokea: Flask, browser: Browser) -> None:
    cost_something(pokea)
    page = browser.get(MONEY)
    plot = svgs(page)[0]
    named = plot.get("aria-labelledby", "").split()
    assert plot.get("role") == "img"
    assert [element.get("id") for element in (plot.find(f"{SVG}title"), plot.find(f"{SVG}desc")) if element is not None] == named
    assert "style=" not in page.text
    ids = re.findall(r'\bid="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))
    assert {name[5:-1] for name in re.findall(r"url\(#[^)]+\)", page.text)} <= set(ids)


@ONLY_SQLITE
def test_numbers_that_cost_most_lead_to_them(pokea: Flask, browser: Browser) -> None:
    cost_something(pokea)
    browser.get(MONEY)
    part = browser.part("/dashboard/money/numbers")
    assert "<html" not in part.text
    found = re.findall(r'href="/dashboard/people/([^"]+)">[^<]+</a></th><td class="num">([^<]+)<', part.text)
    assert found == [("%2B254711000000", "KES 101.10"), ("%2B254711000000", "UGX 30.00"), ("%2B254711000017", "KES 0.15")]
    assert "<html" in browser.get("/dashboard/money/numbers").text


@ONLY_SQLITE
@pytest.mark.parametrize(("since", "status"), [("6d", 200), ("3000-01-01", 200), ("91d", 200), ("2000-01-01", 200), ("yesterday", 400)])
def test_other_times_can_be_asked_for(pokea: Flask, browser: Browser, since: str, status: int) -> None:
    cost_something(pokea)
    page = browser.get(f"{MONEY}?since={since}")
    assert page.status_code == browser.get(f"{MONEY}/numbers?since={since}").status_code == status
    if since == "2000-01-01":
        assert "92 days until" in page.text


@ONLY_SQLITE
def test_an_empty_page_teaches_the_next_step(browser: Browser) -> None:
    assert "flask send sms" in browser.get(MONEY).text
    assert "flask invocations list" in browser.get(UNKNOWN).text
    assert "flask trigger payments.notification" in browser.get(f"{MONEY}/payments").text
    assert "flask send airtime" in browser.get(f"{MONEY}/airtime").text


@ONLY_SQLITE
def test_the_balance_is_a_part_of_its_own_and_asked_once(browser: Browser, at: StubAT) -> None:
    page = browser.get(MONEY)
    assert 'href="/dashboard/money/balance"' in page.text
    assert at.seen == []
    part = browser.part(f"{MONEY}/balance")
    assert ("KES 1,234.50" in part.text, "<html" in part.text) == (True, False)
    assert "<html" in browser.get(f"{MONEY}/balance").text
    assert len(at.seen) == 1


@ONLY_SQLITE
def test_a_balance_that_is_not_told_is_no_error_of_the_page(browser: Browser, at: StubAT) -> None:
    at.fault = stub_at.status(500)
    answer = browser.part(f"{MONEY}/balance")
    assert (answer.status_code, "did not tell the balance" in unescape(answer.text)) == (200, True)


@ONLY_SQLITE
def test_caps_tell_what_is_used(sending: Sending, at: StubAT) -> None:
    app = sending(spend_cap_daily=Decimal(40), spend_cap_number=Decimal(10), sends_per_day=4, spend_cap_order=Decimal(30))
    app.test_client().get(URLS["airtime.send"])
    text = " ".join(browser_text(app))
    assert "KES 10.00 of KES 40.00" in text
    assert f"KES 10.00 of KES 10.00 by {PHONE} used up" in text
    assert "1 of 4" in text
    assert "AIRTIME_DAILY_CAP not set" in text
    assert 'value="0.25"' in Browser(app).get(MONEY).text


def browser_text(app: Flask) -> list[str]:
    """Return the words of the page."""
    return unescape(re.sub(r"<[^>]+>", " ", Browser(app).get(MONEY).text)).split()


@ONLY_SQLITE
def test_live_without_caps_is_warned_of(sending: Sending, at: StubAT) -> None:
    for caps, warns in (({}, True), ({"sends_per_day": 5}, False)):
        browser = logged_in(live(sending, at, dashboard_password="a-long-password", **caps))
        assert ("Nothing bounds what a day may cost" in browser.get(MONEY).text) == warns


def logged_in(app: Flask) -> Browser:
    browser = Browser(app)
    browser.get("/login")
    assert browser.post("/login", {"secret": "a-long-password", "next": MONEY}).status_code == 200
    return browser


def test_the_switch_stops_every_order_and_lets_them_go_again(pokea: Flask, browser: Browser, at: StubAT, sending: Sending) -> None:
    browser.get(MONEY)
    page = browser.post(f"{MONEY}/stop")
    assert "Allow sending again" in page.text
    elsewhere = sending()
    for kind in KINDS:
        assert elsewhere.test_client().get(URLS[kind]).status_code == 503
    assert at.calls() == []
    banner = re.compile(r'class="banner" role="alert">Sending is stopped since .* by a person on the dashboard\.')
    assert all(banner.search(browser.get(path).text) for path in ("/dashboard", MONEY, UNKNOWN, "/dashboard/pulse"))
    page = browser.post(f"{MONEY}/allow")
    assert "Stop all sending" in page.text
    assert not banner.search(page.text)
    assert elsewhere.test_client().get(URLS["sms.bulk"]).status_code == 200


@ONLY_SQLITE
def test_live_allowing_asks_for_a_word(sending: Sending, at: StubAT) -> None:
    app = live(sending, at, dashboard_password="a-long-password")
    browser = logged_in(app)
    browser.get(MONEY)
    assert browser.post(f"{MONEY}/stop").status_code == 200
    assert browser.post(f"{MONEY}/allow", {"confirm": "yes"}).status_code == 400
    assert app.test_client().get(URLS["sms.bulk"], headers=TOKEN).status_code == 503
    assert browser.post(f"{MONEY}/allow", {"confirm": "send"}).status_code == 200
    assert app.test_client().get(URLS["sms.bulk"], headers=TOKEN).status_code == 200


@ONLY_SQLITE
def test_a_setting_that_stops_sending_is_named_and_has_no_button(sending: Sending) -> None:
    text = Browser(sending(spend_enabled=False)).get(MONEY).text
    assert ("SPEND_ENABLED=0" in text, "Allow sending again" in text, "Stop all sending" in text) == (True, False, False)


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_order_is_sent_again_on_its_own_row(pokea: Flask, browser: Browser, at: StubAT, stored: Stored, kind: str) -> None:
    invocation_id = unknown(pokea, at, kind, "&idempotencyKey=order-1042&reference=R-1")
    before = stored(Invocation)[0]
    assert invocation_id in browser.get(UNKNOWN).text
    page = again(browser, invocation_id)
    assert (page.status_code, "Sent again, and taken." in page.text) == (200, True)
    row = stored(Invocation)[0]
    assert (row.id, row.state, row.attempts, row.idempotency_key, row.reference) == (invocation_id, "accepted", 2, "order-1042", "R-1")
    assert (row.fingerprint, row.ordered, row.asked_by) == (before.fingerprint, before.ordered, before.asked_by)
    assert (len(at.calls()), len(stored(Recipient))) == (1, 1)
    # A second click, and the one who asked first
    assert again(browser, invocation_id).status_code == 409
    assert pokea.test_client().get(URLS[kind] + "&idempotencyKey=order-1042&reference=R-1").get_json()["repeated"]
    assert len(at.calls()) == 1
    assert invocation_id not in browser.get(UNKNOWN).text


@pytest.mark.parametrize("ends", ["taken", "lost", "refused"])
def test_eight_clicks_at_once_send_it_once(pokea: Flask, browser: Browser, at: StubAT, stored: Stored, ends: str) -> None:
    invocation_id = unknown(pokea, at)
    browser.get(UNKNOWN)
    at.fault = {"taken": None, "lost": stub_at.reset, "refused": stub_at.status(402, b"No credit")}[ends]

    def click(_number: int) -> int:
        one = pokea.test_client()
        one.set_cookie("pokea", browser.client.get_cookie("pokea").value)
        path = f"/dashboard/invocations/{invocation_id}/again"
        return one.post(path, data={"csrf_token": browser.token, "attempt": "1"}).status_code

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(click, range(8)))
    assert (answers, len(at.calls())) == ([303, *[409] * 7], 1)
    assert click(9) == 409
    assert (len(at.calls()), stored(Invocation)[0].state) == (1, {"taken": "accepted", "lost": "unknown", "refused": "refused"}[ends])


def test_what_refuses_it_leaves_it_unknown(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending(spend_cap_daily=Decimal(100))
    invocation_id, browser = unknown(app, at), Browser(app)
    browser.get(MONEY)
    browser.post(f"{MONEY}/stop")
    assert again(browser, invocation_id).status_code == 503
    browser.post(f"{MONEY}/allow")
    other = sending(spend_cap_daily=Decimal(5))
    strict = Browser(other)
    strict.get(UNKNOWN)
    assert again(strict, invocation_id).status_code == 429
    assert (at.calls(), stored(Invocation)[0].state, stored(Recipient)[0].state) == ([], "unknown", "unknown")
    # Its own first try does not count against the cap.
    exact = Browser(sending(spend_cap_daily=Decimal(10)))
    exact.get(UNKNOWN)
    assert again(exact, invocation_id).status_code == 200
    assert len(at.calls()) == 1


@ONLY_SQLITE
def test_what_some_have_already_is_not_sent_again(pokea: Flask, browser: Browser, at: StubAT) -> None:
    def one_is_lost(answer: dict[str, Any]) -> dict[str, Any]:
        answer["SMSMessageData"]["Recipients"].pop()
        answer["SMSMessageData"]["Recipients"].pop()
        return answer

    at.change = one_is_lost
    url = URLS["sms.bulk"].replace("254711000000", "254711000000,254711000001,254711000002")
    invocation_id = pokea.test_client().get(url).get_json()["invocation"]["id"]
    at.change = None
    assert "Some of its numbers were taken" in browser.get(UNKNOWN).text
    assert "/again" not in browser.get(f"/dashboard/invocations/{invocation_id}").text
    assert again(browser, invocation_id).status_code == 409
    assert len(at.calls()) == 1


@ONLY_SQLITE
def test_a_batch_of_a_campaign_is_sent_again_by_the_campaign(pokea: Flask, browser: Browser, at: StubAT, stored: Stored) -> None:
    at.fault = stub_at.reset
    with pokea.app_context():
        asked = campaigns.read_asked({"name": "News", "channel": "sms", "message": "Hi", "rate": 1000})
        campaigns.start(campaigns.create(asked, campaigns.from_list([PHONE])))
        campaigns.run_due()
    at.fault = None
    assert "It is a batch of a campaign" in browser.get(UNKNOWN).text
    assert again(browser, stored(Invocation)[0].id).status_code == 409
    assert len(at.calls()) == 1


@ONLY_SQLITE
def test_treat_as_sent_and_not_sent(pokea: Flask, browser: Browser, at: StubAT, stored: Stored) -> None:
    sent, not_sent = unknown(pokea, at), unknown(pokea, at, "sms.bulk")
    browser.get(UNKNOWN)
    for invocation_id, state in ((sent, "accepted"), (not_sent, "refused")):
        page = browser.post(f"/dashboard/invocations/{invocation_id}/settle", {"state": state})
        assert "Settled by a person on the dashboard" in page.text
    assert [row.state for row in stored(Invocation)] == ["accepted", "refused"]
    assert (at.calls(), "Of every order it is known" in browser.get(UNKNOWN).text) == ([], True)
    assert browser.post(f"/dashboard/invocations/{sent}/settle", {"state": "refused"}).status_code == 409


@ONLY_SQLITE
def test_live_sending_again_names_the_sum_and_asks_for_a_word(sending: Sending, at: StubAT) -> None:
    app = live(sending, at, dashboard_password="a-long-password")
    invocation_id = unknown(app, at, **TOKEN)
    browser = logged_in(app)
    for path in (UNKNOWN, f"/dashboard/invocations/{invocation_id}"):
        assert f"Send real airtime of KES 10 to {PHONE} again: type <code>send</code>" in browser.get(path).text
    for confirm in ({}, {"confirm": "SEND"}):
        assert again(browser, invocation_id, **confirm).status_code == 400
    assert at.calls() == []
    assert again(browser, invocation_id, confirm="send").status_code == 200
    assert (len(at.calls()), at.calls()[0].headers["Idempotency-Key"] != "") == (1, True)


@ONLY_SQLITE
@pytest.mark.parametrize("attempt", ["", "one", "-1", "9" * 30, "2"])
def test_a_choice_about_another_try_changes_nothing(pokea: Flask, browser: Browser, at: StubAT, stored: Stored, attempt: str) -> None:
    invocation_id = unknown(pokea, at)
    browser.get(UNKNOWN)
    assert again(browser, invocation_id, attempt=attempt).status_code in (400, 409)
    assert again(browser, "inv_none").status_code == 404
    assert (at.calls(), stored(Invocation)[0].state) == ([], "unknown")


@ONLY_SQLITE
@pytest.mark.parametrize(
    "path", [f"{MONEY}/stop", f"{MONEY}/allow", "/dashboard/invocations/{id}/again", "/dashboard/invocations/{id}/settle"]
)
def test_a_forged_form_is_refused(pokea: Flask, browser: Browser, at: StubAT, stored: Stored, path: str) -> None:
    invocation_id = unknown(pokea, at)
    browser.get(UNKNOWN)
    forged = {"csrf_token": "", "attempt": "1", "state": "accepted"}
    assert browser.post(path.format(id=invocation_id), forged).status_code == 400
    assert (at.calls(), stored(Invocation)[0].state) == ([], "unknown")
    assert pokea.test_client().get(URLS["sms.bulk"]).status_code == 200


@ONLY_SQLITE
def test_payments_and_top_ups_tell_state_sum_and_what_they_are_about(pokea: Flask, browser: Browser) -> None:
    client = pokea.test_client()
    post(client, "payments.notification", {"transactionId": "ATPid_1", "status": "Cancelled", "category": "MobileCheckout", "source": PHONE,
        "value": "KES 1000", "productName": HOSTILE, "requestMetadata": {"order": HOSTILE}, "description": HOSTILE})  # fmt: skip
    post(client, "airtime.status", {"requestId": "ATQid_1", "status": "Success", "phoneNumber": "+254711000017", "value": "KES 100.0000", "discount": "KES 4.0000",
        "description": HOSTILE})  # fmt: skip
    payments, airtime = browser.get(f"{MONEY}/payments").text, browser.get(f"{MONEY}/airtime").text
    assert "The person did not confirm. Ask, and start it again." in payments
    assert ("KES 1,000.00" in payments, "KES 100.00" in airtime, "KES 4.00" in airtime) == (True, True, True)
    assert "<script>alert" not in payments + airtime
    assert HOSTILE in unescape(unescape(payments)).replace('\\"', '"')
    for query, has in (("state=Cancelled", True), ("state=Success", False), ("phone=0711000000", False), (f"phone={PHONE[1:]}", True)):
        assert ("ATPid_1" in browser.get(f"{MONEY}/payments?{query}").text) == has
    assert browser.get(f"{MONEY}/payments?state=paid").status_code == 400
    assert browser.get(f"{MONEY}/airtime?after=x").status_code == 400


@ONLY_SQLITE
def test_lists_go_on_by_key(pokea: Flask, browser: Browser, at: StubAT) -> None:
    client = pokea.test_client()
    at.fault = stub_at.reset
    for number in range(53):
        post(
            client, "airtime.status", {"requestId": f"ATQid_{number:02}", "status": "Success", "phoneNumber": PHONE, "value": "KES 1.0000"}
        )
        client.get(URLS["sim_swap.check"] + f"&reference={number}")
    for path, pattern in ((f"{MONEY}/airtime", r"ATQid_\d\d"), (UNKNOWN, r"inv_\w+/again")):
        first = browser.get(path).text
        older = re.search(r'class="older"><a href="([^"]+)"', first)
        assert older
        rest = browser.get(unescape(older[1])).text
        found = [re.findall(pattern, text) for text in (first, rest)]
        assert ([len(set(page)) for page in found], len({*found[0], *found[1]})) == ([50, 3], 53)


@ONLY_SQLITE
def test_numbers_are_masked_where_privacy_asks_for_it(sending: Sending, at: StubAT) -> None:
    app = sending(privacy=True, spend_cap_number=Decimal(100))
    cost_something(app)
    invocation_id = unknown(app, at)
    browser = Browser(app)
    for path in (MONEY, f"{MONEY}/numbers", UNKNOWN, f"{MONEY}/payments", f"{MONEY}/airtime", f"/dashboard/invocations/{invocation_id}"):
        text = browser.get(path).text
        assert "***000" in text
        assert not re.search(r"(%2B|\+)?254711\d{6}", text)


def test_pages_of_money_need_the_login_of_the_dashboard(sending: Sending, at: StubAT) -> None:
    client = live(sending, at, dashboard_password="a-long-password").test_client()
    for path in (MONEY, UNKNOWN, f"{MONEY}/balance", f"{MONEY}/numbers", f"{MONEY}/payments"):
        assert client.get(path).status_code == 303
    assert client.post(f"{MONEY}/stop").status_code in (303, 400)
    assert client.get(URLS["sms.bulk"], headers=TOKEN).status_code == 200
