"""Named fixtures: flask fixtures save and list, flask trigger @name; what is kept, what never is, and what comes of broken files."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from click.testing import Result
from flask import Flask

from app.models import Callback
from app.schemas.callbacks import KINDS
from services.apps import Apps, Flows
from services.budget import Budget
from services.reading.single import MOST_STEPS
from services.ussd import Ask, End, Menu
from tests import rows
from tests.invoking import LIVE, ONLY_SQLITE
from tests.receiving import Receiver
from tests.running import free_port
from tests.samples import FORM, JSON, post
from tests.serving import listening

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]
pytestmark = ONLY_SQLITE


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=list(words))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where fixtures are kept; made when the first one is."""
    return tmp_path / "fixtures" / "events"


@pytest.fixture
def served(make_app: Make, folder: Path) -> Iterator[Flask]:
    """An application that listens on its own port, and proves its callbacks in two ways."""
    with listening(make_app(port=free_port(), callback_token=("t&1",), webhook_secret=("geheim-geheim",), fixtures_dir=folder)) as app:
        yield app


def keep(app: Flask, body: bytes, media: str = FORM, path: str = "/api/sms/opt-out") -> str:
    return app.test_client().post(f"{path}?token=t%261", data=body, content_type=media).headers["X-Pokea-Id"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_kept_and_posted_again(served: Flask, stored: Stored, folder: Path, kind: str) -> None:
    assert run(served, "trigger", kind).exit_code == 0
    saved = run(served, "fixtures", "save", "one", stored(Callback)[0].id)
    assert (saved.exit_code, saved.stdout, "flask trigger @one" in saved.stderr) == (0, "saved 'one'\n", True)
    told = json.loads((folder / "one.json").read_text())
    assert (told["kind"], told["fields"]) == (kind, stored(Callback)[0].fields)
    again = run(served, "trigger", "@one")
    assert (again.exit_code, "Not the answer" in again.stderr, again.stdout.startswith("@one → 200 ")) == (0, False, True)
    all_of_it = stored(Callback)
    assert len({row.raw_body for row in all_of_it}) == 1
    assert (len(all_of_it), all_of_it[0].repeats) == ((2, 0) if kind == "voice.instructions" else (1, 1))


@pytest.mark.parametrize(
    "body", [b"senderId=\xff\x00&phoneNumber=1", b"senderId='\"\r\n\n\t%&phoneNumber=1", b"", b"[1", b"senderId=\\u0000"], ids=range(5)
)
def test_bodies_are_kept_byte_for_byte(served: Flask, stored: Stored, body: bytes) -> None:
    callback_id = keep(served, body, "text/plain; charset=x")
    assert run(served, "fixtures", "save", "odd", callback_id).exit_code == 0
    again = run(served, "trigger", "@odd")
    # A refusal that was kept as one is no failure.
    assert (again.exit_code, "Not the answer" in again.stderr) == (0, False)
    [row] = stored(Callback)
    assert (row.repeats, row.raw_body) == (1, body)


def test_a_query_goes_along_without_its_token(served: Flask, stored: Stored, folder: Path) -> None:
    callback_id = served.test_client().post("/api/sms/opt-out?token=t%261&senderId=A&phoneNumber=1", data=b"").headers["X-Pokea-Id"]
    run(served, "fixtures", "save", "from-query", callback_id)
    assert "t%261" not in (folder / "from-query.json").read_text()
    assert run(served, "trigger", "@from-query").exit_code == 0
    assert [(row.repeats, row.query) for row in stored(Callback)] == [(1, "senderId=A&phoneNumber=1")]


def test_fields_are_set_and_ids_made_new(served: Flask, stored: Stored) -> None:
    run(served, "trigger", "ussd.session")
    run(served, "fixtures", "save", "menu", stored(Callback)[0].id)
    changed = run(served, "trigger", "@menu", "--set", "text=2", "--set", "more=x")
    assert "END Your phone number is" in changed.stdout
    assert stored(Callback)[1].fields == stored(Callback)[0].fields | {"text": "2", "more": "x"}
    assert run(served, "trigger", "@menu", "--count", "3", "--twice").exit_code == 0
    assert len({row.fields["sessionId"] for row in stored(Callback)}) == 4


def test_what_pokea_had_already_is_called_a_repeat(served: Flask, stored: Stored) -> None:
    run(served, "trigger", "sms.incoming_message")
    [first] = stored(Callback)
    run(served, "fixtures", "save", "hello", first.id)
    told = run(served, "trigger", "@hello")
    assert f"({first.id}, a repeat)" in told.stdout
    assert (
        f"had this already: a repeat of {first.id}, not acted on again. With ids of its own it is new: flask trigger @hello --new"
        in told.stderr
    )
    told = run(served, "trigger", "@hello", "--new")
    assert ("repeat" in told.output, [row.repeats for row in stored(Callback)]) == (False, [1, 0])
    # The second of two that were asked for is meant to be one.
    told = run(served, "trigger", "@hello", "--new", "--twice")
    assert (told.stdout.count("a repeat"), told.stderr) == (1, "")


def test_what_has_no_id_becomes_new_by_other_fields(served: Flask, stored: Stored) -> None:
    assert run(served, "trigger", "sms.opt_out").stderr == ""
    assert "Other fields make it new (--set)" in run(served, "trigger", "sms.opt_out").stderr
    run(served, "fixtures", "save", "leave", stored(Callback)[0].id)
    for words in (["@leave"], ["@leave", "--new"]):
        assert "where it has no id, 10 minutes." in run(served, "trigger", *words).stderr
    assert run(served, "trigger", "@leave", "--set", "senderId=Other").stderr == ""


def dialled(app: Flask, session: str = "ATUid_1", number: str = "+254711000017") -> None:
    """Receive a session of two screens, and its end."""
    told = {"sessionId": session, "phoneNumber": number, "serviceCode": "*384*1234#"}
    for text in ("", "2"):
        keep(app, urlencode(told | {"text": text}).encode(), path="/api/ussd/session")
    keep(app, urlencode(told | {"status": "Success"}).encode(), path="/api/ussd/status")


def test_a_session_is_kept_whole_and_posted_in_order(served: Flask, stored: Stored, folder: Path) -> None:
    dialled(served)
    saved = run(served, "fixtures", "save", "balance-menu", "ATUid_1")
    assert (saved.exit_code, saved.stdout) == (0, "saved 'balance-menu'\n")
    assert [step["kind"] for step in json.loads((folder / "balance-menu.json").read_text())["steps"]] == [
        "ussd.session", "ussd.session", "ussd.session_end",
    ]  # fmt: skip
    again = run(served, "trigger", "@balance-menu")
    assert (again.exit_code, again.stderr) == (0, "")
    lines = [line.partition(" in ")[0] for line in again.stdout.splitlines()]
    assert lines == [
        "@balance-menu ussd.session → 200 CON What would you want to check  | 1. My Account  | 2. My phone number",
        "@balance-menu ussd.session → 200 END Your phone number is +254711000017",
        "@balance-menu ussd.session_end → 200 OK",
    ]
    old, new = stored(Callback)[:3], stored(Callback)[3:]
    assert [row.fields | {"sessionId": ""} for row in new] == [row.fields | {"sessionId": ""} for row in old]
    # One session, and another than the first.
    [session] = {row.fields["sessionId"] for row in new}
    assert (session.startswith("ATUid_"), session == "ATUid_1") == (True, False)
    told = run(served, "trigger", "@balance-menu", "--set", "sessionId=ATUid_1")
    assert f"a repeat of {', '.join(row.id for row in old)}, not acted on again. Other fields make it new (--set)" in told.stderr
    assert [(row["kind"], row["steps"]) for row in json.loads(run(served, "fixtures", "list", "--json").stdout)] == [("ussd.session", 3)]
    assert "ussd.session, 3 steps" in run(served, "fixtures", "list").stdout


def called(app: Flask, **fields: str) -> None:
    """Receive a call of two screens, and its end."""
    told = {"sessionId": "ATVId_1", "callerNumber": "+254711000017", "destinationNumber": "+254711082000", "isActive": "1"} | fields
    for typed in ({}, {"dtmfDigits": "1"}):
        keep(app, urlencode(told | typed).encode(), path="/api/voice/instruct")
    over = {"isActive": "0", "callSessionState": "Completed", "hangupCause": "NORMAL_CLEARING"}
    keep(app, urlencode(told | over).encode(), path="/api/voice/events")


def test_a_call_is_another_one_each_time_and_nobodys_order(served: Flask, stored: Stored) -> None:
    called(served, clientRequestId="inv_01KF3Z0000000000000000000")
    run(served, "fixtures", "save", "call", "ATVId_1")
    for words in ((), ("--new",)):
        told = run(served, "trigger", "@call", *words)
        assert (told.exit_code, "repeat" in told.output) == (0, False)
    calls = [[row.fields for row in stored(Callback)[first : first + 3]] for first in (0, 3, 6)]
    kept, *others = calls
    for other in others:
        assert [fields | {"sessionId": ""} for fields in other] == [
            {name: text for name, text in fields.items() if name != "clientRequestId"} | {"sessionId": ""} for fields in kept
        ]
    names = [{fields["sessionId"] for fields in call} for call in calls]
    assert [len(found) for found in names] == [1, 1, 1]
    assert len(set.union(*names)) == 3


def test_a_callback_of_a_call_made_new_is_nobodys_order(served: Flask, stored: Stored) -> None:
    called(served, clientRequestId="inv_01KF3Z0000000000000000000")
    run(served, "fixtures", "save", "over", stored(Callback)[2].id)
    run(served, "trigger", "@over", "--new")
    run(served, "trigger", "@over", "--new", "--set", "clientRequestId=mine")
    assert [row.fields.get("clientRequestId") for row in stored(Callback)[3:]] == [None, "mine"]


@pytest.mark.parametrize(
    ("receive", "session", "kind", "left"),
    [(dialled, "ATUid_1", "ussd.session", "1 ussd.session_end"), (called, "ATVId_1", "voice.instructions", "1 voice.event")],
)
def test_another_address_gets_the_steps_of_one_kind(
    served: Flask, stored: Stored, receive: Callable[[Flask], None], session: str, kind: str, left: str
) -> None:
    receive(served)
    run(served, "fixtures", "save", "whole", session)
    with Receiver() as receiver:
        done = run(served, "trigger", "@whole", "--to", receiver.url, "--json")
    came = [dict(parse_qsl(one.body.decode(), keep_blank_values=True)) | {"sessionId": ""} for one in receiver.came]
    assert came == [row.fields | {"sessionId": ""} for row in stored(Callback)[:2]]
    assert f"Only {kind} is posted to another address. Left out: {left}.\n" in done.stderr
    assert len(json.loads(done.stdout)["sent"]) == 2


def test_what_differs_from_an_earlier_one_is_told(served: Flask) -> None:
    run(served, "trigger", "sms.incoming_message", "--set", "id=own")
    told = run(served, "trigger", "sms.incoming_message", "--set", "id=own", "--set", "text=Other")
    assert ", differs from an earlier one)" in told.stdout
    assert "Pokea has another of this id. Kept beside it, as cb_" in told.stderr
    assert "not acted on. Another id makes it new (--set)." in told.stderr


def test_steps_that_were_made_alike_are_told(served: Flask) -> None:
    dialled(served)
    run(served, "fixtures", "save", "alike", "ATUid_1")
    told = run(served, "trigger", "@alike", "--set", "text=9")
    assert "Steps of a session that --set makes alike are one callback." in told.stderr
    assert "--new" not in told.stderr


def test_what_is_set_goes_to_the_steps_that_have_it(served: Flask, stored: Stored) -> None:
    dialled(served)
    run(served, "fixtures", "save", "menu", "ATUid_1")
    assert run(served, "trigger", "@menu", "--set", "status=Failed", "--set", "phoneNumber=+254711000018").exit_code == 0
    new = stored(Callback)[3:]
    assert [row.fields.get("status") for row in new] == [None, None, "Failed"]
    assert {row.fields["phoneNumber"] for row in new} == {"+254711000018"}


def test_a_session_too_long_to_be_read_whole_is_not_kept(served: Flask, folder: Path) -> None:
    dialled(served)
    rows.keep(served, *[rows.callback(kind="ussd.session", reference="ATUid_1") for _ in range(MOST_STEPS - 4)])
    assert run(served, "fixtures", "save", "long", "ATUid_1").exit_code == 0
    assert len(json.loads((folder / "long.json").read_text())["steps"]) == MOST_STEPS - 1
    rows.keep(served, rows.callback(kind="ussd.session", reference="ATUid_1"))
    refused = run(served, "fixtures", "save", "longer", "ATUid_1")
    assert (refused.exit_code, "whole or not at all, and one of 500 callbacks or more is too long" in refused.stderr) == (1, True)
    assert not (folder / "longer.json").exists()


def test_an_unknown_session_and_steps_that_are_none_are_told(served: Flask, folder: Path) -> None:
    told = run(served, "fixtures", "save", "menu", "ATUid_9")
    assert (told.exit_code, "No session 'ATUid_9'" in told.stderr, folder.exists()) == (1, True, False)
    folder.mkdir(parents=True)
    for steps in ("5", "[]", "{}", "[5]", '[{"kind": "ussd.session"}]'):
        (folder / "odd.json").write_text(f'{{"steps": {steps}}}')
        told = run(served, "trigger", "@odd")
        assert (told.exit_code, "is not a fixture" in told.stderr) == (1, True), steps


def test_a_number_of_json_stays_a_number(served: Flask, stored: Stored) -> None:
    run(served, "trigger", "airtime.validation")
    run(served, "fixtures", "save", "top-up", stored(Callback)[0].id)
    run(served, "trigger", "@top-up", "--set", "amount=12.5", "--set", "transactionId=other")
    assert stored(Callback)[1].fields["amount"] == 12.5


def test_another_address_gets_the_bytes_and_an_answer_that_differs_is_told(served: Flask, stored: Stored) -> None:
    run(served, "trigger", "sms.opt_out")
    run(served, "fixtures", "save", "stop", stored(Callback)[0].id)
    with Receiver() as receiver:
        done = run(served, "trigger", "@stop", "--to", receiver.url)
    assert [came.body for came in receiver.came] == [stored(Callback)[0].raw_body]
    assert (done.exit_code, "Not the answer that was kept: 200 'OK'" in done.stderr) == (0, True)


def test_an_error_that_was_not_kept_fails(served: Flask, stored: Stored) -> None:
    run(served, "trigger", "sms.opt_out")
    run(served, "fixtures", "save", "stop", stored(Callback)[0].id)
    assert run(served, "trigger", "@stop", "--set", "senderId=").exit_code == 1


def test_nobody_listening_is_told(make_app: Make, folder: Path) -> None:
    app = make_app(port=1, fixtures_dir=folder)
    callback_id = post(app.test_client(), "sms.opt_out").headers["X-Pokea-Id"]
    run(app, "fixtures", "save", "stop", callback_id)
    done = run(app, "trigger", "@stop")
    assert (done.exit_code, "Nothing took @stop at http://127.0.0.1:1" in done.stderr) == (1, True)


def test_a_name_is_taken_once_unless_forced(served: Flask, folder: Path) -> None:
    first, second = keep(served, b"senderId=A&phoneNumber=1"), keep(served, b"senderId=B&phoneNumber=1")
    assert run(served, "fixtures", "save", "stop", first).exit_code == 0
    refused = run(served, "fixtures", "save", "stop", second)
    assert (refused.exit_code, "already" in refused.stderr) == (1, True)
    assert json.loads((folder / "stop.json").read_text())["fields"]["senderId"] == "A"
    assert run(served, "fixtures", "save", "stop", second, "--force").exit_code == 0
    assert json.loads((folder / "stop.json").read_text())["fields"]["senderId"] == "B"
    assert [path.name for path in folder.iterdir()] == ["stop.json"]


def test_what_is_of_real_people_becomes_no_file(make_app: Make, folder: Path) -> None:
    app = make_app(**LIVE, fixtures_dir=folder)
    sample, proof = KINDS["ussd.session"].sample, {"Authorization": f"Bearer {LIVE['callback_token'][0]}"}
    callback_id = post(app.test_client(), "ussd.session", sample, headers=proof).headers["X-Pokea-Id"]
    for kept_id in (callback_id, sample["sessionId"]):
        refused = run(app, "fixtures", "save", "real", kept_id, "--force")
        assert (refused.exit_code, "of real people. Nothing was kept." in refused.stderr, folder.exists()) == (1, True, False)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/b", "A", "", "-", "a_b", "a.json", "a\n", "é", "a" * 62])
def test_names_are_no_paths(served: Flask, folder: Path, name: str) -> None:
    callback_id = keep(served, b"senderId=A&phoneNumber=1")
    for words in (["fixtures", "save", "--force", "--", name, callback_id], ["trigger", f"@{name}"]):
        done = run(served, *words)
        assert (done.exit_code, "small letters, digits and dashes" in done.stderr) == (1, True)
    assert not folder.exists()


def test_an_unknown_callback_or_fixture_is_told(served: Flask, folder: Path) -> None:
    assert "No callback 'cb_x'" in run(served, "fixtures", "save", "stop", "cb_x").stderr
    assert "none yet" in run(served, "trigger", "@stop").stderr
    run(served, "fixtures", "save", "go", keep(served, b"senderId=A&phoneNumber=1"))
    told = run(served, "trigger", "@stop")
    assert (told.exit_code, "There are: go" in told.stderr) == (1, True)


def test_they_are_listed(served: Flask, folder: Path) -> None:
    assert "No fixtures" in run(served, "fixtures", "list").stderr
    run(served, "fixtures", "save", "b", keep(served, b"senderId=A&phoneNumber=1"))
    run(served, "fixtures", "save", "a", keep(served, b"phoneNumber=1"))
    (folder / "broken.json").write_text("{")
    (folder / "No Name.json").write_text("{}")
    told = json.loads(run(served, "fixtures", "list", "--json").stdout)
    assert [(row["name"], row["kind"], row["answer"][:3]) for row in told[:2]] == [("a", "sms.opt_out", "BAD"), ("b", "sms.opt_out", "OK")]
    assert [row["name"] for row in told] == ["a", "b", "broken"]
    assert "cannot be read" in run(served, "fixtures", "list").stdout


GOOD = {"kind": "sms.opt_out", "path": "/api/sms/opt-out", "query": "", "content_type": FORM, "fields": {}, "raw_body": "a=1", "answer": "OK", "answer_status": 200}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"path": "@evil.example.com/"}, {"path": "/api/../../x"}, {"path": "//evil.example.com/"}, {"path": "/api/x\r\nHost: y"},
        {"kind": "sms.nothing"}, {"fields": []}, {"raw_body": 5}, {"answer_status": "200"}, {"raw_body": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_file_that_is_no_fixture_posts_nothing(served: Flask, stored: Stored, folder: Path, change: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    (folder / "odd.json").write_text(json.dumps(GOOD | change))
    done = run(served, "trigger", "@odd")
    assert (done.exit_code, "is not a fixture" in done.stderr, stored(Callback)) == (1, True, [])


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"base64": "%%%"}', "\ud800"])
def test_a_file_that_is_not_even_json_is_told(served: Flask, folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "odd.json").write_bytes(text.encode(errors="surrogatepass"))
    assert run(served, "trigger", "@odd").exit_code == 1


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"senderId=A&phoneNumber=%2B254711000017&api_key=geheim-1&password=geheim-2", FORM),
        (b'{"senderId":"A","phoneNumber":"+254711000017","of":{"token":"geheim-3","all":[{"secret":"geheim-4"}]}}', JSON),
    ],
)
def test_secrets_are_never_kept(served: Flask, folder: Path, body: bytes, media: str) -> None:
    run(served, "fixtures", "save", "one", keep(served, body, media))
    text = (folder / "one.json").read_text()
    assert ("geheim" in text, "254711000017" in text) == (False, True)
    assert run(served, "trigger", "@one").exit_code == 0


def test_a_pin_is_never_kept(make_app: Make, folder: Path) -> None:
    app = make_app(fixtures_dir=folder)
    menu = Menu({"start": Ask("PIN?", "end", "pin", secret=True), "end": End("Right")})
    app.extensions["pokea.apps"] = Apps(Flows(menus={"*": menu}), app.config["POKEA"], Budget(1.0), app.extensions["pokea.outage"])
    sample, client = KINDS["ussd.session"].sample, app.test_client()
    hop = post(client, "ussd.session", sample | {"text": "abc"}).headers["X-Pokea-Id"]
    end = post(client, "ussd.session_end", KINDS["ussd.session_end"].sample | {"input": "abc"}).headers["X-Pokea-Id"]
    for name, callback_id in (("hop", hop), ("end", end)):
        run(app, "fixtures", "save", name, callback_id)
        told = json.loads((folder / f"{name}.json").read_text())
        assert "****" in {told["fields"].get("text"), told["fields"].get("input")}
        assert "=abc" not in told["raw_body"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_privacy_keeps_no_number(make_app: Make, stored: Stored, folder: Path, kind: str) -> None:
    app = make_app(fixtures_dir=folder, privacy=True)
    sample = KINDS[kind].sample | ({"text": "1*2345"} if kind == "ussd.session" else {})
    callback_id = post(app.test_client(), kind, sample).headers["X-Pokea-Id"]
    run(app, "fixtures", "save", "one", callback_id)
    text = (folder / "one.json").read_text()
    assert ("711000017" in text, "2345" in text and kind == "ussd.session") == (False, False)
