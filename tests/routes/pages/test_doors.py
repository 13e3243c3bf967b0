"""Who may see pages, how a person gets in from elsewhere, and what pages tell to who is not in."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.routing import Rule

from app.extensions import writing
from app.models import Callback, Mark
from routes.pages import CONTENT_SECURITY_POLICY
from services import login_links
from tests.invoking import LIVE, ONLY_SQLITE, URLS, Sending, Stored, live
from tests.routes.pages.browsing import ELSEWHERE, Browser
from tests.samples import post
from tests.stub_at import StubAT

Make = Callable[..., Flask]
PASSWORD = "correct horse battery"
TUNNEL = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}
HTTPS = TUNNEL | {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "abc123.ngrok.app"}


def code_of(app: Flask, now: datetime | None = None) -> str:
    """Return a new one-time code."""
    with app.app_context():
        return login_links.make(now or datetime.now(UTC))


def log_in(browser: Browser, secret: str, next_page: str = "") -> Any:
    """Log in as a person does, and stay on the answer."""
    browser.get("/login")
    return browser.post("/login", {"secret": secret, "next": next_page}, follow=False)


NOT_HERE = {
    "another peer": {"REMOTE_ADDR": "198.51.100.7"}, "another name": {"HTTP_HOST": "abc123.ngrok.app"}, "a rebound name": {"HTTP_HOST": "evil.example:9000"},
    "no name": {"HTTP_HOST": ""}, "half a name": {"HTTP_HOST": "[::1"}, "a name with a user": {"HTTP_HOST": "localhost@evil.example"},
    "a tunnel": {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, "a tunnel's host": {"HTTP_X_FORWARDED_HOST": "localhost"}, "a tunnel's scheme": {"HTTP_X_FORWARDED_PROTO": "http"},
    "an empty header": {"HTTP_X_FORWARDED_FOR": ""}, "the standard's header": {"HTTP_FORWARDED": "for=127.0.0.1"}, "another proxy": {"HTTP_VIA": "1.1 proxy"},
    "nginx": {"HTTP_X_REAL_IP": "127.0.0.1"}, "cloudflared": {"HTTP_CF_CONNECTING_IP": "127.0.0.1"}, "a socket": {"REMOTE_ADDR": ""},
}  # fmt: skip


@ONLY_SQLITE
@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1", "[::1]:9000", "LOCALHOST"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_who_sits_at_this_machine_needs_no_login(app: Flask, host: str, peer: str) -> None:
    assert Browser(app, {"HTTP_HOST": host, "REMOTE_ADDR": peer}).get("/dashboard").status_code == 200


@ONLY_SQLITE
@pytest.mark.parametrize("hops", [0, 1])
@pytest.mark.parametrize("environ", NOT_HERE.values(), ids=NOT_HERE)
def test_who_does_not_is_led_to_the_login(make_app: Make, environ: dict[str, str], hops: int) -> None:
    browser = Browser(make_app(trusted_proxies=hops), environ)
    answer = browser.get("/dashboard/callbacks/cb_1?a=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/dashboard/callbacks/cb_1?a%3D1")
    assert "/login" in browser.get("/docs").headers["Location"]
    part = browser.part("/dashboard/pulse")
    assert (part.status_code, part.text, part.headers["HX-Redirect"]) == (401, "", "/login")


def path_values(rule: Rule) -> dict[str, str]:
    """Return a value for each variable part of an address."""
    return {name: next(iter(getattr(rule._converters[name], "items", ())), "1") for name in rule.arguments}


@ONLY_SQLITE
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_page_is_open_to_strangers(app: Flask, method: str) -> None:
    client = app.test_client()
    open_to_all = {"pages.login.form", "pages.login.enter", "pages.static"}
    asked = 0
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("pages.") or rule.endpoint in open_to_all or method not in (rule.methods or ()):
            continue
        path = app.url_map.bind("localhost").build(rule.endpoint, path_values(rule))
        answer = client.open(path, method=method, environ_overrides=TUNNEL)
        assert (answer.status_code, answer.headers["Location"].startswith("/login")) == (303, True), path
        asked += 1
    assert asked > 5


@ONLY_SQLITE
def test_live_needs_the_password_also_at_this_machine(sending: Sending, at: StubAT) -> None:
    browser = Browser(live(sending, at, dashboard_password=PASSWORD))
    assert browser.get("/dashboard").status_code == 303
    assert log_in(browser, PASSWORD).status_code == 303
    assert browser.get("/dashboard").status_code == 200


@ONLY_SQLITE
def test_live_without_a_password_says_how_to_set_one(sending: Sending, at: StubAT) -> None:
    app = live(sending, at)
    browser = Browser(app)
    for path in ("/dashboard", "/login", "/docs", "/dashboard/pulse"):
        answer = browser.get(path)
        assert (answer.status_code, "DASHBOARD_PASSWORD" in answer.text) == (403, True)
        # It tells a stranger nothing of what is inside.
        assert "acme" not in answer.text
        assert "Needs a look" not in answer.text
    said = app.test_cli_runner().invoke(args=["login-link"])
    assert (said.exit_code, "DASHBOARD_PASSWORD" in said.output) == (1, True)


@ONLY_SQLITE
def test_a_login_from_before_it_was_live_opens_nothing(make_app: Make) -> None:
    before = make_app()
    browser = Browser(before, TUNNEL)
    assert log_in(browser, code_of(before)).status_code == 303
    cookie = browser.client.get_cookie("pokea")
    assert cookie
    for settings in (LIVE, LIVE | {"dashboard_password": PASSWORD}):
        client = make_app(**settings).test_client()
        client.set_cookie("pokea", cookie.decoded_value)
        assert client.get("/dashboard").status_code in (303, 403)
        assert client.get(URLS["sms.bulk"]).status_code == 403


@ONLY_SQLITE
def test_a_code_opens_once(make_app: Make) -> None:
    app = make_app()
    printed = app.test_cli_runner().invoke(args=["login-link"]).output.strip()
    code = printed.partition("/login?code=")[2]
    assert printed == f"http://127.0.0.1:9000/login?code={code}"
    # Whatever opens the link ahead of the person does not use it up.
    for headers in ({}, {"Sec-Purpose": "prefetch"}, {"User-Agent": "Slackbot-LinkExpanding 1.0"}):
        page = Browser(app, TUNNEL).get(f"/login?code={code}", **headers)
        assert f'value="{code}"' in page.text
    first, second = Browser(app, TUNNEL), Browser(app, TUNNEL)
    assert log_in(first, code).headers["Location"] == "/dashboard"
    assert first.get("/dashboard").status_code == 200
    assert log_in(second, code).status_code == 403
    assert second.get("/dashboard").status_code == 303


@pytest.mark.parametrize(("minutes", "status"), [(14, 303), (16, 403)])
def test_a_code_is_good_for_a_quarter_of_an_hour(app: Flask, stored: Stored, minutes: int, status: int) -> None:
    code = code_of(app, datetime.now(UTC) - timedelta(minutes=minutes))
    assert code not in str([mark.name for mark in stored(Mark)])
    assert log_in(Browser(app, TUNNEL), code).status_code == status


@ONLY_SQLITE
@pytest.mark.parametrize("secret", ["", " ", "wrong", "\0", "é" * 50, "x" * 5000, PASSWORD.upper()])
@pytest.mark.parametrize("password", ["", PASSWORD])
def test_what_is_neither_password_nor_code_is_refused(make_app: Make, password: str, secret: str) -> None:
    browser = Browser(make_app(dashboard_password=password), TUNNEL)
    answer = log_in(browser, secret)
    assert (answer.status_code, "neither the password nor a code" in answer.text) == (403, True)
    assert browser.get("/dashboard").status_code == 303


@ONLY_SQLITE
def test_fifty_wrong_logins_are_stopped_and_the_right_one_waits_too(make_app: Make) -> None:
    app = make_app(dashboard_password=PASSWORD)
    browser = Browser(app, ELSEWHERE)
    browser.get("/login")
    said = [browser.post("/login", {"secret": f"guess {n}"}) for n in range(50)]
    assert [answer.status_code for answer in said] == [403] * 10 + [429] * 40
    right = browser.post("/login", {"secret": PASSWORD})
    assert right.status_code == 429
    assert 0 < int(right.headers["Retry-After"]) <= 60
    # A page for strangers, not one with what stands around pages.
    assert "Needs a look" not in right.text
    assert browser.get("/dashboard").status_code == 303
    # Others are not kept out by it.
    assert log_in(Browser(app, {"REMOTE_ADDR": "198.51.100.8"}), PASSWORD).status_code == 303


@ONLY_SQLITE
def test_a_code_opens_while_others_guess(make_app: Make) -> None:
    app = make_app(dashboard_password=PASSWORD)
    browser = Browser(app, ELSEWHERE)
    assert [log_in(browser, f"wrong {number}").status_code for number in range(11)][-1] == 429
    assert log_in(browser, code_of(app)).status_code == 303


@ONLY_SQLITE
def test_a_copied_cookie_ends_with_its_login(make_app: Make) -> None:
    app = make_app(dashboard_password=PASSWORD)
    browser, thief = Browser(app, ELSEWHERE), Browser(app, ELSEWHERE)
    log_in(browser, PASSWORD)
    thief.client._cookies = dict(browser.client._cookies)
    other = Browser(app, ELSEWHERE)
    log_in(other, PASSWORD)
    assert thief.get("/dashboard").status_code == 200
    browser.get("/dashboard")
    browser.post("/logout")
    assert [one.get("/dashboard").status_code for one in (thief, browser, other)] == [303, 303, 200]


@ONLY_SQLITE
def test_guesses_from_many_addresses_are_stopped_together(make_app: Make) -> None:
    app = make_app(dashboard_password=PASSWORD)
    statuses = []
    for n in range(12):
        browser = Browser(app, {"REMOTE_ADDR": f"198.51.100.{n}"})
        browser.get("/login")
        statuses += [browser.post("/login", {"secret": "guess"}).status_code for _ in range(10)]
    assert statuses == [403] * 100 + [429] * 20


@ONLY_SQLITE
def test_a_login_ends_with_the_password_the_key_half_a_day_or_the_person(make_app: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(dashboard_password=PASSWORD)
    browser = Browser(app, TUNNEL)
    log_in(browser, PASSWORD)
    assert browser.get("/dashboard").status_code == 200
    cookie = browser.client.get_cookie("pokea")
    assert cookie
    for changed in ({"dashboard_password": "another"}, {"dashboard_password": PASSWORD, "secret_key": "another"}):
        other = make_app(**changed).test_client()
        other.set_cookie("pokea", cookie.decoded_value)
        assert other.get("/dashboard", environ_overrides=TUNNEL).status_code == 303
    from routes import logins

    later = logins.time() + 12 * 3600 + 1
    monkeypatch.setattr(logins, "time", lambda: later)
    assert browser.get("/dashboard").status_code == 303
    monkeypatch.undo()
    browser.get("/dashboard")
    assert browser.post("/logout", follow=False).headers["Location"] == "/login"
    assert browser.get("/dashboard").status_code == 303


@ONLY_SQLITE
@pytest.mark.parametrize("environ", [HTTPS, ELSEWHERE], ids=["https", "http"])
def test_the_cookie_is_for_this_site_alone(make_app: Make, environ: dict[str, str]) -> None:
    for hops in (0, 1):
        answer = Browser(make_app(trusted_proxies=hops), environ).get("/login")
        parts = {part.strip() for part in answer.headers["Set-Cookie"].split(";")[1:]}
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= parts
        assert ("Secure" in parts) is (environ is HTTPS)


NEXT = {
    "/dashboard?kind=sms.*": "/dashboard?kind=sms.*", "/dashboard/callbacks/cb_1": "/dashboard/callbacks/cb_1", "/docs": "/docs", "": "/dashboard",
    **dict.fromkeys(
        ["https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)",
            "/\n/evil.example", "//[", "//\u2100", "/／evil.example", "evil.example", " /dashboard", "/login", "/logout", "/api/airtime/invoke-send-airtime?phone=254711000017&amount=10",
            "/healthz", "/nowhere", "/.//evil.example", "http:/dashboard", "/%2F/evil.example/"],
        "/dashboard",
    ),
}  # fmt: skip


@ONLY_SQLITE
@pytest.mark.parametrize(("wanted", "led_to"), NEXT.items(), ids=[f"{number}" for number in range(len(NEXT))])
def test_a_login_leads_to_pages_of_ours_alone(make_app: Make, wanted: str, led_to: str) -> None:
    browser = Browser(make_app(dashboard_password=PASSWORD), TUNNEL)
    assert log_in(browser, PASSWORD, wanted).headers["Location"] == led_to
    # Who is in already goes there at once, and no further.
    assert browser.get(f"/login?next={quote(wanted)}").headers["Location"] == led_to


@ONLY_SQLITE
def test_a_link_on_another_site_does_not_cost_the_login(make_app: Make) -> None:
    browser = Browser(make_app(dashboard_password=PASSWORD), TUNNEL)
    led = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    # The browser held the cookie back: the same page is asked for once more, and no new cookie replaces it.
    answer = browser.get("/dashboard?kind=sms.*", **led)
    assert answer.status_code == 200
    assert answer.headers["Refresh"].startswith("0")
    assert "Set-Cookie" not in answer.headers
    assert browser.get("/dashboard?kind=sms.*", **{**led, "Sec-Fetch-Site": "same-origin"}).status_code == 303


@ONLY_SQLITE
def test_a_form_from_elsewhere_changes_nothing(make_app: Make, stored: Stored) -> None:
    app = make_app()
    post(app.test_client(), "sms.opt_out")
    callback_id = stored(Callback)[0].id
    browser, other = Browser(app), Browser(app)
    other.get(f"/dashboard/callbacks/{callback_id}")
    assert other.token
    for token in ("", "x", other.token):
        browser.token = token
        for path in ("/dashboard/looked", "/dashboard/sample", f"/dashboard/callbacks/{callback_id}/pin", "/logout", "/login"):
            answer = browser.post(path, {"kind": "sms.opt_out"})
            assert (answer.status_code, "nothing was done" in answer.text) == (400, True), path
    assert stored(Callback)[0].pinned_at is None
    assert len(stored(Callback)) == 1
    browser.get(f"/dashboard/callbacks/{callback_id}")
    assert browser.post(f"/dashboard/callbacks/{callback_id}/pin").status_code == 200
    assert stored(Callback)[0].pinned_at is not None


HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}  # fmt: skip
ANSWERS = {
    "/dashboard": 200, "/dashboard/pulse": 200, "/dashboard/nowhere": 404, "/dashboard/callbacks/nowhere": 404, "/dashboard?after=x": 400, "/docs": 200,
    "/dashboard?kind=nothing": 400, "/dashboard?state=nothing": 400, "/dashboard?since=never": 400, "/dashboard?phone=%00&q=%00&session=%ff": 200,
    "/dashboard?after=%00": 400, "/dashboard?sel=%00": 200, "/static/page.css": 200, "/static/nothing.js": 404, "/static/../wsgi.py": 404, "/c/%00": 302,
}  # fmt: skip


@ONLY_SQLITE
@pytest.mark.parametrize(("path", "status"), ANSWERS.items())
def test_every_page_is_guarded_by_its_headers(app: Flask, path: str, status: int) -> None:
    client = app.test_client()
    answer = client.get(path, buffered=True)
    if path == "/static/../wsgi.py":
        assert answer.status_code == 404
        return
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert answer.mimetype in (["text/css"] if status == 200 and "static" in path else ["text/html"])
    head = client.head(path, buffered=True)
    assert (head.status_code, head.data, head.headers["Content-Security-Policy"]) == (status, b"", CONTENT_SECURITY_POLICY)
    if "static" not in path:
        assert answer.headers["Cache-Control"] == "no-store"
        assert "<script>" not in answer.text
        assert "style=" not in answer.text


@ONLY_SQLITE
def test_a_page_asked_for_in_another_way_says_so_as_a_page(app: Flask) -> None:
    for method, path in (
        ("POST", "/dashboard"),
        ("PUT", "/docs"),
        ("GET", "/logout"),
        ("DELETE", "/dashboard/nowhere"),
        ("POST", "/dashboard/nowhere"),
    ):
        answer = app.test_client().open(path, method=method)
        assert (answer.status_code, answer.mimetype) == (405, "text/html"), path
        assert answer.headers["Allow"]
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        stranger = app.test_client().open(path, method=method, environ_overrides=TUNNEL)
        assert "Needs a look" not in stranger.text
    for path in ("/api/v1/nothing", "/nowhere"):
        assert app.test_client().get(path).is_json


@ONLY_SQLITE
def test_files_are_kept_by_browsers_only_under_their_own_name(app: Flask) -> None:
    client = app.test_client()
    named = client.get("/dashboard").text.partition('src="')[2].partition('"')[0]
    assert "immutable" in client.get(named, buffered=True).headers["Cache-Control"]
    small = client.get(named, headers={"Accept-Encoding": "gzip"}, buffered=True)
    assert (small.headers["Content-Encoding"], len(small.data) < 20_000) == ("gzip", True)
    known = {"Accept-Encoding": "gzip", "If-None-Match": small.headers["ETag"]}
    assert client.get(named, headers=known, buffered=True).status_code == 304
    # As one that only the next release has, or that is not there at all.
    for path in (named.partition("?")[0], named.partition("?")[0] + "?v=000000000000", "/static/nothing.js?v=1"):
        assert client.get(path, buffered=True).headers["Cache-Control"] == "no-cache"


@ONLY_SQLITE
def test_callbacks_get_no_cookie(app: Flask) -> None:
    client = app.test_client()
    client.get("/dashboard")
    answer = post(client, "sms.opt_out")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "Set-Cookie" not in client.get("/healthz").headers


@ONLY_SQLITE
def test_the_front_door_knows_people_from_programs(app: Flask) -> None:
    client = app.test_client()
    browser = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (browser.status_code, browser.headers["Location"]) == (302, "/dashboard")
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        answer = client.get("/", headers=headers)
        assert (answer.status_code, answer.is_json, "Accept" in answer.headers["Vary"]) == (200, True, True)


@ONLY_SQLITE
def test_who_is_logged_in_may_send_without_the_token(sending: Sending, at: StubAT) -> None:
    app = live(sending, at, dashboard_password=PASSWORD)
    browser = Browser(app)
    assert browser.get(URLS["sms.bulk"]).status_code == 403
    log_in(browser, PASSWORD)
    # Who follows a link that somebody else wrote does not mean it: such links tell no Referer, and may come from a neighbour.
    refused: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "same-site", "Referer": "https://shop.example.com/"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Purpose": "prefetch"}, {"Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin", "Referer": "http://localhost/dashboard"},
    ]  # fmt: skip
    for headers in refused:
        assert browser.get(URLS["sms.bulk"], **headers).status_code == 403, headers
    assert at.seen == []
    assert browser.get(URLS["sms.bulk"], **{"Sec-Fetch-Site": "none"}).status_code == 200
    own = {"Sec-Fetch-Site": "same-origin", "Referer": "http://localhost/setup"}
    assert browser.get(URLS["sms.bulk"] + "&again=1", **own).status_code == 200
    browser.get("/dashboard")
    browser.post("/logout")
    assert browser.get(URLS["sms.bulk"] + "&again=1").status_code == 403
    assert len(at.seen) == 2


@ONLY_SQLITE
def test_a_database_that_is_away_is_said_on_the_page(make_app: Make, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    app = make_app(database_url=f"sqlite:///{folder / 'pokea.db'}")
    for path in ("/dashboard", "/dashboard/callbacks/cb_1"):
        answer = app.test_client().get(path)
        assert (answer.status_code, answer.mimetype, answer.headers["Retry-After"]) == (503, "text/html", "5")
        assert "The database does not answer" in answer.text
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    pulse = app.test_client().get("/dashboard/pulse")
    assert (pulse.status_code, "what you see may be old" in pulse.text, "worker not known" in pulse.text) == (200, True, True)
    assert app.test_client().get("/api/v1/callbacks").is_json


@ONLY_SQLITE
def test_an_error_of_ours_tells_nothing(make_app: Make, capsys: pytest.CaptureFixture[str]) -> None:
    app = make_app()
    # A row that no code of ours writes
    post(app.test_client(), "sms.opt_out")
    with app.app_context(), writing() as connection:
        connection.execute(update(Callback).values(kind="no.such_kind"))
    answer = app.test_client().get("/dashboard")
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "Something went wrong here" in answer.text
    assert "no.such_kind" not in answer.text
    assert "KeyError" in capsys.readouterr().err
