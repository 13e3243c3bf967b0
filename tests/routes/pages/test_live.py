"""The first page without scripts: its lines, filters and forms, and what an open page asks for."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask

from app.models import Callback, Invocation, Mark
from services.reading.known import since_for
from services.reading.latest import SHARED_FROM, Shared
from tests import rows
from tests.invoking import ONLY_SQLITE, URLS, Sending, Stored, live
from tests.routes.pages.browsing import Browser
from tests.samples import post
from tests.stub_at import StubAT

pytestmark = ONLY_SQLITE
Make = Callable[..., Flask]
MESSAGE = {"from": "+254711000017", "to": "12345", "date": "2026-03-04 10:30:00", "id": "ATXid_1", "text": "Habari"}


def receive(app: Flask, kind: str = "sms.incoming_message", **fields: Any) -> str:
    """Receive a callback and return its id."""
    return post(app.test_client(), kind, MESSAGE | fields if kind == "sms.incoming_message" else fields or None).headers["X-Pokea-Id"]


def ids(html: str) -> list[str]:
    """Return the ids of the lines of a page."""
    return re.findall(r'<tr id="(\w+)"', html)


def test_each_callback_and_order_is_a_line_with_its_words(sending: Sending, at: StubAT) -> None:
    app = sending()
    message = receive(app)
    refused = post(app.test_client(), "sms.incoming_message", {"from": "+254711000017", "text": "x"}).headers["X-Pokea-Id"]
    order = app.test_client().get(URLS["sms.bulk"]).get_json()["invocation"]["id"]
    page = Browser(app).get("/dashboard").text
    assert ids(page) == [order, refused, message]
    assert "+254711000017" in page
    assert "Habari" in page
    # A mark, and its word for who does not see it.
    assert page.count('<span class="sr">ok</span>') == 2
    assert '<span class="sr">refused</span>' in page
    assert "we asked" in page
    assert "told to us" in page


FILTERS = {
    "kind=sms.*": {"message", "stop", "order"}, "kind=sms.bulk": {"order"}, "kind=ussd.session": {"dialled"}, "phone=0711000017": {"message", "stop", "dialled"},
    "phone=%2B254711000000": {"order"}, "phone=254711000017&kind=sms.*": {"message", "stop"}, "q=habari": {"message"}, "q=hello": {"order"}, "session=ATUid_1": {"dialled"},
    "state=accepted": {"message", "stop", "dialled", "order"}, "state=unknown": set(), "since=1h": {"message", "stop", "dialled", "order"}, "until=2020-01-01": set(),
    "since=2030-01-01T00:00:00Z": set(), "kind=&state=&phone=&since=": {"message", "stop", "dialled", "order"}, "reference=ATXid_1": {"message"},
}  # fmt: skip


@pytest.mark.parametrize(("query", "wanted"), FILTERS.items())
def test_filters_stand_in_the_address(sending: Sending, at: StubAT, query: str, wanted: set[str]) -> None:
    app = sending(default_country="KE")
    names = {
        receive(app): "message", receive(app, "sms.opt_out", senderId="12345", phoneNumber="+254711000017"): "stop",
        receive(app, "ussd.session", sessionId="ATUid_1", serviceCode="*384#", phoneNumber="+254711000017", text="", networkCode="63902"): "dialled",
        app.test_client().get(URLS["sms.bulk"]).get_json()["invocation"]["id"]: "order",
    }  # fmt: skip
    page = Browser(app).get(f"/dashboard?{query}").text
    assert {names[one] for one in ids(page)} == wanted
    new = app.test_client().get(f"/dashboard/new?{query}&from={since_for(datetime.now(UTC))}")
    assert {names[one] for one in ids(new.text)} == wanted
    assert new.status_code == (200 if wanted else 204)
    # A line leads to the same list, with itself beside it.
    for link in re.findall(r'href="(/dashboard\?[^"]*sel=[^"]*)"', page + new.text):
        assert all(
            part in unescape(link)
            for part in query.split("&")
            if not part.endswith("=") and "%" not in part and "*" not in part and ":" not in part
        )
        assert "from=" not in link


def test_a_chosen_line_stands_beside_the_list(app: Flask) -> None:
    row_id = receive(app)
    page = Browser(app).get(f"/dashboard?sel={row_id}").text
    assert 'aria-current="true"' in page
    assert f'data-id="{row_id}"' in page
    for gone in ("cb_01ARZ3NDEKTSV4RRFFQ69G5FAV", "inv_x", "%00", "x" * 300):
        answer = Browser(app).get(f"/dashboard?sel={gone}")
        assert (answer.status_code, 'role="alert"' in answer.text) == (200, True)
    assert Browser(app).get(f"/c/{row_id}").headers["Location"] == f"/dashboard?sel={row_id}"


def test_older_lines_are_on_further_pages(app: Flask) -> None:
    sent = [receive(app, id=f"ATXid_{n}") for n in range(120)]
    browser, found, path = Browser(app), [], "/dashboard?kind=sms.*"
    while path:
        page = browser.get(path).text
        found += ids(page)
        links = re.findall(r'<p class="older"><a href="([^"]+)"', page)
        path = unescape(links[0]) if links else ""
        # Only the first page gets what is new.
        assert ('hx-get="/dashboard/new' in page) is (len(found) == 50)
    assert found == sent[::-1]


def test_an_open_page_is_told_what_came_since_and_nothing_twice(app: Flask) -> None:
    before = receive(app)
    client = app.test_client()
    page = client.get("/dashboard").text
    since = re.findall(r'data-from="(\w+)"', page)[0]
    ask = f"/dashboard/new?from={since}&oldest=&have={before[-8:]}"
    quiet = client.get(ask)
    assert (quiet.status_code, quiet.text) == (204, "")
    after = receive(app, id="ATXid_2")
    told = client.get(ask)
    assert (told.status_code, ids(told.text)) == (200, [after])
    assert told.headers["X-From"] > since
    assert client.get(f"{ask}.{after[-8:]}").status_code == 204


def test_what_others_caused_to_be_read_says_how_old_it_is(app: Flask) -> None:
    # Its clock stands still: what was read stays new enough.
    app.extensions["pokea.latest"] = Shared(lambda: 0.0)
    rows.keep(app, *(rows.callback(datetime.now(UTC)) for _ in range(SHARED_FROM)))
    ask = f"/dashboard/new?from={since_for(datetime.now(UTC))}&oldest=&have="
    first = app.test_client().get(ask)
    time.sleep(1.1)
    later = app.test_client().get(ask)
    assert (first.headers["Age"], later.headers["Age"]) == ("0", "1")
    assert later.headers["X-From"][:10] == first.headers["X-From"][:10]


@pytest.mark.parametrize(
    "query", ["", "from=x", "from=", "oldest=x", "from=01ARZ3NDEKTSV4RRFFQ69G5FAV&oldest=%00", "from=7ZZZZZZZZZZZZZZZZZZZZZZZZZ"]
)
def test_an_open_page_that_asks_nonsense_is_refused(app: Flask, query: str) -> None:
    answer = app.test_client().get(f"/dashboard/new?{query}")
    assert (answer.status_code, "must be a place in the list" in answer.text) == (400, True)


def test_any_bytes_are_taken_for_what_is_known(app: Flask) -> None:
    receive(app)
    for have in ("", ".", "%00", "." * 3000, "%ff" * 900):
        assert app.test_client().get(f"/dashboard/new?from={since_for(datetime.now(UTC))}&have={have}").status_code == 200


def test_an_empty_list_teaches_the_next_step(make_app: Make, sending: Sending, at: StubAT) -> None:
    page = Browser(make_app()).get("/dashboard").text
    assert "Send a sample SMS" in page
    assert "flask trigger sms.incoming_message" in page
    assert "Nothing here that fits." in Browser(make_app()).get("/dashboard?kind=sms.*").text
    # What follows from a sample is real there.
    app = live(sending, at, dashboard_password="correct horse")
    browser = Browser(app)
    browser.get("/login")
    browser.post("/login", {"secret": "correct horse"})
    page = browser.get("/dashboard")
    assert "Send a sample SMS" not in page.text
    refused = browser.post("/dashboard/sample", {"kind": "sms.incoming_message"})
    assert (refused.status_code, "type the word send" in refused.text) == (400, True)


@pytest.mark.parametrize(
    ("query", "told"),
    [("", "Filters"), ("?q=x&reference=y", "Filters"), ("?kind=sms.*&phone=254711000017&state=", "Filters (2 on)"), ("?since=24h", "Filters (1 on)")],
)  # fmt: skip
def test_folded_filters_say_how_many_are_on(app: Flask, query: str, told: str) -> None:
    assert f"<summary>{told}</summary>" in Browser(app).get(f"/dashboard{query}").text


@pytest.mark.parametrize(("kind", "status"), [("no.such", 400), ("", 400), ("sms.incoming_message", 503)])
def test_a_sample_goes_to_an_address_that_listens(make_app: Make, kind: str, status: int) -> None:
    browser = Browser(make_app(port=1))
    browser.get("/dashboard")
    assert browser.post("/dashboard/sample", {"kind": kind}).status_code == status


def test_what_was_looked_at_is_no_longer_counted(make_app: Make, stored: Stored) -> None:
    app = make_app()
    refused = post(app.test_client(), "sms.incoming_message", {"from": "+254711000017"}).headers["X-Pokea-Id"]
    receive(app)
    browser = Browser(app)
    page = browser.get("/dashboard?looks=1").text
    assert ids(page) == [refused]
    assert '<b class="count">1</b>' in page
    until = re.findall(r'name="until" value="([^"]+)"', page)[0]
    # It came after the page was made: nobody looked at it.
    late = post(app.test_client(), "sms.incoming_message", {"from": "+254711000018"}).headers["X-Pokea-Id"]
    assert browser.post("/dashboard/looked", {"until": until}).status_code == 200
    page = browser.get("/dashboard?looks=1").text
    assert ids(page) == [late]
    assert '<b class="count">1</b>' in page
    browser.post("/dashboard/looked", {"until": (datetime.now(UTC) + timedelta(days=9)).isoformat()})
    assert ids(browser.get("/dashboard?looks=1").text) == []
    # Nobody looked at what is still to come.
    [mark] = [mark for mark in stored(Mark) if mark.name == "looked at all"]
    assert datetime.fromisoformat(mark.value) <= datetime.now(UTC)
    assert browser.post("/dashboard/looked", {"until": "x"}).status_code == 400


def test_a_callback_is_replayed_edited_and_pinned_by_forms(make_app: Make, stored: Stored) -> None:
    app = make_app()
    row_id = receive(app)
    browser = Browser(app)
    browser.get(f"/dashboard?sel={row_id}")
    replayed = browser.post(f"/dashboard/callbacks/{row_id}/replay")
    assert (replayed.status_code, "the same" in replayed.text) == (200, True)
    browser.get(f"/dashboard/callbacks/{row_id}/edit")
    fields = list(MESSAGE.items())
    edited = browser.post(
        f"/dashboard/callbacks/{row_id}/edit",
        {"name": [name for name, _ in fields], "value": ["+254711000018", *(text for _, text in fields[1:])]},
    )
    assert edited.status_code == 200
    browser.post(f"/dashboard/callbacks/{row_id}/pin")
    rows = stored(Callback)
    assert [row.replay_of for row in rows] == [None, row_id, row_id]
    assert rows[0].pinned_at is not None
    assert rows[2].fields["from"] == "+254711000018"
    assert '<span class="sr">pinned</span>' in browser.get("/dashboard").text


def test_what_was_done_is_said_in_a_part_too(make_app: Make) -> None:
    app = make_app()
    row_id = receive(app)
    browser = Browser(app)
    browser.get(f"/dashboard/callbacks/{row_id}")
    posted = browser.client.post(
        f"/dashboard/callbacks/{row_id}/replay", data={"csrf_token": browser.token}, headers={"HX-Request": "true"}
    )
    part = browser.part(posted.headers["Location"])
    assert (part.text.count('role="status"'), "<html" in part.text) == (1, False)
    assert 'role="status"' not in browser.get("/dashboard").text


def test_numbers_are_masked_where_privacy_asks(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending(privacy=True)
    row_id = receive(app, text="call +254711000018")
    app.test_client().get(URLS["sms.bulk"])
    for path in ("/dashboard", f"/dashboard?sel={row_id}", f"/dashboard?sel={stored(Invocation)[0].id}"):
        page = Browser(app).get(path).text
        assert "254711" not in page, path
    new = app.test_client().get(f"/dashboard/new?from={since_for(datetime.now(UTC))}").text
    assert "***017" in new
    assert "254711" not in new


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "\u202egnp.exe",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_others_stay_texts(app: Flask, text: str) -> None:
    post(app.test_client(), "sms.incoming_message", MESSAGE | {"text": text, text: text, "linkId": text})
    for query in (f"?q={text}", f"?session={text}&phone={text}", f"?reference={text}", "?sel=" + text, ""):
        page = (
            Browser(app).get("/dashboard", **{})
            if not query
            else app.test_client().get("/dashboard", query_string=dict([query[1:].split("=", 1)]))
        )
        assert "<script>" not in page.text
        assert "<img" not in page.text
        assert " onmouseover='" not in page.text
        assert "49{%" not in page.text
