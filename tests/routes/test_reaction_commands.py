"""flask reactions: what they print, and running one again."""

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.models import Reaction
from services import due
from services.reactions import reactions
from services.reactions.acting import Happened
from services.reactions.keywords import on
from tests.invoking import ONLY_SQLITE, Sending, Stored
from tests.samples import post
from tests.stub_at import StubAT

pytestmark = ONLY_SQLITE


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["reactions", *words])


def as_json(app: Flask, *words: str) -> Any:
    return json.loads(run(app, *words, "--json").stdout)


def note(happened: Happened) -> None:
    happened.send_sms("Noted")


def broken(happened: Happened) -> None:
    raise ValueError("the ledger of +254711000017 is closed")


@pytest.fixture
def pokea(sending: Sending) -> Flask:
    """An application with one reaction that works, and one that does not, to a callback that was kept."""
    app = sending()
    apps = app.extensions["pokea.apps"]
    rules = (on("airtime.status", note), on("airtime.status", broken))
    app.extensions["pokea.apps"] = replace(apps, flows=replace(apps.flows, reactions=rules))
    post(app.test_client(), "airtime.status")
    with app.app_context():
        due.catch_up()
    return app


def test_reactions_are_listed_shown_and_run(pokea: Flask, at: StubAT, stored: Stored) -> None:
    ids = {row["name"]: row["id"] for row in as_json(pokea, "list", "--state", "waiting")}
    assert set(ids) == {"note", "broken"}
    ran, failed = run(pokea, "run", ids["note"], "--now"), run(pokea, "run", ids["broken"], "--now")
    assert (ran.exit_code, ran.stdout) == (0, f"{ids['note']} is done\n")
    assert (failed.exit_code, failed.stdout) == (1, f"{ids['broken']} is waiting\n")
    assert f"flask reactions show {ids['broken']}" in failed.stderr
    assert as_json(pokea, "show", ids["note"])["did"][0]["state"] == "accepted"
    shown = run(pokea, "show", ids["broken"]).stdout
    assert "in broken" in shown
    assert "ValueError: the ledger of ***017 is closed" in shown
    assert "+254711000017" not in shown + run(pokea, "list").stdout
    lines = run(pokea, "list").stdout.splitlines()
    assert [("sms.bulk accepted" in line, "ValueError" in line) for line in lines] == [(False, True), (True, False)]
    assert len(at.calls()) == 1


def test_run_leaves_it_to_the_worker_unless_now(pokea: Flask, at: StubAT, stored: Stored) -> None:
    with pokea.app_context():
        for one in stored(Reaction):
            reactions.run_one(one.id)
    [done] = as_json(pokea, "list", "--name", "note")
    told = run(pokea, "run", done["id"])
    assert (told.exit_code, told.stdout) == (0, f"{done['id']} is waiting: the worker runs it\n")
    assert run(pokea, "run", done["id"], "--now").exit_code == 0
    assert len(at.calls()) == 1


@pytest.mark.parametrize("words", [("show", "rct_0"), ("run", "rct_0"), ("run", "rct_0", "--now")])
def test_an_unknown_one_is_told(pokea: Flask, words: tuple[str, ...]) -> None:
    result = run(pokea, *words)
    assert result.exit_code == 1
    assert result.stderr == "Error: No reaction 'rct_0'. flask reactions list names them.\n"


def test_an_empty_list_says_how_to_fill_it(sending: Sending) -> None:
    app = sending()
    assert run(app, "list").stderr == "No reactions. Cause one: flask trigger sms.incoming_message\n"
    assert (as_json(app, "list"), run(app, "list", "--name", "x").stderr) == ([], "No reaction is like that.\n")
