"""Who may post: the checks in their three states, proxies by hop count, limits, and what never reaches a row or a log."""

from collections.abc import Callable
from hashlib import sha256
from hmac import new as hmac
from typing import Any

import pytest
from flask import Flask

from app.models import Callback
from app.schemas.callbacks import KINDS
from tests.invoking import ONLY_SQLITE
from tests.samples import FORM, PATHS, encoded, post

pytestmark = ONLY_SQLITE
Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]
BODY, _ = encoded("sms.delivery_report", KINDS["sms.delivery_report"].sample)
PATH = PATHS["sms.delivery_report"]


def signature(secret: str, body: bytes = BODY) -> str:
    return hmac(secret.encode(), body, sha256).hexdigest()


TOKENS = {"callback_token": ("new-token", "older-token")}
SECRETS = {"webhook_secret": ("new-secret", "older-secret")}
# settings, how the request shows it, whether it passes
CASES = [
    ("token right", TOKENS, {"query_string": "token=new-token"}, True),
    ("token of the rotation", TOKENS, {"query_string": "token=older-token"}, True),
    ("token as bearer", TOKENS, {"headers": {"Authorization": "Bearer new-token"}}, True),
    ("token wrong", TOKENS, {"query_string": "token=wrong"}, False),
    ("token old", TOKENS, {"query_string": "token=retired-token"}, False),
    ("token missing", TOKENS, {}, False),
    ("token empty", TOKENS, {"query_string": "token="}, False),
    ("token doubled", TOKENS, {"query_string": "token=new-token&token=new-token"}, False),
    ("token not ascii", TOKENS, {"query_string": "token=%C3%A9%FF"}, False),
    ("signature right", SECRETS, {"headers": {"X-Signature": signature("new-secret")}}, True),
    ("signature with prefix", SECRETS, {"headers": {"X-Signature": "sha256=" + signature("new-secret").upper()}}, True),
    ("signature of the rotation", SECRETS, {"headers": {"X-Signature": signature("older-secret")}}, True),
    ("signature of another body", SECRETS, {"headers": {"X-Signature": signature("new-secret", b"other")}}, False),
    ("signature old", SECRETS, {"headers": {"X-Signature": signature("retired-secret")}}, False),
    ("signature missing", SECRETS, {}, False),
    ("either is enough: token", TOKENS | SECRETS, {"query_string": "token=new-token"}, True),
    ("either is enough: signature", TOKENS | SECRETS, {"headers": {"X-Signature": signature("new-secret")}}, True),
    ("neither", TOKENS | SECRETS, {}, False),
    ("address right", {"callback_allowed_ips": ("127.0.0.0/8",)}, {}, True),
    ("address wrong", {"callback_allowed_ips": ("192.0.2.0/24",)}, {}, False),
    ("agent right", {"callback_user_agents": ("at-ussd",)}, {"headers": {"User-Agent": "AT-USSD-api/1.0"}}, True),
    ("agent wrong", {"callback_user_agents": ("at-ussd",)}, {"headers": {"User-Agent": "curl"}}, False),
    ("address on top of a token", TOKENS | {"callback_allowed_ips": ("192.0.2.0/24",)}, {"query_string": "token=new-token"}, False),
    ("another header for the signature", SECRETS | {"callback_signature_header": "X-Hub"}, {"headers": {"X-Hub": signature("new-secret")}}, True),
]  # fmt: skip


@pytest.mark.parametrize("mode", ["off", "warn", "enforce"])
@pytest.mark.parametrize(("settings", "shown", "passes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_check_in_each_state(make_app: Make, stored: Stored, settings: dict, shown: dict, passes: bool, mode: str) -> None:
    client = make_app(**settings, callback_checks=mode).test_client()
    answer = client.post(PATH, data=BODY, content_type=FORM, **shown)
    if mode == "enforce" and not passes:
        assert (answer.status_code, list(answer.get_json())) == (403, ["error"])
        assert stored(Callback) == []
        return
    assert answer.text == "OK"
    [row] = stored(Callback)
    if mode == "off":
        assert row.checks == {}
    else:
        proofs = [passed for name, passed in row.checks.items() if name in ("token", "signature")]
        on_top = [passed for name, passed in row.checks.items() if name in ("address", "user_agent")]
        assert ((any(proofs) or not proofs) and all(on_top)) is passes


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_kind_is_let_in_without_its_token(make_app: Make, stored: Stored, kind: str) -> None:
    client = make_app(callback_token=("t",)).test_client()
    assert post(client, kind).status_code == 403
    assert stored(Callback) == []
    assert post(client, kind, query_string={"token": "t"}).status_code == 200


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        (0, "198.51.100.1", "127.0.0.1"),
        (0, "198.51.100.1, 198.51.100.2", "127.0.0.1"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "198.51.100.9, 198.51.100.1", "198.51.100.1"),
        (1, ", ".join(["198.51.100.9"] * 250 + ["198.51.100.1"]), "198.51.100.1"),
        (2, "198.51.100.9, 198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (2, "198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (2, "198.51.100.9", "127.0.0.1"),
    ],
)
def test_only_the_hops_we_know_are_believed(make_app: Make, stored: Stored, hops: int, forwarded: str, address: str) -> None:
    client = make_app(trusted_proxies=hops, callback_allowed_ips=(f"{address}/32",)).test_client()
    assert client.post(PATH, data=BODY, content_type=FORM, headers={"X-Forwarded-For": forwarded}).text == "OK"
    assert stored(Callback)[0].source == address


def test_the_token_reaches_neither_row_nor_log(capsys: pytest.CaptureFixture[str], make_app: Make, stored: Stored) -> None:
    client = make_app(callback_token=("geheimes-token",), log_payloads=True).test_client()
    client.post(PATH, data=BODY, content_type=FORM, query_string="a=1&token=geheimes-token")
    client.post(PATHS["sms.opt_out"], headers={"Authorization": "Bearer geheimes-token"})
    client.post(PATH, data=BODY, content_type=FORM, query_string="token=geheimes-token2")
    client.post("/api/voice/instruct?token=geheimes-token", data={"sessionId": "s", "destinationNumber": "+254711082001"})
    for row in stored(Callback):
        assert "geheimes" not in repr(vars(row))
    log = capsys.readouterr().err
    assert "sms.delivery_report" in log
    assert "geheimes" not in log
    assert stored(Callback)[0].query == "a=1"


def test_wrong_secrets_are_limited_and_right_ones_are_not(make_app: Make) -> None:
    client = make_app(callback_token=("t",)).test_client()
    codes = [post(client, "sms.opt_out", query_string={"token": "x"}).status_code for _ in range(12)]
    assert codes == [403] * 10 + [429] * 2
    answer = post(client, "sms.opt_out", query_string={"token": "x"})
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.get_json()["error"].startswith("Too many requests: 10 per minute.")
    assert post(client, "sms.opt_out", query_string={"token": "t"}).status_code == 200


def test_the_limit_is_not_escaped_by_a_forged_address(make_app: Make) -> None:
    client = make_app(callback_token=("t",), trusted_proxies=1).test_client()
    codes = [client.post(PATH, headers={"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.1"}).status_code for n in range(12)]
    assert codes == [403] * 10 + [429] * 2


@pytest.mark.parametrize("kind", [kind for kind, row in KINDS.items() if row.is_interactive])
def test_who_waits_on_the_line_is_never_limited(make_app: Make, kind: str) -> None:
    client = make_app(callback_token=("t",)).test_client()
    assert {post(client, kind, query_string={"token": "x"}).status_code for _ in range(15)} == {403}


def test_limits_can_be_turned_off(make_app: Make) -> None:
    client = make_app(callback_token=("t",), ratelimit_enabled=False).test_client()
    assert {post(client, "sms.opt_out", query_string={"token": "x"}).status_code for _ in range(15)} == {403}


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_body_over_64_kib_is_not_taken(client: Any, stored: Stored, kind: str) -> None:
    answer = client.post(PATHS[kind], data=b"a=" + b"x" * (64 * 1024), content_type=FORM)
    assert (answer.status_code, answer.get_json()["error"]) == (413, "Body is larger than 64 KB.")
    assert stored(Callback) == []


def test_a_body_of_64_kib_is_taken(client: Any, stored: Stored) -> None:
    body = b"id=1&status=Success&x="
    assert client.post(PATH, data=body + b"x" * (64 * 1024 - len(body)), content_type=FORM).text == "OK"
    assert len(stored(Callback)[0].raw_body) == 64 * 1024


def test_live_refuses_what_its_proxy_marks_as_plain_http(make_app: Make) -> None:
    client = make_app(at_mode="live", callback_token=("t",), trusted_proxies=1).test_client()
    plain = client.get("/", headers={"X-Forwarded-Proto": "http"})
    safe = client.get("/", headers={"X-Forwarded-Proto": "https"})
    assert (plain.status_code, safe.status_code) == (403, 200)
    assert safe.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("mode", ["emulator", "sandbox"])
def test_other_modes_take_plain_http(make_app: Make, mode: str) -> None:
    answer = make_app(at_mode=mode, trusted_proxies=1).test_client().get("/", headers={"X-Forwarded-Proto": "http"})
    assert answer.status_code == 200
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("mode", ["off", "warn", "enforce"])
@pytest.mark.parametrize("shown", ["", "token=wrong", "token=t1"])
def test_only_who_showed_the_token_gets_it_back(make_app: Make, mode: str, shown: str) -> None:
    client = make_app(callback_token=("t1",), callback_checks=mode).test_client()
    answer = client.post(f"/api/voice/instruct?{shown}", data={"sessionId": "s", "destinationNumber": "+254711082001"})
    assert ("token=t1" in answer.text) == (shown == "token=t1" and mode != "off")


def test_tokens_in_other_headers_and_spellings_are_not_kept(make_app: Make, stored: Stored) -> None:
    client = make_app(callback_token=("geheimes-token",), callback_checks="warn").test_client()
    headers = {
        "X-Encoded": "a%3Ftoken%3Dgeheimes-token",
        "Referer": "https://a.example/?token=geheimes-token&x=1",
        "X-Original-Uri": "/api?a=1&Token=geheimes-token",
    }
    client.post(f"{PATH}?Token=geheimes-token&a=1", data=BODY, content_type=FORM, headers=headers)
    [row] = stored(Callback)
    assert "geheimes" not in repr(vars(row))
    assert (row.headers["Referer"], row.query) == ("https://a.example/?token=****&x=1", "a=1")
