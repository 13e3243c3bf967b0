"""flask callbacks replay, edit-replay and pin: what they print, ask and change."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.models import Callback
from app.schemas.callbacks import KINDS
from tests.invoking import LIVE, ONLY_SQLITE
from tests.samples import post

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]
# What is kept is the same on both, which tests/routes/test_replays.py sees to.
pytestmark = ONLY_SQLITE


def run(app: Flask, *words: str, **options: Any) -> Result:
    return app.test_cli_runner().invoke(args=["callbacks", *words], **options)


def kept(app: Flask, kind: str, **options: Any) -> str:
    return post(app.test_client(), kind, **options).headers["X-Pokea-Id"]


@pytest.fixture
def pokea(make_app: Make) -> Flask:
    """An application whose context nobody pushed: each command gets its own, as in a shell."""
    return make_app()


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let $EDITOR be a program that puts a text in place of what it is given."""

    def be(text: str) -> None:
        (tmp_path / "wanted").write_text(text)
        (tmp_path / "editor").write_text(f'#!/bin/sh\ncp {tmp_path}/wanted "$1"\ntouch -d "+2 seconds" "$1"\n')
        (tmp_path / "editor").chmod(0o700)
        monkeypatch.setenv("VISUAL", str(tmp_path / "editor"))

    return be


def test_a_replay_is_told_in_one_line(pokea: Flask, stored: Stored) -> None:
    first_id = kept(pokea, "sms.incoming_message")
    done = run(pokea, "replay", first_id)
    assert done.exit_code == 0
    row = stored(Callback)[1]
    assert re.fullmatch(rf"{first_id} replayed as {row.id} → 200 in \d+ ms\n", done.stdout)
    assert (row.replay_of, row.has_effects, row.due_at) == (first_id, False, None)


def test_a_changed_field_shows_the_difference(pokea: Flask, stored: Stored) -> None:
    first_id = kept(pokea, "ussd.session")
    lines = run(pokea, "replay", first_id, "--set", "text=2").stdout.splitlines()
    assert "+END Your phone number is +254711000017" in lines
    assert lines[-1].startswith(f"{first_id} replayed as cb_")
    told = json.loads(run(pokea, "replay", first_id, "--set", "text=2", "--json").stdout)
    assert (told["is_same"], told["replay_of"], len(stored(Callback))) == (False, first_id, 3)


@pytest.mark.parametrize(("text", "amount"), [("12.5", 12.5), ("KES 12", "KES 12")])
def test_a_number_stays_a_number(pokea: Flask, stored: Stored, text: str, amount: Any) -> None:
    run(pokea, "replay", kept(pokea, "airtime.validation"), "--set", f"amount={text}")
    assert stored(Callback)[1].fields["amount"] == amount


def test_live_effects_ask_for_a_word(make_app: Make, stored: Stored) -> None:
    app = make_app(**LIVE)
    first_id = kept(app, "sms.opt_out", headers={"Authorization": f"Bearer {LIVE['callback_token'][0]}"})
    assert run(app, "replay", first_id, "--effects", input="y\n").exit_code == 1
    assert run(app, "replay", first_id, input="").exit_code == 0
    asked = run(app, "replay", first_id, "--effects", input="send\n")
    assert (asked.exit_code, "LIVE account 'acme'" in asked.stderr) == (0, True)
    assert run(app, "replay", first_id, "--effects", "--yes").exit_code == 0
    assert [row.due_at is None for row in stored(Callback)] == [False, True, False, False]


def test_this_machine_may_be_posted_to(pokea: Flask, httpserver: Any, stored: Stored) -> None:
    first_id = kept(pokea, "sms.opt_out")
    httpserver.expect_request("/hook", method="POST", data=stored(Callback)[0].raw_body).respond_with_data(
        "fine", content_type="text/plain"
    )
    done = run(pokea, "replay", first_id, "--to", httpserver.url_for("/hook"))
    assert (done.exit_code, "+fine" in done.stdout.splitlines()) == (0, True)
    assert stored(Callback)[1].app["url"] == httpserver.url_for("/hook")


def test_nobody_listening_is_told_and_fails(pokea: Flask, stored: Stored) -> None:
    done = run(pokea, "replay", kept(pokea, "sms.opt_out"), "--to", "http://127.0.0.1:1/")
    assert (done.exit_code, "→ no answer in" in done.stdout, "nothing is listening" in done.stderr) == (1, True, True)
    assert stored(Callback)[1].app["problem"] == "nothing is listening"


def test_what_is_saved_in_the_editor_is_replayed(pokea: Flask, stored: Stored, editor: Callable[[str], None]) -> None:
    first_id = kept(pokea, "ussd.session")
    sample = {name: value for name, value in KINDS["ussd.session"].sample.items() if name != "networkCode"}
    editor(json.dumps(sample | {"text": "2"}))
    assert "+END Your phone number is +254711000017" in run(pokea, "edit-replay", first_id).stdout
    assert stored(Callback)[1].fields == sample | {"text": "2"}


@pytest.mark.parametrize(("text", "said"), [("{", "no JSON"), ("[1]", "one JSON object")])
def test_an_edit_that_is_no_object_replays_nothing(
    pokea: Flask, stored: Stored, editor: Callable[[str], None], text: str, said: str
) -> None:
    editor(text)
    done = run(pokea, "edit-replay", kept(pokea, "ussd.session"))
    assert (done.exit_code, said in done.stderr, len(stored(Callback))) == (1, True, 1)


def test_closing_the_editor_replays_nothing(pokea: Flask, stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "true")
    done = run(pokea, "edit-replay", kept(pokea, "ussd.session"))
    assert (done.exit_code, "Nothing was saved" in done.stderr, len(stored(Callback))) == (1, True, 1)


def test_a_pin_is_put_on_and_taken_off(pokea: Flask, stored: Stored) -> None:
    first_id = kept(pokea, "sms.opt_out")
    assert run(pokea, "pin", first_id).stdout == f"{first_id} is pinned\n"
    assert json.loads(run(pokea, "pin", first_id, "--json").stdout)["pinned_at"] == stored(Callback)[0].pinned_at.isoformat()
    assert run(pokea, "pin", first_id, "--off").stdout == f"{first_id} is not pinned\n"
    assert stored(Callback)[0].pinned_at is None


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["replay", "cb_nothing"], 1, "No callback 'cb_nothing'"),
        (["edit-replay", "cb_nothing"], 1, "No callback 'cb_nothing'"),
        (["pin", "cb_nothing"], 1, "No callback 'cb_nothing'"),
        (["replay", "cb_nothing", "--set", "x"], 2, "--set takes name=value"),
    ],
)
def test_mistakes_are_told_with_what_would_be_right(pokea: Flask, words: list[str], code: int, said: str) -> None:
    done = run(pokea, *words)
    assert (done.exit_code, said in done.stderr) == (code, True)


def test_effects_do_not_go_with_another_address(pokea: Flask, stored: Stored) -> None:
    done = run(pokea, "replay", kept(pokea, "sms.opt_out"), "--effects", "--to", "http://127.0.0.1:1/")
    assert (done.exit_code, len(stored(Callback))) == (2, 1)


def test_a_database_without_tables_is_told_in_one_line(make_app: Make, tmp_path: Path) -> None:
    done = run(make_app(database_url=f"sqlite:///{tmp_path}/empty.db"), "replay", "cb_nothing")
    assert (done.exit_code, done.stderr.startswith("Error: The database does not answer: no such table")) == (1, True)
