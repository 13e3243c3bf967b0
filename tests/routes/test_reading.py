"""Reading back over /api/v1: lists, pages, filters, single rows, waiting, costs, balance."""

import csv
import io
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, update
from ulid import ULID

from app.extensions import db, writing
from app.models import Callback, Cost, Mark, Message, Payment, Recording, SimSwap
from app.schemas.callbacks import KINDS
from services.keys import create_key
from services.reading import waiting
from services.reading.filters import Filters
from services.reading.lists import page_of
from services.reading.paging import MOST_READ
from services.reading.tables import LISTS
from services.upkeep.marks import claim_mark
from tests.invoking import ONLY_SQLITE
from tests.samples import post
from tests.stub_at import StubAT

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]
PHONE = "+254711000017"
NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
NAMES = [*LISTS, "events", "costs"]
MESSAGE = KINDS["sms.incoming_message"].sample


class Reader:
    """A client with a key."""

    def __init__(self, app: Flask, *scopes: str) -> None:
        with app.app_context():
            _, key = create_key("test", scopes or ("read",))
        self.client: FlaskClient = app.test_client()
        self.headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query_string=query, headers=self.headers)

    def data(self, path: str, **query: Any) -> Any:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["success"] is True
        return answer.get_json()["data"]

    def every(self, path: str, **query: Any) -> list[Any]:
        """Follow `next` to the end."""
        found: list[Any] = []
        after = {}
        while True:
            body = self.get(path, **query, **after).get_json()
            found += body["data"]
            if body["next"] is None:
                return found
            after = {"after": body["next"]}


@pytest.fixture
def reader(app: Flask) -> Reader:
    return Reader(app)


def keep(app: Flask, model: type, *rows: dict[str, Any]) -> None:
    """Put rows of the ledger there."""
    with app.app_context(), writing() as connection:
        connection.execute(insert(model), [{"created_at": NOW, "updated_at": NOW, **row} for row in rows])


def message(number: int, **values: Any) -> dict[str, Any]:
    row = {"id": f"msg_{ULID()}", "provider_id": f"ATXid_{number}", "direction": "out", "phone": PHONE, "state": "Sent"}
    return row | {"invocation_id": "inv_1", "reference": "order-1"} | values


@ONLY_SQLITE
def test_reading_needs_a_key_with_the_scope(app: Flask) -> None:
    client, sender = app.test_client(), Reader(app, "send")
    for path in (*NAMES, "balance", "callbacks/x", "voice/recordings/x", "messages/x"):
        assert (path, client.get(f"/api/v1/{path}").status_code, sender.get(path).status_code) == (path, 401, 403)


def test_every_list_is_empty_at_first_and_names_its_filters(reader: Reader) -> None:
    for name in NAMES:
        assert (name, reader.get(name).get_json()) == (name, {"success": True, "data": [], "next": None})
        refused = reader.get(name, colour="red")
        assert refused.status_code == 400
        assert refused.get_json()["error"].startswith(f"{name} cannot be filtered by 'colour'. It takes ")


def test_every_filter_of_a_list_is_taken(reader: Reader) -> None:
    for name in (*LISTS, "events"):
        entry = LISTS.get(name)
        kinds, states = (entry.kinds, entry.states) if entry else (("sms.*",), ())
        filters = {"kind": kinds[:1], "state": states[:1], "phone": (PHONE,), "session": ("s",), "reference": ("r",), "q": ("%_'\\",)}
        filters |= {"since": ("2h",), "until": ("2026-03-04T10:30:00Z",)}
        has = entry.filters if entry else ("kind", "phone", "session", "reference", "q", "since", "until")
        assert reader.data(name, **{known: filters[known][0] for known in has}) == []


@ONLY_SQLITE
def test_an_unknown_kind_or_state_is_told_the_known_ones(reader: Reader) -> None:
    for name, wrong in (("callbacks", "kind"), ("callbacks", "state"), ("payments", "state"), ("events", "kind"), ("costs", "kind")):
        answer = reader.get(name, **{wrong: "sms.incomming"})
        assert answer.status_code == 400
        assert answer.get_json()["error"].startswith(f"'{wrong}' must be one of ")


@ONLY_SQLITE
def test_what_cannot_be_meant_is_refused(reader: Reader) -> None:
    for query in ({"limit": "0"}, {"limit": "x"}, {"after": "cb_\0"}, {"after": "'"}, {"since": "soon"}, {"format": "xml"}):
        assert (query, reader.get("callbacks", **query).status_code) == (query, 400)
    assert reader.get("callbacks", phone="\0", reference="\0", q="\0").status_code == 200


def test_pages_follow_each_other_newest_first(app: Flask, reader: Reader) -> None:
    client = app.test_client()
    ids = [post(client, "sms.incoming_message", MESSAGE | {"id": f"m{n}"}).headers["X-Pokea-Id"] for n in range(7)]
    first = reader.get("callbacks", limit=3).get_json()
    assert [row["id"] for row in first["data"]] == sorted(ids, reverse=True)[:3]
    assert first["next"] == first["data"][-1]["id"]
    assert [row["id"] for row in reader.every("callbacks", limit=3)] == sorted(ids, reverse=True)


def test_a_number_is_found_in_any_spelling(make_app: Make) -> None:
    app = make_app(default_country="KE")
    client, reader = app.test_client(), Reader(app)
    for number, phone in enumerate(["+254711000017", "254711000017", "+254711000018"]):
        post(client, "sms.incoming_message", MESSAGE | {"id": f"m{number}", "from": phone})
    for spelling in ("+254711000017", "254711000017", " 254711000017", "0711000017"):
        assert {row["phone"] for row in reader.every("callbacks", phone=spelling, limit=1)} == {"+254711000017", "254711000017"}


def test_filters_go_together(app: Flask, reader: Reader) -> None:
    client = app.test_client()
    post(client, "sms.incoming_message", MESSAGE | {"text": 'She said "Habari" 100%'})
    post(client, "sms.incoming_message", MESSAGE | {"id": "other", "text": "Hello"})
    post(client, "sms.incoming_message", {"text": "habari"})
    post(client, "ussd.session")
    assert len(reader.data("callbacks", q="habari")) == 2
    assert len(reader.data("callbacks", q='"habari" 100%', state="accepted", kind="sms.incoming_message", phone=PHONE)) == 1
    assert len(reader.data("callbacks", session=KINDS["ussd.session"].sample["sessionId"])) == 1
    assert len(reader.data("callbacks", since="1h")) == 4
    assert reader.data("callbacks", until="1h") == []


def test_a_search_looks_at_so_many_rows_and_goes_on(app: Flask) -> None:
    made = NOW.timestamp()
    common = {"direction": "out", "phone": PHONE, "state": "Sent", "reference": None}
    rows = [
        message(n, id=f"msg_{ULID.from_timestamp(made + n)}", text="needle" if n in (0, MOST_READ + 99) else "hay", **common)
        for n in range(MOST_READ + 100)
    ]
    keep(app, Message, *rows)
    with app.app_context(), db.engine.connect() as connection:
        first = page_of(connection, "messages", Filters(q="needle"), None, 50)
        assert [row.provider_id for _, row in first.rows] == [f"ATXid_{MOST_READ + 99}"]
        rest = page_of(connection, "messages", Filters(q="needle", phone="254711000017"), first.next, 50)
        assert ([row.provider_id for _, row in rest.rows], rest.next) == (["ATXid_0"], None)


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("name", "query", "index"),
    [
        ("callbacks", {}, "autoindex_callbacks"),
        ("callbacks", {"phone": PHONE}, "callbacks_phone"),
        ("callbacks", {"reference": "r"}, "callbacks_reference"),
        ("invocations", {"phone": PHONE}, "recipients_phone"),
        ("invocations", {"session": "s"}, "recipients_provider_id"),
        ("messages", {"phone": PHONE}, "messages_phone"),
        ("sessions", {"session": "s"}, "sessions_provider_id"),
    ],
)
def test_lists_follow_an_index(app: Flask, name: str, query: dict[str, str], index: str) -> None:
    plans: list[str] = []
    with app.app_context(), db.engine.connect() as connection:
        seen = connection.connection.driver_connection
        statements: list[str] = []
        seen.set_trace_callback(statements.append)
        page_of(connection, name, Filters(**query), None, 5)
        seen.set_trace_callback(None)
        for statement in [one for one in statements if one.startswith("SELECT")]:
            plans += [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
    assert index in plans[0]
    assert not [plan for plan in plans if plan.startswith("SCAN") and "USING INDEX" not in plan]


@ONLY_SQLITE
@pytest.mark.parametrize("form", ["csv", "curl", "jsonl"])
def test_callbacks_come_as_lines_too(app: Flask, reader: Reader, form: str) -> None:
    client = app.test_client()
    ids = [post(client, "sms.incoming_message", MESSAGE | {"id": f"m{n}", "text": "=1+1"}).headers["X-Pokea-Id"] for n in range(3)]
    answer = reader.get("callbacks", format=form, limit=2)
    lines = answer.text.splitlines()
    if form == "csv":
        assert [row["id"] for row in csv.DictReader(io.StringIO(answer.text))] == ids[:0:-1]
    elif form == "jsonl":
        assert [json.loads(line)["id"] for line in lines] == ids[:0:-1]
    else:
        assert all(line.startswith("curl -X POST http://127.0.0.1:9000/api/sms/twoway") for line in lines)
    assert answer.headers["X-Pokea-Next"] == ids[1]


def test_events_are_callbacks_and_what_was_made_here_in_one_order(app: Flask, reader: Reader, stored: Stored) -> None:
    from services.webhooks.events import publish

    client = app.test_client()
    first = post(client, "sms.opt_out").headers["X-Pokea-Id"]
    with app.app_context(), writing() as connection:
        made = publish(connection, "campaign.started", {"campaignId": "c"}, NOW)
    last = post(client, "ussd.session").headers["X-Pokea-Id"]
    post(client, "sms.opt_out", {})
    ids = [last.replace("cb_", "evt_"), made, first.replace("cb_", "evt_")]
    told = [event for event in reader.every("events", limit=1) if event["event"] in ("sms.opt_out", "ussd.session", "campaign.started")]
    assert [event["id"] for event in told] == ids
    assert told[1] == {"id": made, "event": "campaign.started", "timestamp": "2026-03-04T10:30:00.000Z", "data": {"campaignId": "c"}}
    assert told[2]["data"]["callbackId"] == first
    assert [event["event"] for event in reader.data("events", kind="campaign.*")] == ["campaign.started"]
    assert [reader.data(f"events/{event_id}") for event_id in ids] == told
    assert reader.get("events/evt_x").status_code == 404


@ONLY_SQLITE
def test_one_callback_and_one_order_are_told_as_commands_tell_them(sending: Make) -> None:
    app = sending()
    client, reader = app.test_client(), Reader(app)
    made = post(client, "ussd.session", KINDS["ussd.session"].sample | {"text": "1*4321"}).headers["X-Pokea-Id"]
    assert reader.data(f"callbacks/{made}")["fields"]["text"] == "1*****"
    order = client.get("/api/sms/invoke-bulk-sms?phone=254711000017&message=Hello&reference=r1").get_json()["invocation"]
    assert reader.data(f"invocations/{order['id']}")["ordered"]["message"] == "Hello"
    for query in ({"phone": "254711000017"}, {"reference": "r1"}, {"kind": "sms.bulk"}, {"state": "accepted"}, {"q": "hello"}):
        assert [row["id"] for row in reader.data("invocations", **query)] == [order["id"]]
    assert reader.data("invocations", phone="254711000018") == []
    for path in ("callbacks/x", "invocations/x", "sessions/x", "messages/x", "payments/x", "sim-swap/checks/x", "voice/recordings/x"):
        assert reader.get(path).status_code == 404


def test_a_session_is_told_step_by_step(app: Flask, reader: Reader) -> None:
    client, sample = app.test_client(), KINDS["ussd.session"].sample
    for typed in ("", "1", "1*4321"):
        post(client, "ussd.session", sample | {"text": typed})
    post(client, "ussd.session_end")
    told = reader.data(f"sessions/{sample['sessionId']}")
    assert [step["came"] for step in told["steps"]] == ["", "1", "1*****", "2"]
    assert [step["answer"][:3] for step in told["steps"]] == ["CON", "CON", "END", "OK"]
    assert (told["state"], told["session_id"]) == ("ended", sample["sessionId"])
    assert reader.data(f"sessions/{told['id']}") == told
    assert [row["id"] for row in reader.data("sessions", kind="ussd", state="ended", phone="254711000017")] == [told["id"]]


def test_a_message_is_found_by_any_of_its_names(app: Flask, reader: Reader) -> None:
    row = message(7, cost=Decimal("0.8"), currency="KES")
    keep(app, Message, row)
    for named in (row["id"], "ATXid_7", "order-1", "inv_1"):
        told = reader.data(f"messages/{named}")
        assert (told["id"], told["state"], told["cost"], told["created_at"]) == (row["id"], "Sent", "0.8000", "2026-03-04T10:30:00+00:00")
        assert "others" not in told


@ONLY_SQLITE
def test_an_order_of_several_messages_tells_all(app: Flask, reader: Reader) -> None:
    keep(app, Message, message(1), message(2), message(3, reference="order-2", invocation_id="inv_2"))
    told = reader.data("messages/order-1")
    assert {told["provider_id"], *(one["provider_id"] for one in told["others"])} == {"ATXid_1", "ATXid_2"}


def test_waiting_ends_with_the_change(app: Flask, reader: Reader) -> None:
    keep(app, Message, message(1))
    report = KINDS["sms.delivery_report"].sample | {"id": "ATXid_1", "status": "Success"}
    timer = threading.Timer(0.3, lambda: post(app.test_client(), "sms.delivery_report", report))
    timer.start()
    began = time.monotonic()
    assert reader.data("messages/order-1", wait=20)["state"] == "Success"
    assert 0.2 < time.monotonic() - began < 5
    timer.join()


@ONLY_SQLITE
def test_nobody_waits_for_what_is_over_or_where_too_many_do(app: Flask, reader: Reader) -> None:
    keep(app, Message, message(1, state="Failed"), message(2, reference="two", invocation_id="inv_2"))
    began = time.monotonic()
    assert reader.data("messages/order-1", wait=20)["state"] == "Failed"
    for _ in range(8):
        assert waiting.PLACES.acquire(blocking=False)
    try:
        assert reader.data("messages/two", wait=20)["state"] == "Sent"
    finally:
        waiting.PLACES.release(8)
    assert time.monotonic() - began < 5
    assert reader.get("messages/two", wait=31).status_code == 400


@ONLY_SQLITE
def test_a_sim_swap_check_tells_what_the_operator_knows(app: Flask, reader: Reader) -> None:
    cases = [("pending", None, None, None), ("swapped", NOW.date(), "2026-03-04", None)]
    cases += [("not_swapped", None, None, "none in the operator's window"), ("not_swapped", NOW.date(), "2026-03-04", None)]
    for number, (state, swapped_on, date, note) in enumerate(cases):
        row = {"id": f"swp_{ULID()}", "provider_id": f"ATSwpid_{number}", "phone": PHONE, "state": state, "status": "Swapped"}
        keep(app, SimSwap, row | {"swapped_on": swapped_on})
        told = reader.data(f"sim-swap/checks/ATSwpid_{number}")
        wanted = {"requestId": f"ATSwpid_{number}", "phoneNumber": PHONE, "state": state, "lastSimSwapDate": date, "note": note}
        assert {name: told[name] for name in wanted} == wanted


@ONLY_SQLITE
def test_a_recording_is_told_unwrapped_by_its_own_id_or_its_calls(app: Flask, reader: Reader) -> None:
    row = {"id": f"rec_{ULID()}", "session_id": "ATVId_1", "url": "https://voice.example/1.mp3", "duration_s": 42, "status": "completed"}
    empty = row | {"id": f"rec_{ULID()}", "session_id": "ATVId_2", "url": "", "duration_s": None}
    with app.app_context(), writing() as connection:
        for one in (row, empty):
            connection.execute(insert(Recording), one | {"participants": [PHONE], "created_at": NOW, "processed_at": NOW})
    told = reader.get(f"voice/recordings/{row['id']}").get_json()
    assert told == {
        "recording_id": row["id"], "status": "completed", "duration": 42, "recording_url": row["url"], "recording_available": True,
        "participants": [PHONE], "created_at": "2026-03-04T10:30:00+00:00", "processed_at": "2026-03-04T10:30:00+00:00",
    }  # fmt: skip
    assert reader.get("voice/recordings/ATVId_1").get_json() == told
    assert reader.get("voice/recordings/ATVId_2").get_json()["recording_available"] is False
    later = {"id": f"rec_{ULID.from_datetime(datetime(2100, 1, 1, tzinfo=UTC))}", "url": "", "participants": [], "created_at": NOW}
    with app.app_context(), writing() as connection:
        connection.execute(insert(Recording), row | later)
    assert reader.get("voice/recordings/ATVId_1").get_json() == told
    assert [one["session_id"] for one in reader.data("recordings", phone="254711000017", session="ATVId_2")] == ["ATVId_2"]


@ONLY_SQLITE
def test_money_is_text_to_four_decimals(app: Flask, reader: Reader) -> None:
    row = {"id": f"pay_{ULID()}", "provider_id": "ATPid_1", "phone": PHONE, "state": "Success", "value": Decimal(375), "currency": "KES"}
    keep(app, Payment, row)
    told = reader.data("payments/ATPid_1")
    assert (told["transaction_id"], told["value"], told["currency"]) == ("ATPid_1", "375.0000", "KES")
    assert reader.data("payments", state="Success", reference="ATPid_1") == [told]


SUMS: list[tuple[dict[str, str], list[Any]]] = [
    ({}, [("voice", "2026-03-04", "12.4000", 1), ("sms", "2026-03-04", "1.6000", 2), ("sms", "2026-03-03", "0.8000", 1)]),
    ({"by": "product"}, [("voice", None, "12.4000", 1), ("sms", None, "2.4000", 3)]),
    ({"by": "day", "kind": "sms"}, [(None, "2026-03-04", "1.6000", 2), (None, "2026-03-03", "0.8000", 1)]),
    ({"by": "product", "until": "2026-03-04"}, [("sms", None, "0.8000", 1)]),
    ({"by": "product", "phone": "254711000018"}, [("sms", None, "0.8000", 1)]),
]


def test_costs_are_added_up(app: Flask, reader: Reader) -> None:
    rows = [
        ("sms:1", "sms", "2026-03-04", PHONE, "0.8"), ("sms:2", "sms", "2026-03-04", "+254711000018", "0.8"),
        ("sms:3", "sms", "2026-03-03", PHONE, "0.8"), ("voice:1", "voice", "2026-03-04", PHONE, "12.4"),
    ]  # fmt: skip
    names = ("source", "product", "day", "phone", "amount", "currency")
    with app.app_context(), writing() as connection:
        values = [dict(zip(names, (*row[:4], Decimal(row[4]), "KES"), strict=True)) for row in rows]
        connection.execute(insert(Cost), values)
    for query, sums in SUMS:
        told = reader.data("costs", **{"since": "2026-03-01", **query})
        assert [(row.get("product"), row.get("day"), row["amount"], row["count"]) for row in told] == sums
        assert {row["currency"] for row in told} == {"KES"}
    assert reader.get("costs", by="colour").status_code == 400


@ONLY_SQLITE
def test_privacy_masks_numbers_everywhere(make_app: Make) -> None:
    app = make_app(privacy=True)
    client, reader = app.test_client(), Reader(app)
    made = post(client, "sms.incoming_message").headers["X-Pokea-Id"]
    keep(app, Message, message(1))
    for path in ("callbacks", f"callbacks/{made}", "events", "messages", "messages/order-1", "sessions", "callbacks?format=csv"):
        assert "711000017" not in client.get(f"/api/v1/{path}", headers=reader.headers).text


def test_the_balance_is_asked_for_once_a_minute(sending: Make, at: StubAT, stored: Stored) -> None:
    app = sending()
    reader = Reader(app)
    first = reader.data("balance")
    assert {name: first[name] for name in first if name != "asked_at"} == {
        "balance": "KES 1234.5000",
        "amount": "1234.5000",
        "currency": "KES",
    }
    assert [reader.data("balance") for _ in range(3)] == [first] * 3
    assert len(at.seen) == 1
    with app.app_context(), writing() as connection:
        [mark], long_ago = stored(Mark), datetime.now(UTC) - timedelta(minutes=2)
        connection.execute(update(Mark).values(updated_at=long_ago, value=mark.value | {"tried_at": long_ago.isoformat()}))
    at.fault = lambda handler, _body: handler.reply(500, b"no", "text/plain")
    later = reader.data("balance")
    assert (later["balance"], later["asked_at"], len(at.seen)) == ("KES 1234.5000", first["asked_at"], 2)
    assert later["problem"].startswith("answered 500")


@ONLY_SQLITE
def test_a_balance_that_nobody_knows_is_503(sending: Make, at: StubAT) -> None:
    at.fault = lambda handler, _body: handler.reply(500, b"no", "text/plain")
    reader = Reader(sending())
    assert [reader.get("balance").status_code for _ in range(2)] == [503, 503]
    assert len(at.seen) == 1


@ONLY_SQLITE
def test_who_finds_too_many_waiting_for_a_balance_is_told_at_once(sending: Make) -> None:
    app = sending(at_timeout_s=3.0)
    with app.app_context(), writing() as connection:
        claim_mark(connection, "balance", timedelta(minutes=1), datetime.now(UTC))
    places = list(iter(lambda: waiting.PLACES.acquire(blocking=False), False))
    try:
        answer = Reader(app).get("balance")
    finally:
        for _ in places:
            waiting.PLACES.release()
    assert (len(places), answer.status_code, answer.headers["Retry-After"]) == (8, 503, "5")


@ONLY_SQLITE
def test_reading_changes_no_callback(app: Flask, reader: Reader, stored: Stored) -> None:
    post(app.test_client(), "sms.incoming_message")
    [row] = stored(Callback)
    reader.data("callbacks")
    reader.data(f"callbacks/{row.id}")
    [again] = stored(Callback)
    assert (again.repeats, again.state, again.fields) == (row.repeats, row.state, row.fields)
