"""The flask commands: what they print for people and as JSON, and how they fail."""

import csv
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.models import ApiKey, Callback
from app.schemas.callbacks import KINDS
from app.settings import Settings
from routes.commands.dev import untold_elsewhere
from services.apps import Flows
from services.archive import PAGE
from services.tunnel import is_own, public_address
from services.ussd import Ask, End, Menu
from tests.invoking import LIVE
from tests.receiving import Receiver
from tests.running import free_port
from tests.samples import PATHS, post
from tests.serving import listening

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]


def run(app: Flask, *words: str, **options: Any) -> Result:
    return app.test_cli_runner().invoke(args=list(words), **options)


def as_json(app: Flask, *words: str) -> Any:
    return json.loads(run(app, *words, "--json").stdout)


@pytest.fixture
def pokea(make_app: Make) -> Flask:
    """An application whose context nobody pushed: each command gets its own, as in a shell."""
    return make_app()


@pytest.fixture
def served(make_app: Make) -> Iterator[Flask]:
    """An application that listens on its own port."""
    with listening(make_app(port=free_port(), callback_token=("t&1",))) as app:
        yield app


@pytest.mark.parametrize(
    ("port", "source", "given", "untold"),
    [
        (9000, None, 9000, []), (8080, ".env", 8080, []), (8080, "environment", 8080, ["PORT=8080"]), (9000, "environment", 9000, []),
        (8080, "file (PORT_FILE in environment)", 8080, ["PORT=8080"]), (9000, None, 9002, ["PORT=9002"]), (8080, ".env", 9000, ["PORT=9000"]),
    ],
)  # fmt: skip
def test_other_terminals_are_told_of_a_port_that_only_this_one_knows(port: int, source: str | None, given: int, untold: list[str]) -> None:
    settings = Settings(secret_key="test", port=port, sources={"port": source} if source else {})
    assert untold_elsewhere(settings, port=given) == untold


def test_other_terminals_are_told_where_the_emulator_is() -> None:
    settings = Settings(secret_key="test", emulator_url="http://127.0.0.1:9311", sources={"emulator_url": "environment"})
    assert untold_elsewhere(settings, port=9000, emulator_url="http://127.0.0.1:9311") == ["EMULATOR_URL=http://127.0.0.1:9311"]
    # Its place was taken, so it went to the next one.
    assert untold_elsewhere(Settings(secret_key="test"), emulator_url="http://127.0.0.1:9002") == ["EMULATOR_URL=http://127.0.0.1:9002"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_can_be_triggered(served: Flask, stored: Stored, kind: str) -> None:
    sent = as_json(served, "trigger", kind)["sent"]
    [row] = stored(Callback)
    assert [(one["status"], one["id"], one["answer"]) for one in sent] == [(200, row.id, row.answer)]
    assert (row.kind, row.state, row.checks) == (kind, "accepted", {"token": True})


def test_trigger_counts_repeats_and_changes(served: Flask, stored: Stored) -> None:
    done = run(served, "trigger", "sms.incoming_message", "--count", "3", "--twice", "--set", "text=STOP")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 6
    assert done.stdout.startswith("sms.incoming_message → 200 GOOD in ")
    rows = stored(Callback)
    assert [(row.repeats, row.fields["text"], row.fields["to"]) for row in rows] == [(1, "STOP", "12345")] * 3


def test_trigger_takes_another_address(served: Flask, stored: Stored) -> None:
    url = f"http://127.0.0.1:{served.config['POKEA'].port}/api/v1/sms/webhook?token=t%261"
    assert as_json(served, "trigger", "sms.incoming_message", "--to", url)["sent"][0]["answer"] == '{"status":"webhook_received"}'


def test_trigger_signs_where_that_is_the_proof(make_app: Make, served: Flask) -> None:
    signing = make_app(port=served.config["POKEA"].port, webhook_secret=("w",))
    served.extensions["pokea.proofs"] = signing.extensions["pokea.proofs"]
    assert as_json(signing, "trigger", "sms.opt_out")["sent"][0]["status"] == 200


def test_live_what_follows_is_real_so_a_word_is_asked_for(make_app: Make, stored: Stored) -> None:
    with listening(make_app(**LIVE, port=free_port())) as app, Receiver() as receiver:
        own = f"http://localhost:{app.config['POKEA'].port}{PATHS['sms.opt_out']}?token={LIVE['callback_token'][0]}"
        for words, typed in (([], "y\n"), ([], None), (["--to", ""], None), (["--to", own], None)):
            told = run(app, "trigger", "sms.opt_out", *words, input=typed)
            assert (told.exit_code, "LIVE account 'acme': what follows from this is real" in told.stderr, told.stdout) == (1, True, "")
        assert run(app, "trigger", "sms.opt_out", "--to", receiver.url).stderr == ""
        assert (len(receiver.came), stored(Callback)) == (1, [])
        assert run(app, "trigger", "sms.opt_out", input="send\n").exit_code == 0
        assert run(app, "trigger", "sms.incoming_message", "--yes").stderr == ""
    assert [(row.kind, row.checks) for row in stored(Callback)] == [
        ("sms.opt_out", {"token": True}),
        ("sms.incoming_message", {"token": True}),
    ]


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("http://127.0.0.1:9000/api/x", True), ("http://LOCALHOST:9000", True), ("http://[::1]:9000/", True), ("https://pokea.example/api/x", True),
        ("http://127.0.0.1:8000/", False), ("https://other.example:9000/", False), ("http://[::1", False), ("http://127.0.0.1:x/", False), ("x", False),
    ],
)  # fmt: skip
def test_own_addresses_are_known(url: str, is_ours: bool) -> None:
    assert is_own(url, Settings(port=9000, public_url="https://pokea.example")) is is_ours
    assert not is_own("x", Settings())


def test_a_refused_trigger_fails(served: Flask) -> None:
    assert run(served, "trigger", "sms.opt_out", "--set", "senderId=").exit_code == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["trigger", "sms.incomming"], 2, "Did you mean sms.incoming_message?"),
        (["trigger"], 2, "flask trigger --list names them."),
        (["trigger", "sms.opt_out", "--set", "x"], 2, "--set takes name=value"),
        (["callbacks", "show", "cb_nothing"], 1, "No callback 'cb_nothing'."),
        (["keys", "revoke", "key_nothing"], 1, "No key 'key_nothing'"),
    ],
)
def test_mistakes_are_told_with_what_would_be_right(pokea: Flask, words: list[str], code: int, said: str) -> None:
    done = run(pokea, *words)
    assert (done.exit_code, said in done.stderr) == (code, True)


def test_nobody_listening_is_told(make_app: Make) -> None:
    done = run(make_app(port=free_port()), "trigger", "sms.opt_out")
    assert (done.exit_code, "Start the app with make run" in done.stderr) == (1, True)


def test_the_list_of_kinds(pokea: Flask) -> None:
    assert [row["kind"] for row in as_json(pokea, "trigger", "--list")] == list(KINDS)
    assert len(run(pokea, "trigger", "--list").stdout.splitlines()) == 14


def test_urls_name_every_address(make_app: Make) -> None:
    app = make_app(public_url="https://pokea.example", callback_token=("tok",))
    told = as_json(app, "urls")
    assert told["base"] == "https://pokea.example"
    usual = {row["kind"]: row for row in told["addresses"] if row["field"] != "other spelling"}
    assert {kind: row["path"] for kind, row in usual.items()} == PATHS
    assert usual["sms.opt_out"]["url"] == "https://pokea.example/api/sms/opt-out?token=tok"
    assert {row["path"] for row in told["addresses"]} >= {
        "/api/sms/delivery",
        "/api/v1/sms/webhook",
        "/api/v1/ussd",
        "/api/v1/payments/webhook",
    }
    assert "SMS › Opt-out URL" in run(app, "urls").stdout


def test_ngrok_is_asked_for_the_tunnel_to_our_port(pokea: Flask, httpserver: Any) -> None:
    tunnels = [
        {"public_url": "https://other.ngrok.app", "config": {"addr": "http://localhost:9999"}},
        {"public_url": "http://abc.ngrok.app", "config": {"addr": "http://localhost:9000"}},
        {"public_url": "https://abc.ngrok.app", "config": {"addr": "http://localhost:9000"}},
    ]
    httpserver.expect_request("/api/tunnels").respond_with_json({"tunnels": tunnels})
    assert public_address(pokea.config["POKEA"], httpserver.url_for("/api/tunnels")) == ("https://abc.ngrok.app", "ngrok")


def test_callbacks_are_listed_newest_first_and_filtered(pokea: Flask) -> None:
    client = pokea.test_client()
    for kind in ("sms.opt_out", "ussd.session"):
        post(client, kind)
    client.post("/api/sms/opt-out", data={"senderId": "x"})
    assert [(row["kind"], row["state"]) for row in as_json(pokea, "callbacks", "list")] == [
        ("sms.opt_out", "refused"), ("ussd.session", "accepted"), ("sms.opt_out", "accepted"),
    ]  # fmt: skip
    assert len(as_json(pokea, "callbacks", "list", "--state", "refused")) == 1
    assert len(as_json(pokea, "callbacks", "list", "--kind", "ussd.session", "--phone", "+254711000017")) == 1
    assert len(as_json(pokea, "callbacks", "list", "--limit", "2")) == 2
    assert "ussd.session" in run(pokea, "callbacks", "list").stdout


def test_a_callback_is_shown_with_its_operator_and_without_its_pin(pokea: Flask) -> None:
    answer = post(pokea.test_client(), "ussd.session", KINDS["ussd.session"].sample | {"text": "1*432176", "apiKey": "geheim"})
    told = as_json(pokea, "callbacks", "show", answer.headers["X-Pokea-Id"])
    assert (told["operator"], told["fields"]["text"], told["identity"]["text"]) == ("Safaricom KE", "1*****", "1*****")
    text = run(pokea, "callbacks", "show", answer.headers["X-Pokea-Id"]).stdout
    assert "432176" not in text.replace(told["reference"], "")
    assert "geheim" not in text


def test_the_export_is_what_came_oldest_first(pokea: Flask) -> None:
    client = pokea.test_client()
    post(client, "sms.opt_out")
    client.post("/api/sms/opt-out", data=b"senderId=\xff&phoneNumber=%2B254711000017", content_type="application/x-www-form-urlencoded")
    lines = [json.loads(line) for line in run(pokea, "callbacks", "export").stdout.splitlines()]
    assert list(lines[0]) == ["id", "kind", "received_at", "state", "repeats", "fields", "raw_body"]
    assert lines[0]["fields"] == KINDS["sms.opt_out"].sample
    assert (lines[1]["raw_encoding"], lines[1]["raw_body"]) == ("base64", "c2VuZGVySWQ9/yZwaG9uZU51bWJlcj0lMkIyNTQ3MTEwMDAwMTc=")
    assert lines[0]["id"] < lines[1]["id"]


def test_the_export_goes_past_a_page(pokea: Flask) -> None:
    client = pokea.test_client()
    ids = [post(client, "sms.delivery_report", {"id": f"m{n}", "status": "Sent"}).headers["X-Pokea-Id"] for n in range(PAGE + 3)]
    assert [json.loads(line)["id"] for line in run(pokea, "callbacks", "export").stdout.splitlines()] == sorted(ids)


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_spreadsheet_runs_nothing(pokea: Flask, start: str) -> None:
    pokea.test_client().post("/api/sms/opt-out", data=f"{start}1+1", content_type="text/plain")
    rows = list(csv.reader(io.StringIO(run(pokea, "callbacks", "export", "--format", "csv").stdout)))
    assert rows[0][:3] == ["id", "kind", "received_at"]
    assert rows[1][6] == f"'{start}1+1"


def test_curl_lines_are_quoted_for_a_shell(pokea: Flask) -> None:
    pokea.test_client().post(
        "/api/sms/opt-out?a=$(id)&token=geheim", data="senderId='; rm -rf /&phoneNumber=1", content_type="application/x-www-form-urlencoded"
    )
    line = run(pokea, "callbacks", "export", "--format", "curl").stdout.strip()
    assert line == (
        "curl -X POST 'http://127.0.0.1:9000/api/sms/opt-out?a=$(id)' -H 'Content-Type: application/x-www-form-urlencoded' "
        "--data-raw 'senderId='\"'\"'; rm -rf /&phoneNumber=1'"
    )


def test_privacy_masks_numbers_wherever_they_are_read(make_app: Make) -> None:
    app = make_app(privacy=True)
    answer = post(app.test_client(), "ussd.session", KINDS["ussd.session"].sample | {"text": "2"})
    for words in (
        ["list"],
        ["show", answer.headers["X-Pokea-Id"]],
        ["export"],
        ["export", "--format", "csv"],
        ["export", "--format", "curl"],
    ):
        text = run(app, "callbacks", *words).stdout
        assert "254711000017" not in text
        assert "***017" in text or "curl" in words


def test_keys_are_shown_once_and_kept_as_hashes(pokea: Flask, stored: Stored) -> None:
    made = as_json(pokea, "keys", "create", "--name", "reports", "--scope", "read")
    [row] = stored(ApiKey)
    assert made["key"].startswith("pk_")
    assert made["key"] not in repr(vars(row))
    assert (row.name, row.scopes, len(row.key_hash)) == ("reports", ["read"], 64)
    [listed] = as_json(pokea, "keys", "list")
    assert (listed["id"], listed["revoked"]) == (made["id"], False)
    assert as_json(pokea, "keys", "revoke", made["id"]) == {"id": made["id"], "revoked": True}
    assert stored(ApiKey)[0].revoked_at is not None
    assert as_json(pokea, "keys", "list")[0]["revoked"] is True
    assert run(pokea, "keys", "revoke", made["id"]).exit_code == 1


def test_a_key_without_scopes_has_them_all(pokea: Flask) -> None:
    assert as_json(pokea, "keys", "create", "--name", "all")["scopes"] == ["read", "send", "webhooks", "replay", "campaigns", "admin"]


def test_the_doctor_finds_this_app_and_a_stranger(served: Flask, make_app: Make) -> None:
    found = {check["name"]: check for check in as_json(served, "doctor")["checks"]}
    assert found["database"]["state"] == found["port"]["state"] == found["callbacks"]["state"] == "ok"
    assert "this app answers" in found["port"]["message"]
    assert run(served, "doctor").stdout.splitlines()[-1].endswith("0 failed")
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        other = make_app(port=stranger.getsockname()[1])
        closing = threading.Thread(target=lambda: stranger.accept()[0].close())
        closing.start()
        told = run(other, "doctor")
        closing.join()
    assert (told.exit_code, "is taken by another program" in told.stdout) == (1, True)


def test_the_doctor_tells_whose_tunnel_it_is(served: Flask, make_app: Make) -> None:
    url = f"http://127.0.0.1:{served.config['POKEA'].port}"
    own = replace(served.config["POKEA"], public_url=url)
    served.config["POKEA"] = own
    assert "reaches this app" in run(served, "doctor").stdout
    stranger = make_app(public_url=url, port=free_port(), secret_key="another")
    told = run(stranger, "doctor")
    assert (told.exit_code, "answers, but not from this app" in told.stdout) == (1, True)


@pytest.mark.parametrize(
    ("settings", "state", "says"),
    [
        ({}, "ok", "open on this machine only"),
        ({"dashboard_password": "geheim"}, "ok", "asks for its password, but not on this machine"),
        ({**LIVE, "at_base_url": "http://127.0.0.1:9", "dashboard_password": "geheim"}, "ok", "asks for its password"),
        ({**LIVE, "at_base_url": "http://127.0.0.1:9"}, "failed", "Set DASHBOARD_PASSWORD"),
    ],
    ids=["open", "password", "live", "live without"],
)
def test_the_doctor_looks_at_the_dashboard_s_door(make_app: Make, settings: dict[str, Any], state: str, says: str) -> None:
    [found] = [check for check in as_json(make_app(**settings), "doctor")["checks"] if check["name"] == "dashboard"]
    assert (found["state"], says in found["message"], "geheim" in found["message"]) == (state, True, False)


def test_the_doctor_sees_a_database_that_is_behind(make_app: Make, tmp_path: Any) -> None:
    told = run(make_app(database_url=f"sqlite:///{tmp_path}/empty.db"), "doctor")
    assert (told.exit_code, "6 migrations behind" in told.stdout) == (1, True)


@pytest.mark.parametrize(
    "words",
    [["callbacks", "list"], ["callbacks", "export"], ["callbacks", "show", "x"], ["keys", "list"], ["keys", "create", "--name", "x"]],
)
def test_a_database_without_tables_is_told_in_one_line(make_app: Make, tmp_path: Any, words: list[str]) -> None:
    done = run(make_app(database_url=f"sqlite:///{tmp_path}/empty.db"), *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: The database does not answer: no such table")
    assert "SELECT" not in done.stderr


def test_json_wins_over_another_format(pokea: Flask) -> None:
    post(pokea.test_client(), "sms.opt_out")
    [line] = run(pokea, "callbacks", "export", "--format", "csv", "--json").stdout.splitlines()
    assert json.loads(line)["kind"] == "sms.opt_out"


def test_the_end_of_a_session_hides_what_its_menu_called_secret(pokea: Flask) -> None:
    menu = Menu({"start": Ask("Word?", "done", "word", secret=True), "done": End("Thanks")})
    pokea.extensions["pokea.apps"] = replace(pokea.extensions["pokea.apps"], flows=Flows(menus={"*": menu}))
    client, session = pokea.test_client(), {"sessionId": "s9", "phoneNumber": "+254711000017"}
    client.post("/api/ussd/session", data=session | {"text": "geheim"})
    client.post("/api/ussd/status", data=session | {"input": "geheim"})
    assert "geheim" not in run(pokea, "callbacks", "list", "--json").stdout


def test_a_body_that_could_not_be_read_is_shown(pokea: Flask) -> None:
    answer = pokea.test_client().post("/api/ussd/session", data='{"text": "1*4321", bad', content_type="application/json")
    assert as_json(pokea, "callbacks", "show", answer.headers["X-Pokea-Id"])["raw_body"] == '{"text": "1*****", bad'


def test_privacy_masks_pins_in_exports_too(make_app: Make) -> None:
    app = make_app(privacy=True)
    post(app.test_client(), "ussd.session", KINDS["ussd.session"].sample | {"text": "1*43210"})
    for form in ("json", "csv", "curl"):
        assert "43210" not in run(app, "callbacks", "export", "--format", form).stdout
