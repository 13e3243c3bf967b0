"""/openapi.json and flask openapi: valid, whole, and true: what it says of bodies, keys and answers is what happens."""

import json
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from app.models import Callback
from app.schemas.callbacks import KINDS
from app.schemas.invokes import INVOKES
from routes.operations import METHODS, openapi_of, operations
from services.docs.api_docs import ACCEPTED, LISTING, ONE_OF, PARAMETERS, QUERIES
from services.keys import SCOPES, create_key
from tests.invoking import LIVE, ONLY_SQLITE
from tests.routes.pages.browsing import ELSEWHERE
from tests.samples import FORM, JSON, PATHS, encoded

Make = Callable[..., Flask]
Stored = Callable[[type], list[Any]]
pytestmark = ONLY_SQLITE


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    return openapi_of(app)


def key_of(app: Flask, *scopes: str) -> dict[str, str]:
    with app.app_context():
        return {"Authorization": f"Bearer {create_key('test', scopes)[1]}"}


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_address_of_the_api_is_in_it_and_nothing_else(app: Flask, document: dict[str, Any]) -> None:
    rules = {
        (rule.rule.replace("<path:", "<").replace("<", "{").replace(">", "}"), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api")
    }
    told = {(path, method.upper()) for path, found in document["paths"].items() for method in found}
    assert told == rules
    assert {method for _, method in rules} <= set(METHODS)


def test_every_table_of_it_is_about_an_address_that_there_is(app: Flask) -> None:
    keys = {one.key for one in operations(app)}
    assert QUERIES.keys() | LISTING <= keys
    assert {name for names in QUERIES.values() for name in names} == set(PARAMETERS)
    assert ACCEPTED.keys() == KINDS.keys()


def whole(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("media", [FORM, JSON])
def test_every_sample_is_what_its_body_says(document: dict[str, Any], kind: str, media: str) -> None:
    content = document["paths"][PATHS[kind]]["post"]["requestBody"]["content"][media]
    whole(document, content["schema"]).validate(KINDS[kind].sample)
    assert content["example"] == KINDS[kind].sample


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_is_needed_is_what_is_refused_without_it(app: Flask, document: dict[str, Any], stored: Stored, kind: str) -> None:
    schema = whole(document, document["paths"][PATHS[kind]]["post"]["requestBody"]["content"][JSON]["schema"])
    sample, client = KINDS[kind].sample, app.test_client()
    for without in (*((name,) for name in sample), *ONE_OF.values()):
        fields = {name: value for name, value in sample.items() if name not in without}
        callback_id = client.post(PATHS[kind], json=fields).headers["X-Pokea-Id"]
        [state] = [row.state for row in stored(Callback) if row.id == callback_id]
        assert schema.is_valid(fields) == (state != "refused"), without


def test_each_callback_is_answered_as_it_says(app: Flask, document: dict[str, Any]) -> None:
    client = app.test_client()
    for one in operations(app):
        if not one.kind:
            continue
        told = document["paths"][one.path]["post"]["responses"]
        body, media = encoded(one.kind, KINDS[one.kind].sample)
        for answer in (client.post(one.path, data=body, content_type=media), client.post(one.path, data=b"{", content_type=JSON)):
            content = told[str(answer.status_code)]["content"]
            assert answer.mimetype in content, one.path
        taken = client.post(one.path, data=body, content_type=media)
        example = told["200"]["content"][taken.mimetype]["example"]
        said = taken.text if taken.mimetype != JSON else taken.get_json().keys()
        assert said == (example if taken.mimetype != JSON else json.loads(example).keys()), one.path


def test_each_invoke_has_its_parameters_and_every_answer(document: dict[str, Any], app: Flask) -> None:
    for one in operations(app):
        if not one.order:
            continue
        told = document["paths"][one.path][one.method.lower()]
        fields = INVOKES[one.order].schema().fields
        names = {field.data_key or name for name, field in fields.items()}
        if one.method == "GET":
            assert {parameter["name"] for parameter in told["parameters"]} == names
        assert {"200", "202", "400", "403", "405", "409", "429", "502", "503"} == told["responses"].keys()


def test_keys_open_what_it_says_and_nothing_else(make_app: Make) -> None:
    app = make_app(ratelimit_enabled=False)
    client, keys = app.test_client(), {scope: key_of(app, scope) for scope in SCOPES}
    for one in operations(app):
        if not one.scopes:
            continue
        path = one.path.replace("{", "").replace("}", "")
        assert client.open(path, method=one.method).status_code == 401, one.key
        for scope, headers in keys.items():
            status = client.open(path, method=one.method, headers=headers).status_code
            assert (status == 403) == (scope not in one.scopes), (one.key, scope)


def test_lists_take_the_parameters_that_it_says(app: Flask) -> None:
    client, headers = app.test_client(), key_of(app)
    values = {"limit": "5", "since": "2h", "until": "2026-03-04T10:30:00Z", "wait": "0", "by": "product", "format": "json", "replays": "0"}
    for one in operations(app):
        if one.method != "GET" or "{" in one.path or one.key not in QUERIES:
            continue
        for name in (name for name in QUERIES[one.key] if name in values and name != "replays"):
            answer = client.get(one.path, query_string={name: values[name]}, headers=headers)
            assert answer.status_code == 200, (one.key, name)
        assert client.get(one.path, query_string={"limit": "0"}, headers=headers).status_code == 400, one.key


def test_it_is_shown_to_who_sees_pages_and_to_keys_that_may_read(make_app: Make) -> None:
    app = make_app()
    client = app.test_client()
    assert client.get("/openapi.json").status_code == 200
    for headers, status in (({}, 401), (key_of(app, "send"), 403), (key_of(app, "read"), 200), ({"Authorization": "Bearer no"}, 401)):
        assert client.get("/openapi.json", headers=headers, environ_overrides=ELSEWHERE).status_code == status
    assert make_app(**LIVE, dashboard_password="long-enough-1").test_client().get("/openapi.json").status_code == 401


def test_it_tells_no_secret(make_app: Make) -> None:
    text = make_app(**LIVE, public_url="https://pokea.example.com").test_cli_runner().invoke(args=["openapi"]).stdout
    assert "https://pokea.example.com" in text
    for secret in (LIVE["at_api_key"], LIVE["invoke_token"], LIVE["callback_token"][0]):
        assert secret not in unescape(text)


def test_the_command_prints_and_writes_the_same(make_app: Make, tmp_path: Path) -> None:
    app = make_app()
    run = app.test_cli_runner()
    printed = json.loads(run.invoke(args=["openapi"]).stdout)
    done = run.invoke(args=["openapi", "--out", str(tmp_path / "openapi.json")])
    assert (done.exit_code, done.stdout, "wrote" in done.stderr) == (0, "", True)
    assert json.loads((tmp_path / "openapi.json").read_text()) == printed == app.test_client().get("/openapi.json").get_json()


def test_a_file_that_cannot_be_written_is_told_in_one_line(make_app: Make, tmp_path: Path) -> None:
    done = make_app().test_cli_runner().invoke(args=["openapi", "--out", str(tmp_path / "none" / "openapi.json")])
    assert (done.exit_code, "cannot be written" in done.stderr) == (1, True)
