"""The corpus and the guide lines against the running gunicorn: raw bytes, rows and repeats."""

import json
from collections.abc import Iterator

import psycopg
import pytest
import requests

from tests.conftest import SERVER, missing
from tests.routes.test_guide_lines import CALLBACKS
from tests.running import Web
from tests.samples import FORM, JSON, corpus

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A server on an empty database."""
    folder = tmp_path_factory.mktemp("wire")
    name = "pokea_test_wire"
    url = f"sqlite:///{folder / 'wire.db'}" if request.param == "sqlite" else SERVER.rpartition("/")[0] + f"/{name}"
    try:
        server = psycopg.connect(SERVER, autocommit=True, connect_timeout=3) if request.param == "postgresql" else None
    except psycopg.OperationalError as error:
        missing(f"no PostgreSQL: {error}")
    if server:
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {name}")
    web = Web(folder, url)
    web.migrate()
    with web:
        yield web
    if server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.close()


def export(web: Web) -> list[dict]:
    return [json.loads(line) for line in web.flask("callbacks", "export").splitlines()]


def test_every_line_is_kept_byte_for_byte(web: Web) -> None:
    lines = corpus()
    for line in lines:
        answer = requests.post(web.url + line.path, data=line.body.encode(), headers={"Content-Type": line.content_type}, timeout=10)
        assert answer.status_code < 500
    rows = export(web)
    assert [row["raw_body"] for row in rows] == [line.body for line in lines]
    assert [row["kind"] for row in rows] == [line.kind for line in lines]
    assert [row["state"] == "refused" for row in rows] == [not line.complete for line in lines]
    assert {row["repeats"] for row in rows} == {0}


@pytest.mark.parametrize(("method", "path", "body", "status", "answer"), CALLBACKS)
def test_guide_lines_work_as_written(web: Web, method: str, path: str, body: str, status: str, answer: str) -> None:
    response = requests.request(
        method, web.url + path, data=body.encode(), headers={"Content-Type": JSON if body.startswith("{") else FORM}, timeout=10
    )
    assert response.status_code == int(status)
    assert answer in response.text


def test_no_full_number_stands_in_the_log(web: Web) -> None:
    log = web.log.read_text()
    assert "sms.incoming_message" in log
    assert "25471100" not in log
    assert "234711000" not in log
    assert "Traceback" not in log
