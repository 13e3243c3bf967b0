"""flask login-link: what it prints, and what it prints leads in."""

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app.models import Mark
from tests.invoking import Stored
from tests.routes.pages.browsing import Browser

Make = Callable[..., Flask]
TUNNEL = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}


@pytest.mark.parametrize(
    ("settings", "begins"),
    [({"port": 9055}, "http://127.0.0.1:9055"), ({"public_url": "https://abc123.ngrok.app"}, "https://abc123.ngrok.app")],
)
def test_the_link_is_for_where_the_app_is_reached(make_app: Make, settings: dict[str, object], begins: str) -> None:
    runner = make_app(**settings).test_cli_runner()
    line = runner.invoke(args=["login-link"]).output
    assert line.startswith(f"{begins}/login?code=")
    assert line.count("\n") == 1
    link = json.loads(runner.invoke(args=["login-link", "--json"]).output)["link"]
    assert link.startswith(f"{begins}/login?code=")
    assert link != line.strip()


def test_each_link_lets_one_browser_in(make_app: Make, stored: Stored) -> None:
    app = make_app()
    links = [app.test_cli_runner().invoke(args=["login-link"]).output.strip() for _ in range(2)]
    for link in links:
        browser = Browser(app, TUNNEL)
        parts = urlsplit(link)
        browser.get(f"{parts.path}?{parts.query}")
        browser.post("/login", {"secret": parts.query.partition("=")[2]})
        assert browser.get("/dashboard").status_code == 200
    # Nothing that opens is left behind.
    assert [mark for mark in stored(Mark) if mark.name.startswith("login code")] == []


def test_a_database_that_is_away_is_said(make_app: Make, tmp_path: object) -> None:
    said = make_app(database_url=f"sqlite:///{tmp_path}/none.db").test_cli_runner().invoke(args=["login-link"])
    assert said.exit_code == 1
    assert "login?code=" not in said.output
