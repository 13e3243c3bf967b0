"""flask opt-outs: entered, undone and listed by hand."""

import json
from typing import Any

from click.testing import Result
from flask import Flask

from app.models import OptOut
from routes.commands.opt_outs import opt_outs
from tests.invoking import ONLY_SQLITE, Sending, Stored
from tests.samples import post
from tests.stub_at import StubAT

pytestmark = ONLY_SQLITE
PHONE = "+254711000017"


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(opt_outs, words)


def as_json(app: Flask, *words: str) -> Any:
    return json.loads(run(app, *words, "--json").stdout)


def test_an_opt_out_is_entered_listed_and_undone_by_hand(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending(default_country="KE")
    assert run(app, "list").stderr == "Nobody opted out.\n"
    added = run(app, "add", "0711000017", "--sender", "MyBrand")
    assert (added.exit_code, added.stdout, added.stderr) == (0, f"{PHONE} gets no more messages\n", "")
    assert [(row.phone, row.sender, row.state) for row in stored(OptOut)] == [(PHONE, "MyBrand", "out")]
    assert f"{PHONE}  out MyBrand         by {stored(OptOut)[0].by}\n" in run(app, "list").stdout
    send = f"/api/sms/invoke-bulk-sms?phone={PHONE}&message=Hello"
    assert app.test_client().get(send).status_code == 409
    removed = run(app, "remove", PHONE)
    assert (removed.exit_code, removed.stdout, removed.stderr) == (0, f"{PHONE} gets messages again\n", "")
    assert app.test_client().get(send).status_code == 200
    assert run(app, "remove", PHONE).stderr == f"{PHONE} had not opted out.\n"
    assert as_json(app, "list", "--state", "out") == []
    assert {(row["sender"], row["state"]) for row in as_json(app, "list", "--phone", "0711000017")} == {("", "in"), ("MyBrand", "in")}


def test_what_was_told_just_before_is_listed_and_numbers_are_masked_where_asked(sending: Sending, at: StubAT) -> None:
    app = sending(privacy=True)
    post(app.test_client(), "sms.opt_out")
    assert [(row["phone"], row["by"]) for row in as_json(app, "list")] == [("***019", "callback")]
    wrong = run(app, "add", "0711")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "is not a phone number" in wrong.stderr
