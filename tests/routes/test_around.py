"""What surrounds the callbacks: front door, health, errors that help, one spelling of each path, request ids."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.errors import GatewayError
from tests.invoking import ONLY_SQLITE
from tests.samples import FORM, PATHS


@pytest.mark.parametrize("service", ["sms", "voice", "airtime", "sim-swap", "payments"])
@pytest.mark.parametrize("path", ["/api/{}/", "/api/{}", "/api//{}//"])
@ONLY_SQLITE
def test_every_service_says_that_it_is_there(client: FlaskClient, service: str, path: str) -> None:
    answer = client.get(path.format(service))
    assert (answer.status_code, answer.get_json()) == (200, {"service": service, "status": "ready"})


def test_ussd_greets_in_plain_text(client: FlaskClient) -> None:
    answer = client.get("/api/ussd/")
    assert (answer.text, answer.mimetype) == ("Welcome to the USSD service", "text/plain")


def test_the_front_door_names_every_service(client: FlaskClient) -> None:
    assert set(client.get("/").get_json()["services"].values()) == {
        "/api/sms", "/api/voice", "/api/airtime", "/api/sim-swap", "/api/ussd", "/api/payments", "/api/v1",
    }  # fmt: skip


def test_robots_read_nothing(client: FlaskClient) -> None:
    assert client.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"


@pytest.mark.parametrize("path", ["/api/sms/opt-out/", "/api//sms//opt-out/", "/api/sms/opt-out"])
def test_slashes_do_not_matter(client: FlaskClient, path: str) -> None:
    answer = client.post(path, data={"senderId": "a", "phoneNumber": "+254711000017"})
    assert (answer.status_code, answer.text) == (200, "OK")


@pytest.mark.parametrize(
    ("path", "near"), [("/api/smss", "/api/sms"), ("/api/sms/two-way", "/api/sms/twoway"), ("/api/ussd/sesion", "/api/ussd/session")]
)
@ONLY_SQLITE
def test_an_unknown_address_names_the_closest(client: FlaskClient, path: str, near: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.get_json()["error"].endswith(f"Did you mean {near}?")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("kind", list(PATHS))
@ONLY_SQLITE
def test_another_method_on_a_callback_says_that_it_is_alive(client: FlaskClient, kind: str, method: str) -> None:
    answer = client.open(PATHS[kind], method=method)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    if method != "HEAD":
        assert f"you used {method}" in answer.get_json()["error"]
        assert kind in answer.get_json()["error"]


def test_another_method_elsewhere_says_what_is_right(client: FlaskClient) -> None:
    answer = client.post("/healthz")
    assert (answer.status_code, answer.get_json()["error"]) == (405, "POST is not for /healthz, which takes GET, HEAD.")


def test_health_and_readiness(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json()["status"] == "ok"
    assert client.get("/readyz").get_json() == {"status": "ready", "database": "ok", "worker": {"seen_s_ago": None, "count": 0}}


def test_a_database_behind_is_not_ready(make_app: Callable[..., Flask], tmp_path: object) -> None:
    app = make_app(database_url=f"sqlite:///{tmp_path}/empty.db")
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert "6 migrations behind: run flask db upgrade" in answer.get_json()["database"]


@pytest.mark.parametrize(("sent", "is_kept"), [("abc-1", True), ("x" * 101, False), ("a b", False), ("", False)])
def test_a_request_id_comes_in_and_goes_out(client: FlaskClient, sent: str, is_kept: bool) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": sent})
    assert (answer.headers["X-Request-ID"] == sent) is is_kept
    assert answer.headers["X-Request-ID"]


def test_an_unexpected_error_tells_nothing(capsys: pytest.CaptureFixture[str], make_app: Callable[..., Flask]) -> None:
    app = make_app()

    @app.get("/breaks")
    def breaks() -> str:
        raise RuntimeError("inner matters")

    @app.get("/refuses")
    def refuses() -> str:
        raise GatewayError("said so", {"phone": ["why"]})

    app.config["TESTING"] = False
    answer = app.test_client().get("/breaks")
    assert (answer.status_code, "inner" in answer.text) == (500, False)
    assert "inner matters" in capsys.readouterr().err
    assert app.test_client().get("/refuses").get_json() == {"error": "said so", "fields": {"phone": ["why"]}}


def test_no_debugger_listens_to_a_question(client: FlaskClient) -> None:
    assert client.post(PATHS["sms.opt_out"] + "?__debugger__=yes&cmd=resource", data="a=b", content_type=FORM).text == "BAD"
