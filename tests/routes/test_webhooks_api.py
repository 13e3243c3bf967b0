"""/api/v1/webhooks and /api/v1/deliveries: receivers made, changed and removed, and deliveries sent again."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event, insert, update
from ulid import ULID
from werkzeug.test import TestResponse

from app.extensions import db, writing
from app.models import Attempt, Callback, Delivery, Endpoint, Event
from services import due
from services.keys import create_key
from services.webhooks import events, redelivery
from tests.invoking import ONLY_SQLITE
from tests.samples import post
from tests.services.test_public_addresses import ODD, PRIVATE, PUBLIC

Make = Callable[..., Flask]
Stored = Callable[[type], list[Any]]
HOOK = "https://8.8.8.8/hooks"


class Api:
    """A client that shows a key."""

    def __init__(self, app: Flask, *scopes: str) -> None:
        self.app = app
        self.client = app.test_client()
        with app.app_context():
            self.headers = {"Authorization": f"Bearer {create_key('test', scopes)[1]}"}

    def __call__(self, method: str, path: str, **options: Any) -> TestResponse:
        """Ask an address under /api/v1."""
        return self.client.open(f"/api/v1{path}", method=method, headers=self.headers, **options)

    def data(self, method: str, path: str, **options: Any) -> Any:
        """Return the data of an answer that must be a success."""
        answer = self(method, path, **options)
        assert answer.json["success"] is True, answer.json
        return answer.json["data"]

    def make(self, *patterns: str, **fields: Any) -> str:
        """Make an endpoint and return its id."""
        return self.data("POST", "/webhooks", json={"url": HOOK, "events": list(patterns), **fields})["webhookId"]

    def happen(self, name: str, **data: Any) -> None:
        """Make an event of our own."""
        with self.app.app_context(), writing() as connection:
            events.publish(connection, name, data, datetime.now(UTC))

    def call_back(self, kind: str, **options: Any) -> None:
        """Post a callback, and do what the worker does with it."""
        post(self.client, kind, **options)
        with self.app.app_context():
            due.catch_up()

    def set(self, model: Any, **values: Any) -> None:
        """Change all rows of a table, as a worker does."""
        with self.app.app_context(), writing() as connection:
            connection.execute(update(model).values(values))


@pytest.fixture
def api(make_app: Make) -> Api:
    """The API with a key that may all."""
    return Api(make_app())


def test_an_endpoint_is_made_and_its_secret_shown_once(api: Api, stored: Stored) -> None:
    answer = api("POST", "/webhooks", json={"url": HOOK, "events": ["sms.*", "call.completed", "sms.*"]})
    made = answer.json["data"]
    assert (answer.status_code, answer.json["success"]) == (201, True)
    assert {name: made[name] for name in ("url", "events", "active", "format")} == {
        "url": HOOK, "events": ["sms.*", "call.completed"], "active": True, "format": "json",
    }  # fmt: skip
    assert made["webhookId"].startswith("webhook_")
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)) == 32
    [row] = stored(Endpoint)
    assert (row.id, row.secret) == (made["webhookId"], made["secret"])
    shown = [api("GET", "/webhooks"), api("GET", f"/webhooks/{row.id}"), api("PATCH", f"/webhooks/{row.id}", json={"format": "original"})]
    assert [answer.status_code for answer in shown] == [200, 200, 200]
    assert not any(row.secret in answer.text for answer in shown)
    assert shown[0].json["data"][0] | {"format": "original"} == shown[2].json["data"]
    assert shown[2].json["data"]["secretEnds"] == row.secret[-4:]


@ONLY_SQLITE
def test_an_address_that_is_not_of_the_world_is_refused(api: Api, stored: Stored) -> None:
    hosts = [f"[{host}]" if ":" in host and "[" not in host else host for host in PRIVATE + ODD]
    assert len(hosts) >= 45
    for scheme in ("https", "http"):
        for host in hosts:
            answer = api("POST", "/webhooks", json={"url": f"{scheme}://{host}/hooks", "events": ["*"]})
            assert (answer.status_code, list(answer.json["fields"])) == (400, ["url"]), host
    assert stored(Endpoint) == []
    webhook = api.make("*")
    for host in hosts:
        assert api("PATCH", f"/webhooks/{webhook}", json={"url": f"https://{host}/hooks"}).status_code == 400, host
    assert [row.url for row in stored(Endpoint)] == [HOOK]


@ONLY_SQLITE
def test_an_address_of_the_world_is_taken(api: Api, stored: Stored) -> None:
    urls = [f"https://[{host}]:8443/hooks" if ":" in host else f"https://{host}/hooks" for host in PUBLIC]
    assert [api.data("POST", "/webhooks", json={"url": url, "events": ["*"]})["url"] for url in urls] == urls
    assert len(stored(Endpoint)) == len(PUBLIC)


@ONLY_SQLITE
def test_a_private_address_is_told_what_would_allow_it(api: Api, make_app: Make) -> None:
    body = {"url": "http://127.0.0.1:8000/hooks", "events": ["*"]}
    said = "That address is private (127.0.0.1). To allow local receivers set WEBHOOKS_ALLOW_PRIVATE=1 (development only)."
    assert api("POST", "/webhooks", json=body).json == {"error": said, "success": False, "fields": {"url": [said]}}
    allowing = Api(make_app(webhooks_allow_private=True))
    assert allowing("POST", "/webhooks", json=body).status_code == 201


# A body, the fields that are wrong, and what is said of them
WRONG: list[tuple[dict, list[str], str]] = [
    ({}, ["url", "events"], "'events' is missing"), ({"url": HOOK}, ["events"], "'events' is missing"),
    ({"events": ["*"]}, ["url"], "'url' is missing"), ({"url": 7, "events": ["*"]}, ["url"], "must be text"),
    ({"url": HOOK, "events": []}, ["events"], "from 1 to 20"), ({"url": HOOK, "events": ["sms.*"] * 21}, ["events"], "from 1 to 20"),
    ({"url": HOOK, "events": "sms.*"}, ["events"], "must be a list"), ({"url": HOOK, "events": [7, None]}, ["events"], "must be text"),
    ({"url": HOOK, "events": ["sms.incomming_message"]}, ["events"], "Did you mean sms.incoming_message?"),
    ({"url": HOOK, "events": ["sms.*", "nothing.*"]}, ["events"], "payments.notification"), ({"url": HOOK, "events": [""]}, ["events"], "ping"),
    ({"url": HOOK, "events": ["*.sms"]}, ["events"], "No such event"), ({"url": HOOK, "events": ["*"], "active": "no"}, ["active"], "true or false"),
    ({"url": HOOK, "events": ["*"], "format": "xml"}, ["format"], "json or original"),
]  # fmt: skip


@ONLY_SQLITE
def test_what_cannot_be_meant_is_refused_by_field(api: Api, stored: Stored) -> None:
    for body, wrong, said in WRONG:
        answer = api("POST", "/webhooks", json=body)
        assert (answer.status_code, answer.json["success"], sorted(answer.json["fields"])) == (400, False, sorted(wrong)), body
        assert said in " ".join(reason for reasons in answer.json["fields"].values() for reason in reasons)
    assert stored(Endpoint) == []


@ONLY_SQLITE
def test_what_opens_a_receiver_is_told_only_to_who_may_change_it(api: Api) -> None:
    url = f"{HOOK}?token=geheim&team=a%20b&&x"
    webhook = api.make("*", url=url)
    shown = {}
    for scopes in (("read",), ("webhooks",), ("read", "webhooks")):
        own = Api(api.app, *scopes)
        shown[scopes] = {own.data("GET", "/webhooks")[0]["url"], own.data("GET", f"/webhooks/{webhook}")["url"]}
    assert shown == {("read",): {f"{HOOK}?token=****&team=****&****"}, ("webhooks",): {url}, ("read", "webhooks"): {url}}


@ONLY_SQLITE
def test_each_address_needs_its_scope(api: Api) -> None:
    webhook = api.make("*")
    delivery = api.data("POST", f"/webhooks/{webhook}/ping")["deliveryId"]
    reads = [("GET", path) for path in ("/webhooks", f"/webhooks/{webhook}", f"/webhooks/{webhook}/deliveries", f"/deliveries/{delivery}")]
    changes = [
        ("POST", "/webhooks"), ("PATCH", f"/webhooks/{webhook}"), ("POST", f"/webhooks/{webhook}/rotate-secret"), ("POST", f"/webhooks/{webhook}/ping"),
        ("POST", f"/webhooks/{webhook}/replay"), ("POST", f"/deliveries/{delivery}/retry"), ("DELETE", f"/webhooks/{webhook}"),
    ]  # fmt: skip
    assert [api.client.open(f"/api/v1{path}", method=method).status_code for method, path in reads + changes] == [401] * 11
    reading, changing, other = (Api(api.app, scope) for scope in ("read", "webhooks", "send"))
    assert [reading(*each).status_code for each in reads] == [200] * 4
    assert [reading(*each).status_code for each in changes] == [403] * 7
    assert [other(*each).status_code for each in reads + changes] == [403] * 11
    assert [changing(*each).status_code for each in reads] == [200] * 4
    assert 403 not in [changing(*each).status_code for each in changes]


def test_what_is_not_there_is_not_found(api: Api) -> None:
    for thing in ("webhook_01KF3Z0000000000000000000", "x", "%00", "%ED%A0%80"):
        refused_everywhere(api, thing)


def refused_everywhere(api: Api, thing: str) -> None:
    """Ask each address for something that is not there."""
    asked = [
        ("GET", f"/webhooks/{thing}"), ("PATCH", f"/webhooks/{thing}"), ("DELETE", f"/webhooks/{thing}"), ("POST", f"/webhooks/{thing}/ping"),
        ("POST", f"/webhooks/{thing}/rotate-secret"), ("GET", f"/webhooks/{thing}/deliveries"), ("POST", f"/webhooks/{thing}/replay?since=2h"),
        ("GET", f"/deliveries/{thing}"), ("POST", f"/deliveries/{thing}/retry"),
    ]  # fmt: skip
    assert [api(*each, json={"active": True} if each[0] == "PATCH" else None).status_code for each in asked] == [404] * 9
    assert api("GET", f"/webhooks?after={thing}").status_code == 200


def test_a_secret_is_replaced_and_the_one_before_signs_for_a_day(api: Api, stored: Stored) -> None:
    webhook = api.make("*")
    [before] = stored(Endpoint)
    now = datetime.now(UTC)
    rotated = api.data("POST", f"/webhooks/{webhook}/rotate-secret")
    [row] = stored(Endpoint)
    assert row.secret == rotated["secret"] != before.secret
    assert row.previous_secret == before.secret
    assert timedelta(0) <= row.previous_until - now - timedelta(hours=24) < timedelta(seconds=30)
    assert datetime.fromisoformat(rotated["previousValidUntil"]) - row.previous_until < timedelta(milliseconds=1)


def test_a_ping_goes_to_one_endpoint_alone(api: Api, stored: Stored) -> None:
    webhook, _other = api.make("sms.*"), api.make("*")
    sent = api.data("POST", f"/webhooks/{webhook}/ping")
    [row], [event] = stored(Delivery), stored(Event)
    assert (row.id, row.event_id, row.endpoint_id, row.event, row.state) == (
        sent["deliveryId"],
        sent["eventId"],
        webhook,
        "ping",
        "waiting",
    )
    assert (event.id, event.data) == (row.event_id, {"webhookId": webhook})
    api.data("PATCH", f"/webhooks/{webhook}", json={"active": False})
    assert api("POST", f"/webhooks/{webhook}/ping").status_code == 409
    assert len(stored(Event)) == 1


def test_what_is_turned_on_again_is_well_and_what_waits_is_due(api: Api, stored: Stored) -> None:
    webhook = api.make("*")
    api.data("POST", f"/webhooks/{webhook}/ping")
    later = datetime.now(UTC) + timedelta(hours=3)
    api.set(Delivery, due_at=later, attempts=1, attempted_at=later, status=500, problem="Endpoint answered 500; 2xx is needed.", ms=3)
    api.set(Endpoint, is_active=False, off_because="it answered 410", failing_since=later, failures=4, next_try_at=later)
    shown = api.data("GET", f"/webhooks/{webhook}")
    assert (shown["active"], shown["offBecause"], shown["waiting"]) == (False, "it answered 410", 1)
    assert shown["lastError"] == "Endpoint answered 500; 2xx is needed."
    resumed = api.data("PATCH", f"/webhooks/{webhook}", json={"active": True})
    assert [resumed[name] for name in ("active", "offBecause", "failingSince", "nextTryAt", "waiting")] == [True, None, None, None, 1]
    [endpoint], [delivery] = stored(Endpoint), stored(Delivery)
    assert (endpoint.failures, endpoint.next_try_at) == (0, None)
    assert delivery.due_at <= datetime.now(UTC)


def test_an_endpoint_off_gets_nothing_and_a_replay_gives_it_all(api: Api, stored: Stored) -> None:
    webhook = api.make("sms.*", "message.*", active=False)
    api.call_back("sms.incoming_message")
    api.call_back("airtime.status")
    api.happen("message.failed")
    assert stored(Delivery) == []
    assert api("POST", f"/webhooks/{webhook}/replay?since=2h").status_code == 409
    api.data("PATCH", f"/webhooks/{webhook}", json={"active": True})
    assert api.data("POST", f"/webhooks/{webhook}/replay?since=2h") == {"webhookId": webhook, "queued": 2}
    callback = next(row for row in stored(Callback) if row.kind == "sms.incoming_message")
    made = [(row.event, row.event_id, row.callback_id, row.state) for row in stored(Delivery)]
    assert made[0] == ("sms.incoming_message", events.event_id_of(callback.id), callback.id, "waiting")
    assert made[1] == ("message.failed", stored(Event)[0].id, None, "waiting")


def test_a_replay_sends_what_was_delivered_and_no_ping(api: Api, stored: Stored) -> None:
    webhook, other = api.make("*"), api.make("*")
    api.call_back("sms.incoming_message")
    api.call_back("sms.opt_out")
    api.call_back("sms.opt_out", fields={"nothing": "1"})  # refused
    api.data("POST", f"/webhooks/{other}/ping")
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=5), tick=False):
        api.happen("alert.raised", alert="old")
    api.set(Delivery, state="delivered")
    assert api.data("POST", f"/webhooks/{webhook}/replay?since=2h")["queued"] == 2
    again = [(row.endpoint_id, row.event) for row in stored(Delivery) if row.state == "waiting"]
    assert again == [(webhook, "sms.incoming_message"), (webhook, "sms.opt_out")]
    assert api.data("POST", f"/webhooks/{webhook}/replay?since=1900-01-01T00:00:00Z")["queued"] == 1
    assert api.data("POST", f"/webhooks/{webhook}/replay?since=2h")["queued"] == 0
    assert api.data("POST", f"/webhooks/{webhook}/replay?since=2999-01-01T00:00:00Z")["queued"] == 0
    assert api("POST", f"/webhooks/{webhook}/replay").status_code == 400
    assert api("POST", f"/webhooks/{webhook}/replay?since=yesterday").status_code == 400


@ONLY_SQLITE
def test_a_replay_takes_many_in_pieces(api: Api, stored: Stored) -> None:
    webhook = api.make("call.*", active=False)
    count = redelivery.TOGETHER + 3
    now = datetime.now(UTC)
    with api.app.app_context(), writing() as connection:
        rows = [{"id": f"evt_{number:026d}", "name": "call.started", "data": {}, "created_at": now} for number in range(count)]
        connection.execute(insert(Event), rows)
    api.data("PATCH", f"/webhooks/{webhook}", json={"active": True})
    assert api.data("POST", f"/webhooks/{webhook}/replay?since=1970-01-01T00:00:00Z")["queued"] == count
    assert len(stored(Delivery)) == count


@ONLY_SQLITE
@pytest.mark.parametrize("table", [Event, Delivery])
def test_what_comes_while_all_is_sent_again_goes_its_own_way(api: Api, table: Any) -> None:
    webhook, now, came = api.make("call.*"), datetime.now(UTC), 0
    api.happen("call.started")
    api.set(Delivery, state="dead")
    rows = {
        Event: {"name": "call.started", "data": {}, "created_at": now},
        Delivery: {"endpoint_id": webhook, "event": "call.started", "state": "dead", "due_at": now, "attempts": 9, "created_at": now},
    }

    def arrive(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal came
        if f"FROM {table.__tablename__}" in statement and "ORDER BY" in statement and came < 5:
            came += 1
            id = f"{'evt' if table is Event else 'dlv'}_{ULID()}"
            with writing() as connection:
                connection.execute(insert(table), {"id": id, **({"event_id": id} if table is Delivery else {}), **rows[table]})

    with api.app.app_context():
        event.listen(db.engine, "before_cursor_execute", arrive)
        again = redelivery.replay if table is Event else lambda endpoint, since: redelivery.recover(since, endpoint)
        assert (again(webhook, now - timedelta(hours=1)), came > 0) == (1, True)


@pytest.mark.parametrize("state", ["waiting", "delivered", "dead"])
def test_a_delivery_is_sent_again_whatever_became_of_it(api: Api, stored: Stored, state: str) -> None:
    webhook = api.make("*")
    delivery = api.data("POST", f"/webhooks/{webhook}/ping")["deliveryId"]
    later = datetime.now(UTC) + timedelta(hours=3)
    api.set(Delivery, state=state, due_at=later)
    api.set(Endpoint, failing_since=later, next_try_at=later)
    assert api.data("POST", f"/deliveries/{delivery}/retry")["state"] == "waiting"
    [row], [endpoint] = stored(Delivery), stored(Endpoint)
    assert (row.state, row.due_at <= datetime.now(UTC), endpoint.next_try_at <= datetime.now(UTC)) == ("waiting", True, True)
    api.set(Endpoint, is_active=False)
    api.set(Delivery, state=state)
    assert api("POST", f"/deliveries/{delivery}/retry").status_code == 409
    assert stored(Delivery)[0].state == state


def test_a_delivery_tells_each_attempt(api: Api) -> None:
    webhook = api.make("*")
    delivery = api.data("POST", f"/webhooks/{webhook}/ping")["deliveryId"]
    began, following = datetime(2026, 3, 4, 10, 30, tzinfo=UTC), datetime(2026, 3, 4, 10, 30, 5, tzinfo=UTC)
    failed = {"attempted_at": began, "status": 503, "answer": "x" * 16384, "ms": 41, "problem": "Endpoint answered 503; 2xx is needed."}
    with api.app.app_context(), writing() as connection:
        connection.execute(insert(Attempt), {"delivery_id": delivery, "number": 1, "next_try_at": following, **failed})
    api.set(Delivery, due_at=following, attempts=1, **failed)
    first = {"number": 1, "at": "2026-03-04T10:30:00.000Z", "status": 503, "answer": failed["answer"], "ms": 41,
        "problem": failed["problem"], "nextTryAt": "2026-03-04T10:30:05.000Z"}  # fmt: skip
    shown = api.data("GET", f"/deliveries/{delivery}")
    assert shown["attempts"] == [first]
    assert (shown["state"], shown["nextTryAt"], shown["webhookId"], shown["callbackId"]) == ("waiting", first["nextTryAt"], webhook, None)
    api.set(Delivery, state="delivered", attempts=2, attempted_at=following, status=204, answer="", ms=12, problem=None)
    shown = api.data("GET", f"/deliveries/{delivery}")
    second = {"number": 2, "at": "2026-03-04T10:30:05.000Z", "status": 204, "answer": "", "ms": 12, "problem": None, "nextTryAt": None}
    assert (shown["attempts"], shown["nextTryAt"]) == ([first, second], None)
    [listed] = api.data("GET", f"/webhooks/{webhook}/deliveries")
    assert listed["attempts"] == [first, second]


def test_lists_are_read_in_pages(api: Api) -> None:
    webhook, other = api.make("*"), api.make("*")
    sent = [api.data("POST", f"/webhooks/{webhook}/ping")["deliveryId"] for _ in range(3)]
    first = api("GET", f"/webhooks/{webhook}/deliveries?limit=2").json
    assert [row["id"] for row in first["data"]] == sent[:0:-1]
    rest = api("GET", f"/webhooks/{webhook}/deliveries?limit=2&after={first['next']}").json
    assert ([row["id"] for row in rest["data"]], rest["next"]) == (sent[:1], None)
    assert api.data("GET", f"/webhooks/{webhook}/deliveries?state=dead") == []
    assert api("GET", f"/webhooks/{webhook}/deliveries?state=lost").status_code == 400
    assert api.data("GET", f"/webhooks/{other}/deliveries") == []
    page = api("GET", "/webhooks?limit=1").json
    assert ([row["webhookId"] for row in page["data"]], page["next"]) == ([webhook], webhook)
    assert [row["webhookId"] for row in api.data("GET", f"/webhooks?after={webhook}")] == [other]


def test_a_removed_endpoint_takes_its_deliveries_along(api: Api, stored: Stored) -> None:
    webhook, other = api.make("*"), api.make("*")
    for each in (webhook, other):
        api.data("POST", f"/webhooks/{each}/ping")
    assert api.data("DELETE", f"/webhooks/{webhook}") == {"webhookId": webhook, "deleted": True}
    assert [row.id for row in stored(Endpoint)] == [other]
    assert [row.endpoint_id for row in stored(Delivery)] == [other]
    assert api("DELETE", f"/webhooks/{webhook}").status_code == 404


def test_the_endpoint_for_alerts_is_nobodys_to_see_or_change(api: Api) -> None:
    webhook = api.make("*")
    api.set(Endpoint, is_for_alerts=True)
    assert api.data("GET", "/webhooks") == []
    assert api("PATCH", f"/webhooks/{webhook}", json={"active": False}).status_code == 404


def test_a_change_of_nothing_is_said_to_be_one(api: Api) -> None:
    answer = api("PATCH", f"/webhooks/{api.make('*')}", json={"secret": "mine"})
    assert (answer.status_code, answer.json["error"]) == (400, "Nothing to change: name url, events, active or format.")
