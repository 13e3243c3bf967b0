"""flask listen: each callback and event once, as it is committed."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update
from ulid import ULID

from app.extensions import writing
from app.models import Callback
from app.schemas.callbacks import KINDS
from services.reading.following import LATE, Follower
from services.webhooks.events import publish
from tests.invoking import ONLY_SQLITE
from tests.samples import post

ROOT = Path(__file__).resolve().parent.parent.parent


def test_each_is_given_once_even_when_it_is_committed_late(app: Flask) -> None:
    client, start = app.test_client(), datetime.now(UTC)
    with app.app_context():
        follower = Follower(start)
        first = post(client, "sms.opt_out").headers["X-Pokea-Id"]
        with writing() as connection:
            event = publish(connection, "campaign.started", {}, start)
        assert [row.id for row in follower.look(datetime.now(UTC))] == [first, event]
        # Made before the first, and seen after it.
        late = post(client, "ussd.session").headers["X-Pokea-Id"]
        with writing() as connection:
            earlier = f"cb_{ULID.from_datetime(start + timedelta(milliseconds=1))}"
            connection.execute(update(Callback).where(Callback.id == late).values(id=earlier))
        now = datetime.now(UTC)
        assert [row.id for row in follower.look(now)] == [earlier]
        assert follower.look(now + LATE * 3) == follower.look(now + LATE * 3) == []


@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [
        ({"kinds": ("sms.*",)}, ["sms.opt_out"]),
        ({"kinds": ("ussd.session", "campaign.*")}, ["ussd.session", "campaign.started"]),
        ({"phone": "254711000018"}, ["ussd.session"]),
    ],
    ids=["family", "names", "number"],
)
def test_only_what_is_wanted_is_given(app: Flask, chosen: dict[str, Any], kinds: list[str]) -> None:
    client, start = app.test_client(), datetime.now(UTC)
    post(client, "sms.opt_out")
    post(client, "ussd.session", KINDS["ussd.session"].sample | {"phoneNumber": "+254711000018"})
    with app.app_context():
        with writing() as connection:
            publish(connection, "campaign.started", {}, start)
        found = Follower(start, **chosen).look(datetime.now(UTC))
    assert [row.kind if isinstance(row, Callback) else row.name for row in found] == kinds


@ONLY_SQLITE
def test_it_ends_quietly_and_writes_lines(app: Flask, database_url: str, tmp_path: Path) -> None:
    made = post(app.test_client(), "sms.incoming_message").headers["X-Pokea-Id"]
    settings = {"DATABASE_URL": database_url, "SECRET_KEY": "test", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "listen", "--since", "1h", "--json"]
    listening = subprocess.Popen(
        words, cwd=tmp_path, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert listening.stdout
    line = json.loads(listening.stdout.readline())
    assert (line["id"], line["kind"]) == (made, "sms.incoming_message")
    listening.send_signal(signal.SIGINT)
    said = listening.communicate(timeout=20)[1]
    assert listening.returncode == 0
    assert "Traceback" not in said


@ONLY_SQLITE
def test_a_name_that_is_none_is_refused_with_the_known_ones(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["listen", "--type", "sms.incomming"])
    assert done.exit_code == 2
    assert "sms.incoming_message" in done.stderr
