import stat
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from app.cautions import cautions, money_cautions
from app.config import CannotStart, load_settings, refuse_public_debugger, with_secret_key
from app.settings import ROOT, Settings, declared, secrets_of

LIVE = {"AT_USERNAME": "acme", "AT_API_KEY": "k", "CALLBACK_TOKEN": "t" * 24, "SECRET_KEY": "s"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for entry in declared():
        monkeypatch.delenv(entry.name.upper(), raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return load_settings(None)


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        ({}, "emulator"),
        ({"AT_USERNAME": "acme"}, "emulator"),
        ({"AT_USERNAME": "sandbox", "AT_API_KEY": "k"}, "sandbox"),
        (LIVE, "live"),
        ({**LIVE, "AT_MODE": "sandbox"}, "sandbox"),
        ({"AT_MODE": "emulator", "AT_USERNAME": "acme", "AT_API_KEY": "k"}, "emulator"),
    ],
    ids=["nothing", "no key", "sandbox user", "own user", "named sandbox", "named emulator"],
)
def test_mode_follows_from_credentials(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], mode: str) -> None:
    assert load(monkeypatch, **values).at_mode == mode


def test_emulator_mode_needs_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert (settings.at_username, settings.at_api_key, settings.at_shortcode) == ("sandbox", "emulator", "12345")
    assert (settings.at_voice_number, settings.at_ussd_code, settings.port) == ("+254711082000", "*384*1234#", 9000)


def test_every_mistake_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotStart) as told:
        load(monkeypatch, AT_MODE="prod", PORT="99999", DATABASE_URL="mysql://x", APP_BUDGET_S="soon", CALLBACK_ALLOWED_IPS="10.0.0.300")
    text = str(told.value)
    assert text.startswith("Cannot start: 5 settings are wrong.")
    assert "'prod' is not one of: emulator, sandbox, live" in text
    for name in ("PORT", "DATABASE_URL", "APP_BUDGET_S", "CALLBACK_ALLOWED_IPS"):
        assert name in text
    assert ".env.example" in text


def test_a_secret_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotStart) as told:
        load(monkeypatch, CALLBACK_TOKEN="one-secret,two-secret,three-secret")
    assert "CALLBACK_TOKEN" in str(told.value)
    assert "one-secret" not in str(told.value)


@pytest.mark.parametrize("left_out", ["CALLBACK_TOKEN", "SECRET_KEY"])
def test_live_refuses_to_start_without(monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    with pytest.raises(CannotStart, match=left_out):
        load(monkeypatch, **{name: value for name, value in LIVE.items() if name != left_out})


@pytest.mark.parametrize("checks", ["off", "warn"])
def test_live_takes_only_enforced_checks(monkeypatch: pytest.MonkeyPatch, checks: str) -> None:
    with pytest.raises(CannotStart, match="CALLBACK_CHECKS"):
        load(monkeypatch, **LIVE, CALLBACK_CHECKS=checks)


def test_a_signing_secret_is_proof_enough_for_live(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, AT_USERNAME="acme", AT_API_KEY="k", WEBHOOK_SECRET="w", SECRET_KEY="s").is_live


def test_a_key_without_a_user_name_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotStart, match="AT_USERNAME"):
        load(monkeypatch, AT_API_KEY="k")


def test_a_value_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    assert load(monkeypatch, CALLBACK_TOKEN_FILE=str(tmp_path / "token")).callback_token == ("from-a-file",)


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="CALLBACK_TOKEN"):
        load(monkeypatch, CALLBACK_TOKEN_FILE=str(tmp_path / "nowhere"))


def test_blank_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, PORT="", AT_API_KEY=" ").at_mode == "emulator"


@pytest.mark.parametrize("url", ["postgres://u@h/d", "postgresql://u@h/d"])
def test_hosts_own_spelling_of_postgresql_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert load(monkeypatch, DATABASE_URL=url).database_url == "postgresql+psycopg://u@h/d"


def test_the_old_name_of_public_url_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, WEBHOOK_BASE_URL="https://a.example/").public_url == "https://a.example"


def test_the_real_name_of_public_url_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, WEBHOOK_BASE_URL="https://a.example", PUBLIC_URL="https://b.example").public_url == "https://b.example"


def test_a_secret_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    settings = Settings(instance_dir=tmp_path / "instance")
    first, second = with_secret_key(settings).secret_key, with_secret_key(settings).secret_key
    assert first == second
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "instance/secret_key").stat().st_mode) == 0o600


@pytest.mark.parametrize(("debug", "host", "starts"), [("1", "0.0.0.0", False), ("1", "", False), ("1", "127.0.0.1", True), ("1", "::1", True), ("1", "localhost", True), ("0", "0.0.0.0", True), ("", "0.0.0.0", True)])  # fmt: skip
def test_a_debugger_never_listens_to_the_world(monkeypatch: pytest.MonkeyPatch, debug: str, host: str, starts: bool) -> None:
    monkeypatch.setenv("FLASK_DEBUG", debug)
    if starts:
        assert refuse_public_debugger(host) is None
    else:
        with pytest.raises(CannotStart, match="debugger"):
            refuse_public_debugger(host)


def test_processes_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    code = f"from app.config import *; print(with_secret_key(Settings(instance_dir=Path({str(tmp_path)!r}))).secret_key)"
    started = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    keys = {process.communicate()[0].strip() for process in started}
    assert len(keys) == 1
    assert len(keys.pop()) == 64


def test_a_relative_file_is_the_same_from_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, DATABASE_URL="sqlite:///data/x.db").database_url == f"sqlite:///{ROOT}/data/x.db"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DATABASE_URL", "sqlite://", "not a database address"), ("DATABASE_URL", "sqlite:///:memory:", "not a database address"), ("PUBLIC_URL", "http://[::1", "is not an address like"),
        ("PUBLIC_URL", "ftp://a.example", "is not an address like"), ("CALLBACK_SIGNATURE_HEADER", "bad header:", "is not the name of a header"), ("TRUSTED_PROXIES", "-1", "whole number from 0 to 10"),
        ("RATELIMIT_ENABLED", "maybe", "is not one of: 1, 0"), ("WEBHOOK_SECRET", "a,b,c", "3 secrets given"),
    ],
)  # fmt: skip
def test_each_mistake_says_what_would_be_right(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    with pytest.raises(CannotStart) as told:
        load(monkeypatch, **{name: value})
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, ["not verified"]), ({"CALLBACK_TOKEN": "t"}, []), ({"CALLBACK_TOKEN": "t", "CALLBACK_CHECKS": "off"}, ["not verified"]), ({"WEBHOOK_SECRET": "w"}, ["does not sign"]),
        ({"CALLBACK_TOKEN": "t", "CALLBACK_ALLOWED_IPS": "10.0.0.1"}, ["TRUSTED_PROXIES"]), ({**LIVE, "CALLBACK_TOKEN": "short"}, ["is short"]),
    ],
)  # fmt: skip
def test_doubtful_settings_are_said(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], said: list[str]) -> None:
    told = cautions(load(monkeypatch, **values))
    assert len(told) == len(said)
    assert all(word in text for word, text in zip(said, told, strict=True))


def test_money_without_a_cap_is_said_in_live_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    assert money_cautions(load(monkeypatch)) == []
    assert [caution.partition(":")[0] for caution in money_cautions(load(monkeypatch, **LIVE))] == ["INVOKE_TOKEN is not set", "no cap"]
    told = money_cautions(load(monkeypatch, **LIVE, SPEND_CAP_DAILY="1000.50", INVOKE_TOKEN="short"))
    assert told == ["INVOKE_TOKEN is short: make one with openssl rand -hex 24"]


def test_money_and_countries_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, SPEND_CAP_ORDER="99.50", SPEND_CURRENCY="UGX", DEFAULT_COUNTRY="ke", SENDS_PER_DAY="0")
    assert (settings.spend_cap_order, settings.spend_currency, settings.default_country, settings.sends_per_day) == (
        Decimal("99.50"),
        "UGX",
        "KE",
        0,
    )
    with pytest.raises(CannotStart) as told:
        load(monkeypatch, SPEND_CAP_ORDER="1e3", SPEND_CAP_DAILY="-1", SPEND_CURRENCY="kes", DEFAULT_COUNTRY="Kenya", AT_TIMEOUT_S="0")
    for said in (
        "'1e3' is not an amount",
        "'-1' is not an amount",
        "'kes' is not an ISO currency",
        "'Kenya' is not the two letters",
        "AT_TIMEOUT_S",
    ):
        assert said in str(told.value)


def test_calls_go_to_the_emulator_in_emulator_mode_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).at_base_url == "http://127.0.0.1:9001"
    assert load(monkeypatch, EMULATOR_URL="http://127.0.0.1:9003").at_base_url == "http://127.0.0.1:9003"
    assert load(monkeypatch, **LIVE).at_base_url == ""
    assert load(monkeypatch, **LIVE, AT_BASE_URL="https://at.example/").at_base_url == "https://at.example"


@pytest.mark.parametrize(
    "address",
    ["http://user:s3cretpw@127.0.0.1:9001", "http://127.0.0.1:9001/?x=1", "http://127.0.0.1:9001/#f", "http://127.0.0.1 :9001", "http://127.0.0.1:9001/a b",
        "ftp://127.0.0.1", "127.0.0.1:9001", "http://"],
)  # fmt: skip
def test_paths_are_put_behind_addresses_without_more(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with pytest.raises(CannotStart) as told:
        load(monkeypatch, AT_BASE_URL=address)
    assert "AT_BASE_URL" in str(told.value)
    assert "s3cretpw" not in str(told.value)


def test_a_scheme_may_be_written_large(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, AT_BASE_URL="HTTP://127.0.0.1:9001/").at_base_url == "http://127.0.0.1:9001"


def test_secrets_are_known_by_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert secrets_of(load(monkeypatch)) == ()
    settings = load(monkeypatch, **LIVE, INVOKE_TOKEN="invoke-token", WEBHOOK_SECRET="one-secret,two-secret")
    assert set(secrets_of(settings)) == {"t" * 24, "invoke-token", "one-secret", "two-secret"}
