"""API keys on a page: shown once, listed by their first letters, ended."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask

from app.models import ApiKey
from routes.pages.keys import ROWS
from services.keys import SCOPES, create_key
from tests.invoking import ONLY_SQLITE
from tests.routes.pages.browsing import ELSEWHERE, Browser

Stored = Callable[[type], list[Any]]


def test_a_key_is_shown_once_and_works(app: Flask, stored: Stored) -> None:
    browser = Browser(app)
    assert "No keys yet." in browser.get("/setup/keys").text
    made = browser.post("/setup/keys", {"name": "<reports>", "scope": ["read", "replay"]})
    key = re.search(r"pk_[\w-]{43}", made.text)[0]
    [row] = stored(ApiKey)
    assert (row.name, row.scopes) == ("<reports>", ["read", "replay"])
    assert (made.status_code, made.headers["Cache-Control"], "<reports>" in made.text) == (200, "no-store", False)
    assert f"curl -H 'Authorization: Bearer {key}' http://localhost/api/v1/callbacks" in unescape(made.text)
    listed = browser.get("/setup/keys").text
    assert (key in listed, f"{key[:7]}…" in listed, "&lt;reports&gt;" in listed, "read, replay" in listed) == (False, True, True, True)
    shown = {"Authorization": f"Bearer {key}"}
    assert app.test_client().get("/api/v1/callbacks", headers=shown).status_code == 200
    page = browser.post(f"/setup/keys/{row.id}/revoke").text
    assert ("The key is revoked" in page, ">revoked<" in page, "Revoke for good" in page) == (True, True, False)
    assert app.test_client().get("/api/v1/callbacks", headers=shown).status_code == 401
    assert browser.post(f"/setup/keys/{row.id}/revoke").status_code == 404


def test_a_place_in_the_list_that_is_none_is_no_error(app: Flask) -> None:
    assert Browser(app).get("/setup/keys?after=%00x").status_code == 200


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": " ", "scope": "read"}, "whose key it is"),
        ({"name": "x" * 101, "scope": "read"}, "whose key it is"),
        ({"name": "x"}, "one or more of read"),
        ({"name": "x", "scope": "root"}, "one or more of read"),
    ],
    ids=["no name", "a long name", "no scope", "no such scope"],
)  # fmt: skip
@ONLY_SQLITE
def test_what_makes_no_key_is_told(app: Flask, stored: Stored, fields: dict[str, str], says: str) -> None:
    browser = Browser(app)
    browser.get("/setup/keys")
    answer = browser.post("/setup/keys", fields)
    assert (answer.status_code, says in answer.text, stored(ApiKey)) == (400, True, [])


@ONLY_SQLITE
def test_a_key_that_cannot_read_comes_without_a_line_that_reads(app: Flask) -> None:
    browser = Browser(app)
    browser.get("/setup/keys")
    page = browser.post("/setup/keys", {"name": "x", "scope": "send"}).text
    assert ("pk_" in page, "curl -H" in page) == (True, False)


def test_keys_are_listed_newest_first_by_pages(app: Flask) -> None:
    with app.app_context():
        for number in range(ROWS + 2):
            create_key(f"key {number}", SCOPES)
    browser = Browser(app)
    page = browser.get("/setup/keys").text
    assert (page.count(">in use<"), f">key {ROWS + 1}<" in page, ">key 1<" in page) == (ROWS, True, False)
    older = browser.get(unescape(re.search(r'href="(/setup/keys\?after=[^"]+)"', page)[1])).text
    assert (older.count(">in use<"), ">key 1<" in older, "older …" in older) == (2, True, False)


@ONLY_SQLITE
def test_forged_forms_and_strangers_do_nothing(app: Flask, stored: Stored) -> None:
    with app.app_context():
        key_id, _ = create_key("mine", ["read"])
    for path in ("/setup/keys", f"/setup/keys/{key_id}/revoke"):
        assert app.test_client().post(path, data={"name": "x", "scope": "read"}).status_code == 400
    assert [(row.name, row.revoked_at) for row in stored(ApiKey)] == [("mine", None)]
    assert Browser(app, ELSEWHERE).get("/setup/keys").status_code == 303
