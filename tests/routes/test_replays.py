"""A callback once more: the same answer in a row of its own, and nothing else that changes; or posted to another address."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.extensions import writing
from app.models import Callback, Delivery, Invocation, Reaction, Recipient, UssdSession
from app.schemas.callbacks import KINDS
from services import due
from services.apps import Apps, Flows
from services.keys import create_key
from services.ussd import End, Hop, Menu
from tests.invoking import LIVE, ONLY_SQLITE
from tests.samples import FORM, JSON, PATHS, post
from tests.stub_at import StubAT

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]


@dataclass
class Program:
    """A developer's program: what it was posted, and what it answers."""

    url: str = ""
    seen: list[tuple[bytes, str]] = field(default_factory=list)
    answer: tuple[int, str, bytes] = (200, "text/plain; charset=utf-8", b"END Hi")


@pytest.fixture
def program() -> Iterator[Program]:
    told = Program()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.seen.append((self.rfile.read(int(self.headers["Content-Length"])), self.headers["Content-Type"]))
            status, media, body = told.answer
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_address[1]}/hook?key=geheim"
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        yield told
        server.shutdown()
        serving.join()


@dataclass
class Developer:
    """Who holds a key and replays."""

    client: FlaskClient
    headers: dict[str, str]

    def post(self, kind: str, fields: dict[str, Any] | None = None, **options: Any) -> str:
        return post(self.client, kind, fields, **options).headers["X-Pokea-Id"]

    def ask(self, callback_id: str, **wish: Any) -> Any:
        return self.client.post(f"/api/v1/callbacks/{callback_id}/replay", json=wish, headers=self.headers)

    def replay(self, callback_id: str, **wish: Any) -> dict[str, Any]:
        answer = self.ask(callback_id, **wish)
        assert answer.status_code == 201, answer.get_json()
        return answer.get_json()["data"]


def developer(app: Flask, scope: str = "replay") -> Developer:
    with app.app_context():
        _, key = create_key("replays", [scope])
    return Developer(app.test_client(), {"Authorization": f"Bearer {key}"})


@pytest.fixture
def dev(make_app: Make) -> Developer:
    return developer(make_app())


def with_flows(app: Flask, **flows: Any) -> Flask:
    apps: Apps = app.extensions["pokea.apps"]
    app.extensions["pokea.apps"] = Apps(Flows(**flows), apps.settings, apps.budget, apps.outage)
    return app


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_is_answered_alike_and_changes_nothing_else(dev: Developer, stored: Stored, kind: str) -> None:
    first_id = dev.post(kind)
    told = dev.replay(first_id)
    first, replay = stored(Callback)
    assert (told["id"], told["replay_of"], told["state"], told["effects"], told["to"]) == (replay.id, first_id, "accepted", False, None)
    assert (told["is_same"], told["difference"], told["answer"]) == (True, [], told["first_answer"])
    assert (replay.kind, replay.via, replay.replay_of, replay.has_effects, replay.due_at) == (kind, "replay", first_id, False, None)
    assert (replay.slot, replay.path, replay.raw_body, replay.fields) == (None, first.path, first.raw_body, first.fields)
    assert (replay.answer, replay.answer_status, replay.answer_type) == (first.answer, first.answer_status, first.answer_type)
    assert (first.repeats, first.due_at is not None) == (0, True)


@pytest.mark.parametrize("kind", ["sms.delivery_report", "sms.opt_out", "payments.notification"])
def test_a_repeat_after_a_replay_is_one_of_the_first(dev: Developer, stored: Stored, kind: str) -> None:
    first_id = dev.post(kind)
    replay_id = dev.replay(first_id)["id"]
    assert dev.post(kind) == first_id
    assert [(row.id, row.repeats) for row in stored(Callback)] == [(first_id, 1), (replay_id, 0)]


def test_replaying_twice_makes_no_call_and_two_rows(sending: Make, at: StubAT, stored: Stored) -> None:
    app = sending(twoway_auto_reply=True)
    dev = developer(app)
    first_id = dev.post("sms.incoming_message")
    with app.app_context():
        due.catch_up()
    before = [len(stored(table)) for table in (Invocation, Delivery, Reaction)]
    replays = [dev.replay(first_id)["id"] for _ in range(2)]
    with app.app_context():
        due.catch_up()
    assert [row.id for row in stored(Callback)] == [first_id, *replays]
    assert [len(stored(table)) for table in (Invocation, Delivery, Reaction)] == before
    assert at.calls() == []


def test_an_edited_one_shows_how_its_answer_changed(dev: Developer, stored: Stored) -> None:
    first_id = dev.post("ussd.session")
    told = dev.replay(first_id, fields={"text": "2"})
    assert (told["is_same"], told["answer"]["body"]) == (False, "END Your phone number is +254711000017")
    changed = [line for line in told["difference"] if line[:4] in ("-CON", "+END")]
    assert [line[:4] for line in changed] == ["-CON", "+END"]
    assert [row.fields["text"] for row in stored(Callback)] == ["", "2"]


def test_a_replay_of_a_replay_names_it_and_is_compared_with_it(dev: Developer) -> None:
    edited = dev.replay(dev.post("ussd.session"), fields={"text": "2"})
    told = dev.replay(edited["id"])
    assert (told["replay_of"], told["is_same"]) == (edited["id"], True)


# content type, body, changes, body of the replay
EDITS = [
    (FORM, b"senderId=A&phoneNumber=%2B254711000017", {"senderId": "B \u20ac"}, b"senderId=B+%E2%82%AC&phoneNumber=%2B254711000017"),
    (JSON, b'{"senderId": "A", "phoneNumber": "+254711000017", "n": 5}', {"n": 6.5}, b'{"senderId": "A", "phoneNumber": "+254711000017", "n": 6.5}'),
    (FORM, b'{"senderId": "A", "phoneNumber": "1"}', {"phoneNumber": "2"}, b'{"senderId": "A", "phoneNumber": "2"}'),
    (JSON, b"senderId=A&phoneNumber=1", {"senderId": "B"}, b"senderId=B&phoneNumber=1"),
    (FORM, b"senderId=A&phoneNumber=1&more=x", {"more": None, "list": [1]}, b"senderId=A&phoneNumber=1&list=%5B1%5D"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content_type", "body", "changes", "sent"), EDITS, ids=["form", "json", "json called form", "form called json", "taken away"]
)
def test_edited_fields_go_in_the_form_in_which_they_came(
    dev: Developer, stored: Stored, content_type: str, body: bytes, changes: dict[str, Any], sent: bytes
) -> None:
    first = dev.client.post(PATHS["sms.opt_out"], data=body, content_type=content_type)
    told = dev.replay(first.headers["X-Pokea-Id"], fields=changes)
    row = stored(Callback)[1]
    assert (told["state"], row.raw_body, row.content_type) == ("accepted", sent, content_type)
    assert {name: row.fields.get(name) for name in changes if name != "list"} == {
        name: new for name, new in changes.items() if name != "list"
    }


def test_a_field_of_the_query_can_be_edited(dev: Developer, stored: Stored) -> None:
    first = dev.client.post(f"{PATHS['sms.opt_out']}?senderId=A", data={"phoneNumber": "+254711000017"})
    told = dev.replay(first.headers["X-Pokea-Id"], fields={"senderId": None})
    assert (told["state"], list(told["errors"]), stored(Callback)[1].query) == ("refused", ["senderId"], "")


def test_an_edited_one_may_be_refused_and_is_kept_with_its_errors(dev: Developer, stored: Stored) -> None:
    first_id = dev.post("sms.delivery_report")
    told = [dev.replay(first_id, fields={"id": ""}, effects=effects) for effects in (False, True, True)]
    assert {(one["state"], one["answer"]["status"], tuple(one["errors"])) for one in told} == {("refused", 400, ("id",))}
    assert "+400 text/plain" in told[0]["difference"]
    assert [(row.state, row.due_at, row.slot) for row in stored(Callback)[1:]] == [("refused", None, None)] * 3


def test_with_effects_it_is_due_as_a_new_one(dev: Developer, stored: Stored) -> None:
    told = dev.replay(dev.post("sms.delivery_report"), effects=True)
    row = stored(Callback)[1]
    assert (told["effects"], row.has_effects, row.due_at, row.state) == (True, True, row.received_at, "accepted")


def test_a_menu_remembers_only_what_has_effects(make_app: Make, stored: Stored) -> None:
    menu = Menu({"start": lambda hop: _counted(hop)}, remembers=True)
    dev = developer(with_flows(make_app(), menus={"*": menu}))
    first_id = dev.post("ussd.session")
    remembered = [row.memory for row in stored(UssdSession)]
    assert dev.replay(first_id)["answer"]["body"] == "END 2"
    assert [row.memory for row in stored(UssdSession)] == remembered
    dev.replay(first_id, effects=True)
    assert [row.memory["own"] for row in stored(UssdSession)] == [{"times": 2}]


def _counted(hop: Hop) -> End:
    hop.memory["times"] = hop.memory.get("times", 0) + 1
    return End(str(hop.memory["times"]))


def test_a_replay_claims_no_order(sending: Make, stored: Stored) -> None:
    app = sending(airtime_validation="ledger")
    dev = developer(app)
    question = KINDS["airtime.validation"].sample | {"amount": 10.0}
    first_id = dev.post("airtime.validation", question)
    app.test_client().get("/api/airtime/invoke-send-airtime?phone=254711000017&amount=10&currency=KES")
    assert dev.replay(first_id)["state"] == "accepted"
    assert [row.validated_for for row in stored(Recipient)] == [None]
    assert dev.replay(first_id, effects=True)["answer"]["body"] == '{"status":"Validated"}'
    assert [row.validated_for for row in stored(Recipient)] == [question["transactionId"]]


def test_a_secret_in_the_first_answer_is_no_difference(make_app: Make, stored: Stored) -> None:
    dev = developer(make_app(callback_token=("geheim-geheim",)))
    fields = KINDS["voice.instructions"].sample | {"destinationNumber": "+254711082001"}
    first_id = dev.post("voice.instructions", fields, path=f"{PATHS['voice.instructions']}?token=geheim-geheim")
    told = dev.replay(first_id)
    assert ("token=****" in told["answer"]["body"], told["difference"]) == (True, [])
    assert (stored(Callback)[1].checks, stored(Callback)[1].flags) == ({"token": True}, stored(Callback)[0].flags)


def test_an_edited_one_was_proven_by_nobody_and_says_what_it_is(make_app: Make, stored: Stored) -> None:
    dev = developer(make_app(callback_token=("geheim-geheim",)))
    first_id = dev.post("sms.opt_out", path=f"{PATHS['sms.opt_out']}?token=geheim-geheim")
    edited_id = dev.replay(first_id, fields={"phoneNumber": "+254711000018"})["id"]
    dev.replay(edited_id)
    first, edited, again = stored(Callback)
    assert [row.checks for row in (first, edited, again)] == [{"token": True}, {}, {}]
    assert [f"edited replay of {first_id}" in (row.flags or []) for row in (first, edited, again)] == [False, True, False]


def test_the_view_of_its_own_address_answers(dev: Developer) -> None:
    first_id = dev.post("sms.incoming_message", path="/api/v1/sms/webhook")
    assert dev.replay(first_id)["answer"]["body"] == '{"status":"webhook_received"}'


@pytest.mark.parametrize("path", ["/pulled", "/", "/api/v1/callbacks"])
def test_one_that_came_to_no_address_of_its_kind_is_answered_by_the_usual_one(make_app: Make, path: str) -> None:
    app = make_app()
    dev = developer(app)
    first_id = dev.post("sms.incoming_message")
    with app.app_context(), writing() as connection:
        connection.execute(update(Callback).values(path=path))
    assert dev.replay(first_id)["is_same"] is True


def test_another_address_gets_the_bytes_as_they_came(make_app: Make, stored: Stored, program: Program) -> None:
    dev = developer(make_app(webhooks_allow_private=True))
    first_id = dev.post("ussd.session")
    told = dev.replay(first_id, to=program.url)
    first, row = stored(Callback)
    assert program.seen == [(first.raw_body, FORM)]
    assert (told["answer"]["status"], told["answer"]["body"], told["is_same"], told["problem"]) == (200, "END Hi", False, None)
    assert told["to"] == program.url.partition("?")[0]
    assert row.app == {"url": told["to"], "status": 200, "answer": "END Hi", "problem": None}
    assert (row.path, row.answer, row.replay_of, row.has_effects, row.due_at) == (first.path, "END Hi", first_id, False, None)


def test_another_address_gets_edited_fields_and_its_long_answer_is_cut(make_app: Make, stored: Stored, program: Program) -> None:
    program.answer = (500, "text/html", b"x" * 20_000)
    dev = developer(make_app(webhooks_allow_private=True))
    told = dev.replay(dev.post("airtime.status"), to=program.url, fields={"status": "Failed"})
    assert (b'"status": "Failed"' in program.seen[0][0], program.seen[0][1]) == (True, JSON)
    assert (told["answer"]["status"], len(told["answer"]["body"])) == (500, 16_384)
    assert len(stored(Callback)[1].answer) == 16_384


def test_an_address_that_does_not_answer_is_told_and_kept(make_app: Make, stored: Stored) -> None:
    dev = developer(make_app(webhooks_allow_private=True))
    told = dev.replay(dev.post("sms.opt_out"), to="http://127.0.0.1:1/")
    assert (told["problem"], told["answer"], told["is_same"], told["difference"]) == ("nothing is listening", None, False, [])
    assert stored(Callback)[1].app["problem"] == "nothing is listening"


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"to": "https://127.0.0.1/"}, "private"),
        ({"to": "http://example.com/"}, "https"),
        ({"to": 5}, "'to'"),
        ({"fields": ["text"]}, "'fields'"),
        ({"effects": "yes"}, "'effects'"),
        ({"to": "https://example.com/", "effects": True}, "no effects"),
    ],
    ids=["private", "http", "no address", "no object", "no truth", "effects elsewhere"],
)
def test_what_cannot_be_meant_is_refused_and_makes_no_row(dev: Developer, stored: Stored, wish: dict[str, Any], said: str) -> None:
    answer = dev.ask(dev.post("sms.opt_out"), **wish)
    assert (answer.status_code, said in answer.get_json()["error"]) == (400, True)
    assert len(stored(Callback)) == 1


def test_live_effects_ask_for_a_word(make_app: Make, stored: Stored) -> None:
    dev = developer(make_app(**LIVE))
    first_id = dev.post("sms.opt_out", headers={"Authorization": f"Bearer {LIVE['callback_token'][0]}"})
    assert '"confirm": "send"' in dev.ask(first_id, effects=True).get_json()["error"]
    assert dev.replay(first_id)["effects"] is False
    assert dev.replay(first_id, effects=True, confirm="send")["effects"] is True
    assert [row.due_at is None for row in stored(Callback)] == [False, True, False]


def test_only_a_key_with_the_scope_replays_what_there_is(make_app: Make, dev: Developer) -> None:
    first_id = dev.post("sms.opt_out")
    assert developer(make_app(), "read").ask(first_id).status_code == 403
    assert dev.client.post(f"/api/v1/callbacks/{first_id}/replay").status_code == 401
    for odd in ("cb_nothing", "cb_%00", f"{first_id}%00"):
        assert (dev.ask(odd).status_code, "No callback 'cb_" in dev.ask(odd).get_json()["error"]) == (404, True)


def test_privacy_hides_numbers_of_answers(make_app: Make) -> None:
    dev = developer(make_app(privacy=True))
    told = dev.replay(dev.post("ussd.session"), fields={"text": "2"})
    assert told["answer"]["body"] == "END Your phone number is ***017"


def test_a_pin_stays_as_it_is_until_it_is_taken_off(dev: Developer, stored: Stored) -> None:
    url = f"/api/v1/callbacks/{dev.post('sms.opt_out')}/pin"
    pinned = [dev.client.put(url, headers=dev.headers).get_json()["data"]["pinned_at"] for _ in range(2)]
    assert pinned == [stored(Callback)[0].pinned_at.isoformat()] * 2
    assert dev.client.delete(url, headers=dev.headers).get_json()["data"]["pinned_at"] is None
    assert stored(Callback)[0].pinned_at is None
    for odd in ("cb_nothing", "cb_%00"):
        assert dev.client.put(f"/api/v1/callbacks/{odd}/pin", headers=dev.headers).status_code == 404
    assert dev.client.put(url).status_code == 401


@ONLY_SQLITE
def test_lines_for_other_programs_leave_replays_out_unless_asked_and_tell_them_apart(make_app: Make) -> None:
    app = make_app()
    dev = developer(app)
    first_id = dev.post("sms.opt_out")
    replay_id = dev.replay(first_id)["id"]
    headers = developer(app, "read").headers

    def command(*words: str) -> list[str]:
        return app.test_cli_runner().invoke(args=["callbacks", "export", *words]).stdout.splitlines()

    def api(query: str) -> list[str]:
        return dev.client.get(f"/api/v1/callbacks?{query}", headers=headers).text.splitlines()

    few = [len(command()), len(api("format=jsonl")), len(command("--format", "curl")), len(api("format=curl&replays=0"))]
    more = [len(command("--format", "curl", "--replays")), len(api("format=curl&replays=1"))]
    assert (few, more) == ([1] * 4, [2] * 2)
    tables = [command("--format", "csv", *words) for words in ([], ["--replays"])]
    assert [len(table) for table in tables] == [2, 3]
    assert {table[0] for table in tables} == {"id,kind,received_at,state,repeats,fields,raw_body,raw_encoding"}
    for lines in (command("--replays"), api("format=jsonl&replays=1")[::-1]):
        first, replay = map(json.loads, lines)
        assert ("replay_of" in first, replay["id"], replay["replay_of"]) == (False, replay_id, first_id)
        assert list(replay) == [*first, "replay_of"]
    assert len(dev.client.get("/api/v1/callbacks", headers=headers).get_json()["data"]) == 2
    assert "'replays' must be 0 or 1" in dev.client.get("/api/v1/callbacks?format=csv&replays=yes", headers=headers).text
