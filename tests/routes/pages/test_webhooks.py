"""The pages of webhooks: endpoints made, changed and tried, deliveries sent again, reactions run again, alerts listed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from flask import Flask

from app.models import Delivery, Endpoint, Reaction
from services import due
from services.reactions import reactions
from services.reactions.acting import Happened
from services.reactions.keywords import on
from services.reading import deliveries
from services.upkeep import alerts
from services.webhooks.courier import Courier
from tests import rows
from tests.invoking import ONLY_SQLITE, live
from tests.receiving import Answer, Receiver
from tests.routes.pages.browsing import Browser
from tests.samples import post
from tests.stub_at import StubAT

Stored = Callable[[type], list[Any]]
Sending = Callable[..., Flask]
pytestmark = ONLY_SQLITE
URL = "/dashboard/webhooks"
FORM = {"events": ["*"], "exact": "", "format": "json"}


@pytest.fixture
def pokea(make_app: Callable[..., Flask]) -> Flask:
    return make_app(webhooks_allow_private=True)


@pytest.fixture
def browser(pokea: Flask) -> Browser:
    browser = Browser(pokea)
    browser.get(URL)
    return browser


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


def add(browser: Browser, url: str, **fields: Any) -> str:
    """Add an endpoint, and return the page that answers."""
    answer = browser.post(URL, {**FORM, "url": url, **fields})
    assert answer.status_code == 200, answer.text
    return answer.text


def secret_in(text: str) -> str:
    found = re.search(r"whsec_[A-Za-z0-9+/=]{40,}", unescape(text))
    assert found, text
    return found[0]


def deliver(app: Flask) -> None:
    """Send what is due, as the worker does."""
    courier = Courier(app, app.config["POKEA"], linger_s=0)
    with app.app_context():
        due.catch_up()
        courier.wake_due()
        assert courier.wait_until_idle(10)


def test_an_empty_list_teaches_the_next_step(browser: Browser) -> None:
    text = browser.get(URL).text
    assert "flask webhooks add" in text
    assert "Add endpoint" in text


def test_a_secret_is_shown_once_and_never_again(browser: Browser, receiver: Receiver, stored: Stored) -> None:
    answer = browser.post(URL, {**FORM, "url": f"{receiver.url}/in?token=abc", "events": ["sms.*"], "exact": "ping, call.completed"})
    [row] = stored(Endpoint)
    assert (row.events, row.format, row.secret) == (["sms.*", "ping", "call.completed"], "json", secret_in(answer.text))
    assert (answer.status_code, answer.headers["Cache-Control"], "Location" in answer.headers) == (200, "no-store", False)
    assert 'href="/docs"' in answer.text
    assert row.secret not in str(answer.headers)
    for path in (URL, f"{URL}/{row.id}", f"{URL}/{row.id}/deliveries", "/dashboard/deliveries", "/dashboard"):
        assert "whsec_A" not in browser.get(path).text
        assert row.secret not in unescape(browser.get(path).text)
    # What opens the receiver is shown only where it is changed.
    assert "token=abc" not in unescape(browser.get(URL).text)


def test_rotating_shows_the_new_secret_once_and_says_how_long_the_old_one_works(
    browser: Browser, receiver: Receiver, stored: Stored
) -> None:
    old = secret_in(add(browser, receiver.url))
    [row] = stored(Endpoint)
    answer = browser.post(f"{URL}/{row.id}/rotate")
    new = secret_in(answer.text)
    assert new != old
    assert old not in unescape(answer.text)
    assert "The old one works until" in answer.text
    settings = browser.get(f"{URL}/{row.id}").text
    assert "the old one works until" in settings
    assert new not in unescape(settings)
    assert [(one.secret, one.previous_secret) for one in stored(Endpoint)] == [(new, old)]


def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(app: Flask, stored: Stored) -> None:
    browser = Browser(app)
    browser.get(URL)
    answer = browser.post(URL, {**FORM, "url": "https://10.0.0.7/in", "events": ["sms.*"], "exact": "sms.delivery_reprot"})
    assert answer.status_code == 400
    text = unescape(answer.text)
    assert "That address is private (10.0.0.7)" in text
    assert "Did you mean sms.delivery_report?" in text
    assert 'value="https://10.0.0.7/in"' in text
    assert 'value="sms.delivery_reprot"' in text
    assert re.search(r'value="sms\.\*" checked', text)
    assert stored(Endpoint) == []


def test_a_ping_reaches_a_receiver_and_is_shown(browser: Browser, pokea: Flask, receiver: Receiver, stored: Stored) -> None:
    secret = secret_in(add(browser, receiver.url))
    [row] = stored(Endpoint)
    answer = browser.post(f"{URL}/{row.id}/ping")
    [delivery] = stored(Delivery)
    assert answer.request.path == f"/dashboard/deliveries/{delivery.id}"
    assert "not tried yet" in answer.text
    deliver(pokea)
    assert len(receiver.came) == 1
    text = unescape(browser.get(f"/dashboard/deliveries/{delivery.id}").text)
    assert "✓ delivered" in text
    assert f'"webhookId":"{row.id}"' in text
    [came] = receiver.came
    signed = f"{came.headers['webhook-id']}.{came.headers['webhook-timestamp']}.{came.body.decode()}"
    assert signed in text
    assert secret not in text
    assert came.headers["webhook-signature"] not in text
    listed = browser.get(URL).text
    assert "works" in listed
    assert "100 % of 1" in listed
    for path in ("/dashboard/deliveries", f"{URL}/{row.id}/deliveries?state=delivered"):
        assert delivery.id in browser.get(path).text


def test_a_receiver_that_fails_is_shown_with_its_reason_and_sent_to_again(browser: Browser, pokea: Flask, stored: Stored) -> None:
    answers = [Answer(503, body=b"<b>closed for +254711000017</b>")]
    with Receiver(lambda _came: answers[0]) as receiver:
        add(browser, receiver.url)
        [row] = stored(Endpoint)
        post(pokea.test_client(), "sms.incoming_message")
        post(pokea.test_client(), "sms.opt_out")
        deliver(pokea)
        listed = unescape(browser.get(URL).text)
        assert "failing" in listed
        assert "with 2 waiting" in listed
        assert "Endpoint answered 503; 2xx is needed." in listed
        of_endpoint = browser.get(f"{URL}/{row.id}/deliveries?state=waiting").text
        assert "try 1 of 10" in of_endpoint
        assert of_endpoint.count("the receiver's next try") == 2 or of_endpoint.count("the receiver&#39;s next try") == 2
        [tried] = [one for one in stored(Delivery) if one.attempts]
        shown = browser.get(f"/dashboard/deliveries/{tried.id}").text
        assert "&lt;b&gt;closed" in shown
        assert "<b>closed" not in shown
        assert f"/dashboard/callbacks/{tried.callback_id}" in shown
        part = browser.part(f"/dashboard/deliveries/{tried.id}").text
        assert part.startswith('<section id="standing" class="card" hx-get=')
        answers[0] = Answer()
        assert "It is tried now." in browser.post(f"/dashboard/deliveries/{tried.id}/resend").text
        deliver(pokea)
        assert {one.state for one in stored(Delivery)} == {"delivered"}
        assert browser.part(f"/dashboard/deliveries/{tried.id}").text.startswith('<section id="standing" class="card">')
        assert "2 deliveries are due now." in browser.post(f"{URL}/{row.id}/replay", {"since": "24h"}).text
        deliver(pokea)
        assert "0 deliveries are due now." in browser.post(f"{URL}/{row.id}/recover", {"since": "24h"}).text
        assert browser.post(f"{URL}/{row.id}/recover", {"since": "soon"}).status_code == 400


def test_an_endpoint_is_changed_turned_off_and_removed(browser: Browser, pokea: Flask, receiver: Receiver, stored: Stored) -> None:
    add(browser, receiver.url)
    [row] = stored(Endpoint)
    own = f"{URL}/{row.id}"
    assert "Changed." in browser.post(own, {"url": f"{receiver.url}/other", "events": ["voice.*"], "exact": "", "format": "original"}).text
    assert [(one.url, one.events, one.format) for one in stored(Endpoint)] == [(f"{receiver.url}/other", ["voice.*"], "original")]
    refused = browser.post(own, {"url": "nonsense", "exact": "", "format": "json"})
    assert (refused.status_code, "must begin with https://" in unescape(refused.text)) == (400, True)
    browser.post(f"{own}/switch")
    assert "by you" in browser.get(URL).text
    assert browser.post(f"{own}/ping").status_code == 409
    browser.post(f"{own}/switch", {"active": "1"})
    assert [one.is_active for one in stored(Endpoint)] == [True]
    assert browser.post(f"{own}/remove").status_code == 400
    assert "Removed" in browser.post(f"{own}/remove", {"sure": "1"}).text
    assert stored(Endpoint) == []
    assert browser.get(own).status_code == 404


def test_an_endpoint_that_is_gone_says_why_it_is_off(browser: Browser, pokea: Flask, stored: Stored) -> None:
    with Receiver(lambda _came: Answer(410)) as receiver:
        add(browser, receiver.url)
        [row] = stored(Endpoint)
        browser.post(f"{URL}/{row.id}/ping")
        deliver(pokea)
    assert "turned off because" in browser.get(URL).text
    assert "when the endpoint is on" in browser.get(f"{URL}/{row.id}/deliveries").text or stored(Delivery)[0].state == "dead"


def test_lists_page_by_key_and_refuse_what_is_no_cursor(browser: Browser, pokea: Flask, receiver: Receiver, stored: Stored) -> None:
    add(browser, receiver.url)
    [row] = stored(Endpoint)
    for _ in range(3):
        browser.post(f"{URL}/{row.id}/ping")
    ids = [one.id for one in reversed(stored(Delivery))]
    first = browser.get("/dashboard/deliveries?limit=2").text
    assert [one in first for one in ids] == [True, True, False]
    rest = browser.get(f"/dashboard/deliveries?limit=2&after={ids[1]}").text
    assert [one in rest for one in ids] == [False, False, True]
    assert ("older …" in first, "older …" in rest) == (True, False)
    for path in ("/dashboard/deliveries", f"{URL}/{row.id}/deliveries", "/dashboard/reactions"):
        assert browser.get(f"{path}?after=x").status_code == 400
        assert browser.get(f"{path}?state=lost").status_code == 400
    with pokea.app_context():
        assert [len(deliveries.page_of(None, 5, row.id, state)[0]) for state in ("waiting", "delivered", "dead")] == [3, 0, 0]


@pytest.mark.parametrize("state", ["waiting", "delivered", "dead"])
def test_deliveries_are_filtered_by_state_and_endpoint(pokea: Flask, state: str) -> None:
    mine, other = rows.delivery("webhook_a", state=state), rows.delivery("webhook_b", state=state)
    done = rows.delivery("webhook_a", state="delivered" if state != "delivered" else "dead")
    rows.keep(pokea, rows.endpoint("webhook_a"), rows.endpoint("webhook_b"), mine, other, done)
    browser = Browser(pokea)
    for path, wanted in ((f"{URL}/webhook_a/deliveries", [mine]), ("/dashboard/deliveries", [mine, other])):
        text = browser.get(f"{path}?state={state}").text
        assert [row[1]["id"] in text for row in (mine, other, done)] == [row in wanted for row in (mine, other, done)]


@pytest.mark.parametrize("path", [f"{URL}/webhook_x", f"{URL}/%00", f"{URL}/x/deliveries", "/dashboard/deliveries/dlv_%00"])
def test_what_is_not_there_is_a_page(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_a_forged_form_changes_nothing(browser: Browser, receiver: Receiver, stored: Stored) -> None:
    add(browser, receiver.url)
    [row] = stored(Endpoint)
    browser.token = "forged"
    own = f"{URL}/{row.id}"
    for path in (URL, own, *(f"{own}/{what}" for what in ("switch", "remove", "rotate", "ping", "recover", "replay"))):
        assert browser.post(path, {**FORM, "url": "https://example.com/", "sure": "1", "since": "1h"}).status_code == 400
    for path in ("/dashboard/deliveries/dlv_1/resend", "/dashboard/reactions/rct_1/again"):
        assert browser.post(path).status_code == 400
    [after] = stored(Endpoint)
    assert (after.url, after.secret, after.is_active, stored(Delivery)) == (row.url, row.secret, True, [])


def test_privacy_masks_numbers_in_what_was_sent_and_answered(make_app: Callable[..., Flask], stored: Stored) -> None:
    app = make_app(webhooks_allow_private=True, privacy=True)
    browser = Browser(app)
    browser.get(URL)
    with Receiver(lambda _came: Answer(500, body=b"no place for +254711000017")) as receiver:
        add(browser, receiver.url)
        post(
            app.test_client(),
            "sms.incoming_message",
            {"from": "+254711000017", "to": "12345", "text": "PIN 1234", "id": "m-17", "date": "x"},
        )
        deliver(app)
    [delivery] = stored(Delivery)
    text = browser.get(f"/dashboard/deliveries/{delivery.id}").text
    assert "711000017" not in text
    assert text.count("***017") >= 3
    assert "1234<" not in text


def broken(happened: Happened) -> None:
    raise ValueError("the ledger of +254711000017 is closed")


def with_a_broken_reaction(app: Flask) -> None:
    """Keep a callback whose reaction fails until it is given up."""
    apps = app.extensions["pokea.apps"]
    app.extensions["pokea.apps"] = replace(apps, flows=replace(apps.flows, reactions=(on("airtime.status", broken),)))
    post(app.test_client(), "airtime.status")
    with app.app_context():
        due.catch_up()


def test_reactions_that_failed_are_shown_and_run_again(pokea: Flask, browser: Browser, stored: Stored) -> None:
    assert "No function of flows/ was called yet." in browser.get("/dashboard/reactions").text
    with_a_broken_reaction(pokea)
    assert "broken" in browser.get("/dashboard/reactions?state=waiting").text
    [row] = stored(Reaction)
    now = datetime.now(UTC)
    with pokea.app_context():
        while stored(Reaction)[0].state == "waiting":
            reactions.run_one(row.id, now := max(now, stored(Reaction)[0].due_at))
    text = unescape(browser.get("/dashboard/reactions?state=dead").text)
    assert "the ledger of ***017 is closed" in text
    assert "in broken" in text
    assert "It is due again" in browser.post(f"/dashboard/reactions/{row.id}/again").text
    assert [one.state for one in stored(Reaction)] == ["waiting"]
    assert browser.post("/dashboard/reactions/rct_x/again").status_code == 404


def test_in_live_mode_a_reaction_is_run_again_only_with_the_word(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = live(sending, at, dashboard_password="p" * 16, callback_checks="off", trusted_proxies=0)
    browser = Browser(app)
    browser.get("/login")
    browser.post("/login", {"secret": "p" * 16})
    browser.get(URL)
    with_a_broken_reaction(app)
    [row] = stored(Reaction)
    refused = browser.post(f"/dashboard/reactions/{row.id}/again")
    assert (refused.status_code, "type the word send" in refused.text) == (400, True)
    assert browser.post(f"/dashboard/reactions/{row.id}/again", {"confirm": "send"}).status_code == 200


def test_alerts_are_listed(browser: Browser) -> None:
    assert "No alert was ever raised." in browser.get("/dashboard/alerts").text


def test_a_banner_leads_to_the_alerts(pokea: Flask) -> None:
    for number in range(6):
        pokea.test_client().post("/api/sms/twoway", data={"text": f"no id {number}"})
    with pokea.app_context():
        alerts.check(datetime.now(UTC))
    text = Browser(pokea).get("/dashboard/alerts").text
    assert "refused callbacks" in text
    assert "not yet" in text
    assert 'href="/dashboard/alerts">Alerts</a></p></div>' in text
