"""Who may send and spend: people who mean it, and live those with the token."""

from typing import Any

import pytest

from app.models import Invocation
from tests.invoking import KINDS, LIVE, ONLY_SQLITE, TOKEN, URLS, Sending, Stored, live
from tests.stub_at import StubAT


@ONLY_SQLITE
def test_programs_that_open_addresses_are_refused(sending: Sending, at: StubAT, stored: Stored) -> None:
    client = sending().test_client()
    refused = [
        {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Purpose": "preview"}, {"X-Moz": "prefetch"},
        {"Sec-Fetch-Dest": "image"}, {"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Dest": "script"}, {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://[::1"}, {"Referer": "https://evil.example/page"},
        *({"User-Agent": agent} for agent in (
            "facebookexternalhit/1.1", "WhatsApp/2.23.20.0", "Slackbot-LinkExpanding 1.0", "TelegramBot (like TwitterBot)", "Twitterbot/1.0",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", "LinkedInBot/1.0", "Mozilla/5.0 (compatible; Googlebot/2.1)",
            "Mozilla/5.0 (compatible; bingbot/2.0)", "SkypeUriPreview Preview/0.5", "Applebot/0.1", "Mozilla/5.0 (compatible; YandexBot/3.0)")),
    ]  # fmt: skip
    for kind in KINDS:
        for headers in refused:
            for method in ("GET", "POST"):
                answer = client.open(URLS[kind], method=method, headers=headers)
                assert (answer.status_code, "nothing was sent" in answer.get_json()["error"]) == (403, True), headers
                assert answer.headers["Cache-Control"] == "no-store"
        head = client.head(URLS[kind])
        assert (head.status_code, head.headers["Allow"]) == (405, "GET, POST")
        for method in ("OPTIONS", "PUT", "DELETE"):
            other = client.open(URLS[kind], method=method)
            assert (other.status_code, other.headers["Allow"]) == (405, "GET, POST")
    assert (at.seen, stored(Invocation)) == ([], [])


@ONLY_SQLITE
@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}, {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"},
        {"Referer": "http://localhost/docs"},
        {"User-Agent": "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36"}, {"User-Agent": "curl/8.0"}],
    ids=["address bar", "own page", "own form", "own link", "a phone called Cubot", "curl"],
)  # fmt: skip
def test_people_are_let_in(sending: Sending, headers: dict[str, str]) -> None:
    assert sending().test_client().get(URLS["sms.bulk"], headers=headers).status_code == 200


@ONLY_SQLITE
def test_live_needs_the_token(sending: Sending, at: StubAT, stored: Stored) -> None:
    client = live(sending, at).test_client()
    abuses: list[dict[str, Any]] = [
        {}, {"query": "&token="}, {"query": "&token=wrong"}, {"query": "&token=" + "i" * 31}, {"query": "&token=" + "I" * 32}, {"query": "&Token=" + "i" * 32},
        {"query": "&token=wrong&token=" + "i" * 32}, {"query": "&token=" + "i" * 32 + "&token=" + "i" * 32}, {"query": "&token=" + "c" * 24},
        {"headers": {"Authorization": "Bearer wrong"}}, {"headers": {"Authorization": "Basic " + "i" * 32}},
        {"headers": {"X-Token": "i" * 32}}, {"headers": {"Cookie": "token=" + "i" * 32}}, {"headers": {"apiKey": LIVE["at_api_key"]}},
        {"headers": {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"}}, {"headers": {"X-Original-URL": "/healthz"}}, {"query": "&token=%00"}, {"query": "&token=%FF"},
        {"headers": {**TOKEN, "Sec-Purpose": "prefetch"}}, {"headers": {**TOKEN, "Sec-Fetch-Site": "cross-site"}}, {"headers": {**TOKEN, "User-Agent": "WhatsApp/2"}},
        {"data": {"token": "i" * 32}},
    ]  # fmt: skip
    for kind in KINDS:
        for abuse in abuses:
            for method in ("GET", "POST", "HEAD", "PUT", "DELETE"):
                answer = client.open(
                    URLS[kind] + abuse.get("query", ""), method=method, headers=abuse.get("headers"), data=abuse.get("data")
                )
                assert answer.status_code in (400, 403, 405), (kind, abuse, method)
    assert (at.seen, stored(Invocation)) == ([], [])
    for kind in KINDS:
        assert client.get(URLS[kind] + "&token=" + "i" * 32).status_code == 200
        assert client.get(URLS[kind] + "&again=1", headers=TOKEN).status_code == 200
    assert len(at.seen) == 12


@ONLY_SQLITE
def test_live_without_a_token_set_says_how(sending: Sending, at: StubAT) -> None:
    answer = live(sending, at, invoke_token="").test_client().get(URLS["sms.bulk"] + "&token=")
    assert (answer.status_code, "INVOKE_TOKEN" in answer.get_json()["error"]) == (403, True)
    assert "LIVE" in answer.get_json()["error"]


@ONLY_SQLITE
def test_guessing_the_token_is_slow(sending: Sending, at: StubAT) -> None:
    client = live(sending, at, ratelimit_enabled=True).test_client()
    statuses = [
        client.get(f"{URLS['sms.bulk']}&token=guess-{n}", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(15)
    ]
    assert statuses == [403] * 10 + [429] * 5
    assert at.seen == []


@ONLY_SQLITE
def test_a_forged_address_does_not_escape_the_limit(sending: Sending, at: StubAT) -> None:
    client = sending(ratelimit_enabled=True).test_client()
    answers = [client.get(URLS["sim_swap.check"], headers={"X-Forwarded-For": f"41.90.0.{n}"}) for n in range(40)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 10
    assert int(answers[-1].headers["Retry-After"]) <= 60
    assert len(at.seen) == 30


@ONLY_SQLITE
def test_whoever_sits_at_this_machine_may_be_quicker(sending: Sending, at: StubAT) -> None:
    client = sending(ratelimit_enabled=True).test_client()
    statuses = [client.get(URLS["sim_swap.check"] + "&preview=1").status_code for n in range(125)]
    assert statuses == [200] * 120 + [429] * 5
