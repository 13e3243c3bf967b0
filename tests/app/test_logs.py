import json
from collections.abc import Callable

import pytest
from flask import Flask

from tests.samples import post


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_one_line_per_callback(capsys: pytest.CaptureFixture[str], make_app: Callable[..., Flask], log_format: str) -> None:
    answer = post(make_app(log_format=log_format).test_client(), "ussd.session", headers={"X-Request-ID": "req-1"})
    [line] = capsys.readouterr().err.splitlines()
    if log_format == "json":
        said = json.loads(line)
        assert (said["kind"], said["id"], said["outcome"], said["status"]) == (
            "ussd.session",
            answer.headers["X-Pokea-Id"],
            "accepted",
            200,
        )
        assert (said["level"], said["request_id"]) == ("info", "req-1")
        assert said["ms"] >= 0
    for part in ("ussd.session", "***017", "accepted", "CON", answer.headers["X-Pokea-Id"]):
        assert part in line
    assert "254711000017" not in line


def test_a_caller_cannot_begin_a_line(capsys: pytest.CaptureFixture[str], make_app: Callable[..., Flask]) -> None:
    make_app(callback_token=("t",)).test_client().post("/api/sms/opt-out%0aforged%1b[31m", data="a=b")
    make_app(log_payloads=True).test_client().post(
        "/api/sms/opt-out", data={"senderId": "a\nforged\x1b[31m", "phoneNumber": "+254711000017"}
    )
    for line in capsys.readouterr().err.splitlines():
        assert not line.startswith("forged")
        assert line.isprintable()


def test_payloads_are_logged_only_when_asked_for(capsys: pytest.CaptureFixture[str], make_app: Callable[..., Flask]) -> None:
    post(make_app().test_client(), "sms.incoming_message")
    assert "I need help" not in capsys.readouterr().err
    post(make_app(log_payloads=True).test_client(), "sms.incoming_message")
    log = capsys.readouterr().err
    assert "I need help" in log
    assert "+254711000017" in log


def test_json_lines_are_json_also_for_errors(capsys: pytest.CaptureFixture[str], make_app: Callable[..., Flask]) -> None:
    app = make_app(log_format="json")

    @app.get("/breaks")
    def breaks() -> str:
        raise RuntimeError("line one\nline two +254711000017 token=abc")

    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.test_client().get("/breaks")
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert "RuntimeError" in said[-1]["exception"]
    assert "254711000017" not in said[-1]["exception"]
    assert "abc" not in said[-1]["exception"]
