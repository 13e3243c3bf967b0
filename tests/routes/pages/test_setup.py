"""The page that connects this app with Africa's Talking: addresses, ticks, checks, samples, fields and settings."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pytest_httpserver import HTTPServer

from app.config import load_settings
from app.extensions import db, writing
from app.models import Callback, Mark
from app.schemas.callbacks import KINDS
from app.settings import Settings, declared
from routes.health import instance_name
from services import due, public_reach
from services.field_news import NOW, field_news
from services.samples import USER_AGENT
from services.settings_table import Line, settings_table
from services.ticks import ticks
from tests.invoking import LIVE, ONLY_SQLITE, live
from tests.routes.pages.browsing import ELSEWHERE, Browser
from tests.running import free_port
from tests.samples import PATHS, post
from tests.serving import listening
from tests.stub_at import StubAT

Make = Callable[..., Flask]
Stored = Callable[[type], list[Any]]
TOKEN = "c" * 24
PROVEN = {"callback_token": (TOKEN,)}


def came(app: Flask, kind: str, token: str = "", fields: dict[str, Any] | None = None, **options: Any) -> str:
    """Post a callback, have it processed, and return its id."""
    path = f"{PATHS[kind]}?token={token}" if token else PATHS[kind]
    answer = post(app.test_client(), kind, fields, path, **options)
    with app.app_context():
        due.catch_up()
    return answer.headers["X-Pokea-Id"]


def elsewhere(**environ: str) -> dict[str, Any]:
    return {"environ_overrides": {**ELSEWHERE, **environ}}


def state_of(app: Flask, kind: str) -> str:
    with app.app_context(), db.engine.connect() as connection:
        return ticks(connection, app.config["POKEA"])[kind].state


def test_every_address_is_there_to_paste(make_app: Make) -> None:
    page = Browser(make_app(public_url="https://pokea.example", callback_token=("t&1",))).get("/setup").text
    for kind, path in PATHS.items():
        assert f'data-copy="https://pokea.example{path}?token=t%261"' in page
        assert KINDS[kind].at_field in page
    copied = re.search(r'data-copy="(SMS › Delivery[^"]*)"', page)[1].splitlines()
    assert len(copied) == len(KINDS)
    assert copied[0] == "SMS › Delivery Report URL: https://pokea.example/api/sms/delivery-reports?token=t%261"
    for other in ("/api/sms/delivery", "/api/v1/sms/webhook", "/api/v1/ussd"):
        assert f"https://pokea.example{other}" in page.partition("Other spellings")[2]


def test_without_a_public_address_the_page_says_so(app: Flask) -> None:
    page = Browser(app).get("/setup").text
    assert "Africa&#39;s Talking cannot reach these" in page or "Africa's Talking cannot reach these" in page
    assert "http://127.0.0.1:9000/api/sms/twoway" in page


def test_a_tick_turns_as_callbacks_come(make_app: Make) -> None:
    app, kind = make_app(**PROVEN), "sms.delivery_report"
    browser = Browser(app)
    fields = [KINDS[kind].sample | {"id": f"m{number}"} for number in range(6)]
    assert state_of(app, kind) == "none"
    assert "○</span> not seen yet" in browser.get("/setup").text
    came(app, kind, TOKEN, fields[0])
    assert state_of(app, kind) == "local"
    came(app, kind, TOKEN, fields[1], headers={"User-Agent": USER_AGENT})
    assert state_of(app, kind) == "sample"
    came(app, kind, TOKEN, fields[2], headers={"User-Agent": USER_AGENT}, **elsewhere())
    assert state_of(app, kind) == "tunnel"
    assert "our own sample arrived through the public URL" in browser.get("/setup").text
    seen = came(app, kind, TOKEN, fields[3], headers={"User-Agent": "akka-http"}, **elsewhere())
    assert state_of(app, kind) == "proven"
    page = browser.get("/setup").text
    assert re.search(rf'seen and proven, <span title="[^"]+">\d s ago</span>, 200 <a href="/dashboard/callbacks/{seen}"', page)
    # What is tried here afterwards takes nothing away.
    came(app, kind, TOKEN, fields[4], headers={"User-Agent": USER_AGENT})
    assert state_of(app, kind) == "proven"
    refused = came(app, kind, TOKEN, {"id": "m9"}, **elsewhere())
    assert state_of(app, kind) == "error"
    assert f'400 <a href="/dashboard/callbacks/{refused}"' in browser.get("/setup").text
    # Taken too soon after the last one to be remembered, and an answer all the same.
    came(app, kind, TOKEN, fields[5], headers={"User-Agent": "akka-http"}, **elsewhere())
    assert state_of(app, kind) == "proven"
    assert state_of(app, "sms.opt_out") == "none"


@pytest.mark.parametrize(
    ("settings", "token", "headers", "state"),
    [
        ({}, "", {}, "unproven"),
        ({**PROVEN, "callback_checks": "warn"}, "", {}, "unproven"),
        ({**PROVEN, "callback_checks": "warn"}, TOKEN, {}, "proven"),
        ({"callback_allowed_ips": ("198.51.100.0/24",)}, "", {}, "proven"),
    ],
    ids=["no check", "a check that failed", "a token", "an address"],
)  # fmt: skip
@ONLY_SQLITE
def test_seen_is_not_proven_without_a_check(
    make_app: Make, settings: dict[str, Any], token: str, headers: dict[str, str], state: str
) -> None:
    app = make_app(**settings)
    came(app, "ussd.session", token, headers=headers, **elsewhere())
    assert state_of(app, "ussd.session") == state


@ONLY_SQLITE
def test_a_proxy_that_nobody_named_is_not_this_machine(make_app: Make) -> None:
    app = make_app(**PROVEN)
    came(app, "ussd.session", TOKEN, headers={"X-Forwarded-For": "127.0.0.1"})
    assert state_of(app, "ussd.session") == "local"
    came(app, "ussd.session_end", TOKEN, headers={"X-Forwarded-For": "203.0.113.9"})
    assert state_of(app, "ussd.session_end") == "proven"


@ONLY_SQLITE
def test_a_replay_turns_no_tick(make_app: Make) -> None:
    app = make_app(**PROVEN)
    first = came(app, "sms.opt_out", TOKEN, {"senderId": "x"})
    browser = Browser(app)
    browser.get(f"/dashboard/callbacks/{first}")
    browser.post(f"/dashboard/callbacks/{first}/replay", {"where": "effects"})
    assert state_of(app, "sms.opt_out") == "error"
    came(app, "ussd.session", TOKEN)
    assert state_of(app, "ussd.session") == "local"


@ONLY_SQLITE
def test_what_one_account_saw_says_nothing_of_another(make_app: Make) -> None:
    came(make_app(**PROVEN, at_mode="sandbox", at_api_key="k"), "sms.opt_out", TOKEN, **elsewhere())
    assert state_of(make_app(**LIVE), "sms.opt_out") == "none"


@ONLY_SQLITE
def test_marks_are_written_rarely(make_app: Make, stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(**PROVEN)
    first = came(app, "sms.delivery_report", TOKEN, {"id": "m1", "status": "Sent"})
    came(app, "sms.delivery_report", TOKEN, {"id": "m2", "status": "Sent"})
    [mark] = [mark for mark in stored(Mark) if mark.name.startswith("tick ")]
    assert mark.value["id"] == first
    with app.app_context(), writing() as connection:
        old = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        connection.execute(db.update(Mark).where(Mark.name == mark.name).values(value={**mark.value, "at": old}))
    third = came(app, "sms.delivery_report", TOKEN, {"id": "m3", "status": "Sent"})
    assert [mark.value["id"] for mark in stored(Mark) if mark.name.startswith("tick ")] == [third]


def test_an_open_page_is_told_of_ticks_that_changed(make_app: Make) -> None:
    app = make_app(**PROVEN)
    browser, base = Browser(app), "base=http://127.0.0.1:9000"
    came(app, "ussd.session", TOKEN, **elsewhere())
    part = browser.part(f"/setup/ticks?{base}&have=ussd.session:none&have=sms.opt_out:none").text
    assert re.search(r'<span id="tick-ussd.session" hx-swap-oob="true" class="new"><span class="sign good"', part)
    assert re.search(r'<span id="tick-sms.opt_out" hx-swap-oob="true"><span class="sign calm"', part)
    assert 'class="new"' not in browser.part(f"/setup/ticks?{base}&" + "&".join(re.findall(r'name="(have)" value="([^"]+)"', part) and [
        f"have={value}" for _, value in re.findall(r'name="(have)" value="([^"]+)"', part)])).text  # fmt: skip
    moved = browser.part("/setup/ticks?base=https://old.example")
    assert (moved.headers["HX-Refresh"], moved.text) == ("true", "")


@ONLY_SQLITE
def test_the_page_says_which_addresses_point_to_an_old_tunnel(make_app: Make) -> None:
    app = make_app(**PROVEN, public_url="https://new.ngrok.example")
    browser = Browser(app)
    came(app, "sms.opt_out", TOKEN, headers={"Host": "old.ngrok.example"}, **elsewhere())
    came(app, "ussd.session", TOKEN, headers={"X-Forwarded-Host": "old.ngrok.example"}, **elsewhere())
    came(app, "sms.subscription", TOKEN, headers={"Host": "new.ngrok.example"}, **elsewhere())
    came(app, "airtime.status", TOKEN, headers={"Host": "third.example", "User-Agent": USER_AGENT}, **elsewhere())
    page = browser.get("/setup").text
    assert "Your public URL changed from old.ngrok.example to https://new.ngrok.example. The 2 URLs already seen" in page
    new = re.search(r'data-copy="([^"]+)" hidden>Copy new URLs', page)[1].splitlines()
    assert [line.partition(": ")[2].partition("?")[0] for line in new] == [
        "https://new.ngrok.example/api/sms/opt-out", "https://new.ngrok.example/api/ussd/session",
    ]  # fmt: skip
    assert "Your public URL changed" not in Browser(make_app(**PROVEN)).get("/setup").text


@pytest.mark.parametrize(
    ("settings", "says"), [({}, True), ({"at_base_url": "http://127.0.0.1:9"}, False), ({"at_mode": "emulator"}, False)]
)
@ONLY_SQLITE
def test_the_sandbox_has_no_voice(make_app: Make, settings: dict[str, Any], says: bool) -> None:
    page = Browser(make_app(**{"at_mode": "sandbox", "at_username": "sandbox", "at_api_key": "k", **settings})).get("/setup").text
    assert page.count("sandbox has no voice") == (4 if says else 0)
    assert ('href="/api/voice/invoke-call' in page) != says


@pytest.fixture
def served(make_app: Make) -> Iterator[Flask]:
    """An application that listens."""
    with listening(make_app(**PROVEN, port=free_port())) as app:
        yield app


def test_a_sample_is_posted_and_told(served: Flask, stored: Stored) -> None:
    browser = Browser(served)
    browser.get("/setup")
    page = browser.post("/setup/sample", {"kind": "sms.incoming_message"}).text
    [row] = stored(Callback)
    assert (row.kind, row.checks, row.headers["User-Agent"]) == ("sms.incoming_message", {"token": True}, USER_AGENT)
    assert "sms.incoming_message: answered 200" in page
    assert state_of(served, "sms.incoming_message") == "sample"
    assert browser.post("/setup/sample", {"kind": "sms.nothing"}).status_code == 400


@ONLY_SQLITE
def test_a_stranger_at_the_public_address_is_shown_no_token(make_app: Make, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/healthz").respond_with_json({"instance": "another"})
    browser = Browser(make_app(**PROVEN, public_url=httpserver.url_for("").rstrip("/")))
    browser.get("/setup")
    answer = browser.post("/setup/sample", {"kind": "sms.opt_out"})
    assert (answer.status_code, "answers, but not from this app" in answer.text) == (503, True)
    assert [request.path for request, _ in httpserver.log] == ["/healthz"]


@ONLY_SQLITE
def test_live_posts_a_sample_only_to_who_means_it(sending: Make, at: StubAT, stored: Stored) -> None:
    app = live(sending, at, dashboard_password="offen-sesam", port=free_port())
    browser = Browser(app)
    browser.get("/login")
    browser.post("/login", {"secret": "offen-sesam"})
    page = browser.get("/setup").text
    assert 'name="confirm"' in page
    assert 'href="/api/' not in page
    assert "INVOKE_TOKEN" in page
    assert TOKEN in page
    assert LIVE["invoke_token"] not in page
    refused = browser.post("/setup/sample", {"kind": "sms.opt_out"})
    assert (refused.status_code, "type the word send" in refused.text, stored(Callback)) == (400, True, [])
    # Meant, but nothing listens there.
    assert browser.post("/setup/sample", {"kind": "sms.opt_out", "confirm": "send"}).status_code == 503


def tunnels_of(httpserver: HTTPServer, port: int, url: str) -> str:
    """Let a server say what ngrok's local API says of a tunnel to a port, and return that address."""
    told = {"tunnels": [{"public_url": url, "config": {"addr": f"http://localhost:{port}"}}]}
    httpserver.expect_request("/api/tunnels").respond_with_json(told)
    return httpserver.url_for("/api/tunnels")


@ONLY_SQLITE
def test_a_tunnel_is_followed_to_where_it_ends(served: Flask, httpserver: HTTPServer) -> None:
    settings = served.config["POKEA"]
    with served.app_context():
        own = tunnels_of(httpserver, settings.port, f"http://127.0.0.1:{settings.port}")
        found = public_reach.reach(settings, instance_name(), own)
        assert (found.source, found.state, "reaches this app" in found.message) == ("ngrok", "ours", True)
        assert public_reach.reach(settings, instance_name(), f"http://127.0.0.1:{free_port()}/").state == "none"
        httpserver.clear()
        other = tunnels_of(httpserver, settings.port, httpserver.url_for("").rstrip("/"))
        httpserver.expect_request("/healthz").respond_with_data("<html>")
        found = public_reach.reach(settings, instance_name(), other)
        assert (found.state, f"Expected: ngrok http {settings.port}" in found.message) == ("other", True)
        httpserver.clear()
        gone = tunnels_of(httpserver, settings.port, f"http://127.0.0.1:{free_port()}")
        assert public_reach.reach(settings, instance_name(), gone).state == "silent"


def test_the_public_address_is_checked_when_somebody_asks(make_app: Make, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/healthz").respond_with_json({"instance": "another"})
    browser = Browser(make_app(public_url=httpserver.url_for("").rstrip("/")))
    page = browser.get("/setup").text
    assert ("Not checked yet." in page, httpserver.log) == (True, [])
    page = browser.post("/setup/check-public").text
    assert "answers, but not from this app. Is it pointing at another port? Expected: ngrok http 9000" in page
    assert "found from PUBLIC_URL" in page
    token = {"csrf_token": browser.token}
    for times, fields in ((1, token), (2, {**token, "now": "1"})):
        part = browser.client.post("/setup/check-public", data=fields, headers={"HX-Request": "true"})
        # Pages that are open ask at most every five seconds together, a person whenever they like.
        assert ("answers, but not from this app" in part.text, "<html" in part.text, len(httpserver.log)) == (True, False, times)


def test_the_account_is_asked_for_only_when_somebody_asks(sending: Make, at: StubAT) -> None:
    browser = Browser(sending(at_mode="sandbox", at_username="sandbox", at_api_key="atsk_0123456789abcdef4f2a"))
    page = browser.get("/setup").text
    assert ("login not tried yet" in page, "key set, ends …4f2a" in page, at.seen) == (True, True, [])
    assert "✓ login ok</b> · balance KES 1234.5000" in browser.post("/setup/check-account").text
    other = Browser(sending(at_mode="sandbox", at_username="sandbox", at_api_key="wrong-key-1"))
    other.get("/setup")
    page = other.post("/setup/check-account").text
    assert ("the API key is not accepted" in page, "wrong-key-1" in page) == (True, False)


@pytest.mark.parametrize("path", ["/setup/sample", "/setup/check-public", "/setup/check-account"])
@ONLY_SQLITE
def test_a_forged_form_does_nothing(app: Flask, stored: Stored, path: str) -> None:
    assert app.test_client().post(path, data={"kind": "sms.opt_out"}).status_code == 400
    assert (stored(Callback), stored(Mark)) == ([], [])


@ONLY_SQLITE
def test_whoever_is_elsewhere_logs_in_first(app: Flask) -> None:
    for path in ("/setup", "/setup/ticks", "/setup/fields"):
        assert Browser(app, ELSEWHERE).get(path).status_code == 303


def test_new_and_vanished_fields_are_told(make_app: Make) -> None:
    app = make_app()
    client = app.test_client()
    for number in range(3):
        post(client, "sms.delivery_report", {"id": f"a{number}", "status": "Sent", "networkCode": "63902"})
    for number in range(NOW):
        post(client, "sms.delivery_report", {"id": f"b{number}", "status": "Sent"} | ({"networkCode2": "1"} if number > 97 else {}))
    with app.app_context(), db.engine.connect() as connection:
        found = {(one.name, one.is_new): (one.kind, one.count, one.is_older) for one in field_news(connection)}
    assert found == {("networkCode2", True): ("sms.delivery_report", 2, False), ("networkCode", False): ("sms.delivery_report", 0, False)}
    page = Browser(app).get("/setup/fields").text
    assert "<code>networkCode2</code>: new since" in page
    assert "<code>networkCode</code>: came last" in page
    assert "<html" not in Browser(app).part("/setup/fields").text


@ONLY_SQLITE
def test_what_strangers_make_up_does_not_fill_the_page(make_app: Make) -> None:
    app = make_app(privacy=True)
    made_up = {f"<b>{number}{'x' * 99}": "1" for number in range(50)} | {"+254711000017": "1"}
    came(app, "sms.opt_out", fields=KINDS["sms.opt_out"].sample | made_up)
    page = Browser(app).get("/setup/fields").text
    assert page.count("new since") == 10
    assert ("<b>1" in page, "x" * 61 in page, "254711000017" in page) == (False, False, False)


@ONLY_SQLITE
def test_nobody_s_number_is_on_the_page_under_privacy(make_app: Make) -> None:
    app = make_app(privacy=True, at_voice_number="+254711000082")
    came(app, "sms.incoming_message")
    page = Browser(app).get("/setup").text
    assert ("254711000017" in page, "254711000082" in page, "***082" in page) == (False, False, True)


SECRETS = {
    "at_api_key": "atsk_geheim_0123456789", "secret_key": "geheim-cookies-0123456789", "webhook_secret": ("geheim-eins-0123456789", "geheim2"),
    "invoke_token": "geheim-senden-0123456789", "dashboard_password": "geheim-tor", "broker_url": "amqp://a:geheim@127.0.0.1:5672//",
    "alert_url": "https://alerts.example/geheim-0123456789", "ussd_app_url": "https://a:geheim@app.example/ussd?key=geheim",
}  # fmt: skip


def test_no_secret_is_on_the_page(make_app: Make) -> None:
    page = Browser(make_app(**{**SECRETS, "broker_url": ""})).get("/setup").text
    assert "geheim" not in page
    for name in ("at_api_key", "secret_key", "invoke_token"):
        assert f"set, ends …{SECRETS[name][-4:]}" in page
    assert "set, ends …6789 · set<" in page
    assert "https://app.example/ussd" in page


def lines(settings: Settings) -> dict[str, Line]:
    return {line.name: line for line in settings_table(settings)}


def test_secrets_in_addresses_are_masked() -> None:
    table = lines(Settings(**SECRETS, database_url="postgresql+psycopg://a:geheim@db.example/pokea"))
    assert table["DATABASE_URL"].value == "postgresql+psycopg://a:***@db.example/pokea"
    assert not [line for line in table.values() if "geheim" in line.value]
    assert table["DASHBOARD_PASSWORD"].value == "set"


def test_each_setting_tells_where_it_came_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for entry in declared():
        monkeypatch.delenv(entry.name.upper(), raising=False)
    (tmp_path / "key").write_text("atsk_0123456789\n")
    (tmp_path / ".env").write_text(
        f"AT_USERNAME=sandbox\nAT_SHORTCODE=12345\nAT_SENDER_ID=\nAT_API_KEY_FILE={tmp_path / 'key'}\nWEBHOOK_BASE_URL=https://pokea.example\n"
    )
    monkeypatch.setenv("PORT", "9100")
    # Flask copies .env into the environment before it is read here.
    monkeypatch.setenv("AT_USERNAME", "sandbox")
    monkeypatch.setenv("AT_SHORTCODE", "54321")
    table = lines(load_settings(tmp_path / ".env"))
    wanted = {
        "PORT": ("9100", "environment"), "AT_USERNAME": ("sandbox", ".env"), "AT_SHORTCODE": ("54321", "environment"),
        "AT_SENDER_ID": ("not set", "default"), "AT_API_KEY": ("set, ends …6789", "file (AT_API_KEY_FILE in .env)"),
        "PUBLIC_URL": ("https://pokea.example", ".env (WEBHOOK_BASE_URL)"), "RETENTION_DAYS": ("7", "default in sandbox mode"),
        "AT_MODE": ("sandbox", "follows from AT_USERNAME and AT_API_KEY"), "AT_TIMEOUT_S": ("12", "default"), "SPEND_ENABLED": ("1", "default"),
    }  # fmt: skip
    assert {name: (table[name].value, table[name].source) for name in wanted} == wanted
    assert all(line.meaning for line in table.values())
