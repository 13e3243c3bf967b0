"""The page of documents: whole, true, small, and its samples can be sent, changed or not."""

import gzip
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask

from app.models import Callback, Endpoint
from app.schemas.callbacks import KINDS
from app.schemas.invokes import INVOKES
from routes.operations import operations
from services import voice_xml
from services.docs.api_docs import answers_of
from services.docs.docs_page import VERIFY, callbacks_told, invokes_told
from services.docs.voice_docs import voice_actions
from services.webhooks.events import EVENTS
from services.webhooks.signing import headers_for
from tests.invoking import LIVE, ONLY_SQLITE
from tests.routes.pages.browsing import ELSEWHERE, Browser
from tests.running import free_port
from tests.serving import listening
from tests.stub_at import StubAT

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]
pytestmark = ONLY_SQLITE
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def served(make_app: Make) -> Iterator[Flask]:
    """An application that listens on its own port."""
    with listening(make_app(port=free_port())) as app:
        yield app


def page_of(app: Flask) -> str:
    return unescape(Browser(app).get("/docs").text)


def section(page: str, name: str) -> str:
    return re.search(rf'<section id="{re.escape(name)}".*?</section>', page, re.DOTALL)[0]


def test_every_callback_is_told_with_its_fields_and_answers(app: Flask) -> None:
    page = page_of(app)
    for kind, row in KINDS.items():
        found = section(page, kind)
        assert row.at_field in found
        for name, field in row.schema.fields.items():
            assert f"<code>{field.data_key or name}</code>{' <b>needed</b>' if field.required else ''}" in found
        assert f'name="kind" value="{kind}"' in found
    for one in operations(app):
        if one.kind:
            found = section(page, one.kind)
            assert f"POST {one.path}" in found
            assert all(f"<b>{answer.status}</b> {answer.media} <code>{answer.body}</code>" in found for answer in answers_of(one))


def test_every_invoke_and_every_address_of_the_api_is_told(app: Flask) -> None:
    page = page_of(app)
    for one in operations(app):
        if one.order:
            assert one.path in section(page, one.order)
        elif one.scopes:
            assert f"<code>{one.method} {one.path}</code>" in page
    for kind, row in INVOKES.items():
        for name, field in row.schema().fields.items():
            assert f"<code>{field.data_key or name}</code>" in section(page, kind)


def test_every_link_within_the_page_leads_somewhere_and_no_place_is_there_twice(app: Flask) -> None:
    page = Browser(app).get("/docs").text
    places = re.findall(r' id="([^"]+)"', page)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= {*places, "main"}


def test_it_is_small_and_quick_to_send(app: Flask) -> None:
    answer = app.test_client().get("/docs", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) < 60_000
    assert len(gzip.decompress(answer.data)) < 250_000


def test_nothing_inline_and_nothing_unasked(app: Flask) -> None:
    page = Browser(app).get("/docs").text
    assert not re.search(r"<script(?! src=)|\sstyle=|\son\w+=", page)


def test_every_event_is_named(app: Flask) -> None:
    page = page_of(app)
    assert all(name in page for name in EVENTS)


def test_voice_actions_are_all_there_with_examples_that_are_right(app: Flask) -> None:
    told = voice_actions()
    assert tuple(action.name for action in told) == voice_xml.ACTIONS
    page = page_of(app)
    for action in told:
        assert ElementTree.fromstring(action.example)[0].tag == action.name
        assert all(f"<code>{name}</code>" in page for name in action.attributes)
        assert action.example in page


def test_the_check_of_webhooks_holds(app: Flask) -> None:
    secret, body = "whsec_" + "A" * 43 + "=", b'{"event":"ping"}'
    row = Endpoint(secret=secret, previous_secret=None, previous_until=None)
    headers = headers_for(row, "evt_1", body, "application/json", datetime.now(UTC), "X-Pokea-Signature")
    place: dict[str, Any] = {}
    exec(compile(VERIFY, "docs", "exec"), place)
    assert place["is_ours"](secret, headers, body)
    assert not place["is_ours"](secret, headers, body + b" ")
    assert VERIFY in page_of(app)


def test_the_long_text_on_webhooks_is_there(app: Flask) -> None:
    page = page_of(app)
    assert 'href="/docs/webhooks"' in page
    assert "Standard Webhooks" in Browser(app).get("/docs/webhooks").text


def test_each_sample_curl_works_as_it_stands(served: Flask, stored: Stored) -> None:
    page, settings = page_of(served), served.config["POKEA"]
    for told in callbacks_told(operations(served), settings, f"http://127.0.0.1:{settings.port}"):
        assert told.curl in page
        subprocess.run(["sh", "-c", told.curl.replace("curl ", "curl -sS ", 1)], check=True, capture_output=True, timeout=30)
    assert [(row.kind, row.state) for row in stored(Callback)] == [(kind, "accepted") for kind in KINDS]
    # A second later it is another one.
    for row in stored(Callback):
        made = [str(row.fields[name]) for name in KINDS[row.kind].named_by if name in row.fields]
        assert [word for word in made if not re.search(r"\d{10}$", word)] == [], row.kind


def test_each_sample_is_sent_with_an_id_of_its_own_and_unchanged_fields(served: Flask, stored: Stored) -> None:
    browser = Browser(served)
    page = browser.get("/docs").text
    for kind, known in KINDS.items():
        answer = browser.post("/docs/sample", form_of(page, kind), follow=False)
        row = stored(Callback)[-1]
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/dashboard?sel={row.id}")
        assert (row.kind, row.state, row.fields.keys()) == (kind, "accepted", known.sample.keys())
        assert {name: type(value) for name, value in row.fields.items()} == {name: type(value) for name, value in known.sample.items()}
        assert not any(str(value).rpartition("_")[2] == "new" for value in row.fields.values())


def form_of(page: str, kind: str) -> dict[str, Any]:
    """Return what a browser would send of the form of a sample."""
    found = section(page, kind)
    pairs = re.findall(r'name="name" value="([^"]*)"><input aria-label="Value of [^"]*" name="value" value="([^"]*)"', found)
    return {
        "kind": kind, "name": [unescape(name) for name, _ in pairs] + [""], "value": [unescape(value) for _, value in pairs] + [""],
    }  # fmt: skip


def test_fields_of_a_sample_are_changed_added_and_left_out(served: Flask, stored: Stored) -> None:
    browser = Browser(served)
    form = form_of(browser.get("/docs").text, "sms.incoming_message")
    form["value"][form["name"].index("text")] = SCRIPT
    form["name"][form["name"].index("networkCode")] = ""
    form |= {"name": [*form["name"], "more", "id"], "value": [*form["value"], "Jambo ☀ \0", "own-id"]}
    page = browser.post("/docs/sample", form).text
    [row] = stored(Callback)
    assert (row.fields["text"], row.fields["id"], "networkCode" in row.fields) == (SCRIPT, "own-id", False)
    assert row.fields["more"].startswith("Jambo ☀ ")
    assert SCRIPT not in page


def test_a_field_of_json_keeps_its_type(served: Flask, stored: Stored) -> None:
    browser = Browser(served)
    form = form_of(browser.get("/docs").text, "payments.validation")
    form["value"][form["name"].index("amount")] = "12.5"
    form["value"][form["name"].index("metadata")] = '{"order": "7"}'
    browser.post("/docs/sample", form)
    [row] = stored(Callback)
    assert (row.fields["amount"], row.fields["metadata"]) == (12.5, {"order": "7"})


def test_a_sample_that_is_refused_is_shown_so(served: Flask, stored: Stored) -> None:
    browser = Browser(served)
    browser.get("/docs")
    page = browser.post("/docs/sample", {"kind": "sms.opt_out", "name": "senderId", "value": ""}).text
    assert ("answered 400" in page, stored(Callback)[0].state) == (True, "refused")


def test_an_open_page_tells_the_answer_in_its_place(served: Flask, stored: Stored) -> None:
    browser = Browser(served)
    page = browser.get("/docs").text
    for place, (kind, status) in enumerate((("sms.delivery_report", 200), ("sms.incoming_message", 400)), 1):
        assert f'data-into="sent-{place}"' in section(page, kind)
        assert f'<div id="sent-{place}" role="status"></div>' in section(page, kind)
        form = form_of(page, kind) | ({} if status == 200 else {"name": "id", "value": ""})
        told = served.test_client().post("/docs/sample", data=form, headers={"HX-Request": "true"})
        assert told.status_code == 400  # a forged one
        told = browser.client.post("/docs/sample", data={**form, "csrf_token": browser.token}, headers={"HX-Request": "true"})
        row = stored(Callback)[-1]
        assert (told.status_code, row.kind, row.answer_status, "<html" in told.text) == (200, kind, status, False)
        assert f"answered <b>{status}</b> <code>{row.answer}</code>" in told.text
        assert f'href="/dashboard/callbacks/{row.id}"' in told.text
    # It was told there, and is not told once more on the next page.
    assert "answered" not in browser.get("/dashboard").text.partition('class="split"')[0]


def test_a_form_without_fields_sends_the_sample_as_it_is(served: Flask, stored: Stored) -> None:
    browser = Browser(served)
    browser.get("/docs")
    assert browser.post("/docs/sample", {"kind": "sms.opt_out"}).status_code == 200
    [row] = stored(Callback)
    assert (row.fields.keys(), all(row.fields.values())) == (KINDS["sms.opt_out"].sample.keys(), True)


def test_a_forged_sample_and_a_kind_that_is_none_are_refused(served: Flask, stored: Stored) -> None:
    assert served.test_client().post("/docs/sample", data={"kind": "sms.opt_out"}).status_code == 400
    browser = Browser(served)
    browser.get("/docs")
    assert browser.post("/docs/sample", {"kind": SCRIPT}).status_code == 400
    assert stored(Callback) == []


def test_live_asks_for_a_word_and_links_to_nothing_that_sends(make_app: Make, stored: Stored) -> None:
    app = make_app(**LIVE, dashboard_password="long-enough-1", port=1)
    browser = Browser(app, ELSEWHERE)
    browser.get("/login")
    browser.post("/login", {"secret": "long-enough-1"})
    page = browser.get("/docs").text
    assert page.count("This is a live account: what follows from a sample is real.") == len(KINDS)
    assert not re.search(r'href="/api/[^"]*invoke', page)
    for secret in (LIVE["at_api_key"], LIVE["invoke_token"], LIVE["callback_token"][0]):
        assert secret not in page
    assert "?token=CALLBACK_TOKEN" in page
    answer = browser.post("/docs/sample", {"kind": "sms.opt_out"})
    assert (answer.status_code, "type the word send" in answer.text) == (400, True)


def test_example_links_work_on_this_machine(sending: Make, at: StubAT) -> None:
    app = sending()
    for one in invokes_told(operations(app)):
        assert f'href="{one.example}"' in page_of(app)
        assert app.test_client().get(one.example).status_code == 200, one.kind


def test_they_are_text_elsewhere_and_behind_the_door(make_app: Make) -> None:
    app = make_app(dashboard_password="long-enough-1")
    assert Browser(app, ELSEWHERE).get("/docs").status_code == 303
    browser = Browser(app, ELSEWHERE)
    browser.get("/login")
    browser.post("/login", {"secret": "long-enough-1"})
    page = browser.get("/docs").text
    assert "/api/voice/invoke-call?phone=" in page
    assert 'href="/api/voice/invoke-call' not in page


def test_the_samples_on_the_page_say_what_json_is(app: Flask) -> None:
    told = {one.kind: one for one in callbacks_told(operations(app), app.config["POKEA"], "http://x")}
    words = shlex.split(told["airtime.validation"].curl)
    assert json.loads(words[words.index("--data-raw") + 1])["amount"] == 500.0
