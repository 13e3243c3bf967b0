"""Web workers and the worker killed with work under way: nothing acknowledged is lost, and nothing happens twice."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.conftest import SERVER, missing
from tests.receiving import Receiver
from tests.running import Web, WorkerProcess, children_of, wait_until
from tests.stub_at import StubAT

pytestmark = pytest.mark.slow
# The long form: KILL_TEST_CALLBACKS=20000
ACKNOWLEDGED = int(os.environ.get("KILL_TEST_CALLBACKS", "1000"))
KILLS = 10 if ACKNOWLEDGED >= 20_000 else 4
CLIENTS = 8
REDIS = "redis://127.0.0.1:6379/9"


@dataclass
class Place:
    """Where rows are kept, what tells of them, and how to wipe that."""

    database: str
    settings: dict[str, str]
    wipe: Callable[[], object] | None = None


@pytest.fixture(params=["sqlite", "postgresql", "rabbitmq", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Rows in SQLite, in PostgreSQL, and in PostgreSQL with each broker."""
    if request.param == "sqlite":
        yield Place(f"sqlite:///{tmp_path / 'pokea.db'}", {})
        return
    name = f"pokea_test_kills_{os.getpid()}"
    try:
        server = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        missing(f"no PostgreSQL: {error}")
    server.execute(f"CREATE DATABASE {name}")
    url = SERVER.rpartition("/")[0] + f"/{name}"
    try:
        if request.param == "postgresql":
            yield Place(url, {})
        else:
            yield from (_with_rabbitmq(url, name) if request.param == "rabbitmq" else _with_redis(url))
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.close()


def _with_rabbitmq(url: str, vhost: str) -> Iterator[Place]:
    def control(*words: str) -> None:
        try:
            subprocess.run(["rabbitmqctl", "-q", *words], check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            missing(f"no RabbitMQ: {error}")

    control("add_vhost", vhost)
    control("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
    try:
        yield Place(url, {"BROKER_URL": f"amqp://guest:guest@127.0.0.1:5672/{vhost}"}, lambda: control("purge_queue", "-p", vhost, "pokea"))
    finally:
        control("delete_vhost", vhost)


def _with_redis(url: str) -> Iterator[Place]:
    broker = redis.Redis.from_url(REDIS)
    try:
        broker.flushdb()
    except redis.exceptions.ConnectionError as error:
        missing(f"no Redis: {error}")
    try:
        yield Place(url, {"BROKER_URL": REDIS}, broker.flushdb)
    finally:
        broker.flushdb()
        broker.close()


class Load:
    """Clients that post what was not acknowledged again, as Africa's Talking does."""

    def __init__(self, url: str) -> None:
        self.url, self.stop, self.lock = url, threading.Event(), threading.Lock()
        self.acknowledged: set[str] = set()
        self.odd: list[tuple[int, str]] = []

    def client(self, number: int) -> None:
        session, count = requests.Session(), 0
        while not self.stop.is_set():
            count += 1
            reference = f"r{number}x{count}"
            path, body = self.callback(reference, number, count)
            while not self.stop.is_set():
                try:
                    answer = session.post(self.url + path, data=body, timeout=10)
                except requests.RequestException:
                    session = requests.Session()
                    continue
                if answer.status_code == 200:
                    with self.lock:
                        self.acknowledged.add(reference)
                    break
                self.odd.append((answer.status_code, answer.text[:80]))

    @staticmethod
    def callback(reference: str, number: int, count: int) -> tuple[str, dict[str, str]]:
        """Return one of several kinds, about one of a hundred phones that all clients share."""
        phone = f"+2547110000{count % 100:02}"
        if count % 5 == 0:
            return "/api/sms/twoway", {
                "id": reference, "from": f"+2547110000{(count // 5 + 12 * number) % 100:02}", "to": "12345", "text": reference,
                "date": "2026-03-04 10:30:00",
            }  # fmt: skip
        if count % 5 == 1:
            return "/api/payments/notification", {"transactionId": reference, "status": "Success", "source": phone, "value": "KES 10.0000"}
        return "/api/sms/delivery-reports", {"id": reference, "status": "Success", "phoneNumber": phone}


def query(url: str, statement: str) -> list[tuple]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def endpoint(web: Web, url: str) -> None:
    key = json.loads(web.flask("keys", "create", "--name", "test", "--json"))["key"]
    answer = requests.post(
        f"{web.url}/api/v1/webhooks", json={"url": url, "events": ["*"]}, headers={"Authorization": f"Bearer {key}"}, timeout=10
    )
    assert answer.status_code == 201, answer.text


def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(tmp_path: Path, place: Place) -> None:
    with StubAT() as at, Receiver() as receiver:
        web = Web(tmp_path, place.database, AT_BASE_URL=at.url, WEBHOOKS_ALLOW_PRIVATE="1", RATELIMIT_ENABLED="0", **place.settings)
        web.migrate()
        worker = WorkerProcess(web)
        with web, worker:
            endpoint(web, receiver.url)
            load = Load(web.url)
            threads = [threading.Thread(target=load.client, args=(number,)) for number in range(CLIENTS)]
            for thread in threads:
                thread.start()
            kills, ends, is_wiped = 0, time.monotonic() + 900, place.wipe is None
            while (len(load.acknowledged) < ACKNOWLEDGED or kills < KILLS) and time.monotonic() < ends:
                time.sleep(random.uniform(0.8, 1.6))
                if len(load.acknowledged) < ACKNOWLEDGED * kills // KILLS:
                    continue
                if children := children_of(web.process.pid):
                    os.kill(random.choice(children), signal.SIGKILL)
                worker.kill()
                worker.start()
                kills += 1
                if not is_wiped and kills >= KILLS // 2:
                    place.wipe()
                    is_wiped = True
            load.stop.set()
            for thread in threads:
                thread.join()
            # An order that was under way at a kill is pending for AT_TIMEOUT_S and a minute; everything else ends now.
            wait_until(
                lambda: query(place.database, "SELECT count(*) FROM callbacks WHERE due_at IS NOT NULL") == [(0,)], 300, "processing"
            )
            wait_until(
                lambda: query(place.database, "SELECT count(*) FROM deliveries WHERE state <> 'delivered'") == [(0,)], 300, "delivery"
            )
        assert (kills >= KILLS, is_wiped) == (True, True)
        assert {odd for odd in load.odd if odd[0] != 503} == set()
        kept = query(place.database, "SELECT reference, id FROM callbacks")
        assert len(kept) == len({reference for reference, _ in kept})
        assert load.acknowledged - {reference for reference, _ in kept} == set()
        came = Counter(receiver.ids())
        assert {event for (event,) in query(place.database, "SELECT event_id FROM deliveries")} == set(came)
        assert {f"evt_{id.removeprefix('cb_')}" for _, id in kept} - set(came) == set()
        assert sum(came.values()) - len(came) <= 2 * kills
        sent = Counter(seen.fields["message"] for seen in at.seen)
        assert sent
        assert set(sent.values()) == {1}
        known = query(place.database, "SELECT count(*) FROM messages WHERE direction = 'out' AND provider_id LIKE 'r%'")
        assert known == [(sum(not reference_is_other(reference) for reference, _ in kept),)]
        print(f"{len(kept)} kept, {kills} kills of each, {sum(came.values()) - len(came)} extra, {len(sent)} replies")  # noqa: T201


def reference_is_other(reference: str) -> bool:
    """Whether a callback of this reference was something else than a report."""
    return int(reference.partition("x")[2]) % 5 in (0, 1)


def test_a_reaction_killed_between_send_and_commit_sends_once(tmp_path: Path, kept_in: str) -> None:
    with StubAT() as at:
        web = Web(tmp_path, kept_in, AT_BASE_URL=at.url, AT_TIMEOUT_S="1")
        web.migrate()
        worker = WorkerProcess(web)

        def kill_before_answer(handler: object, _body: bytes) -> None:
            worker.kill()

        at.fault = kill_before_answer
        with web, worker:
            body = {"id": "m1", "from": "+254711000017", "to": "12345", "text": "Hi", "date": "2026-03-04 10:30:00"}
            assert requests.post(f"{web.url}/api/sms/twoway", data=body, timeout=10).status_code == 200
            wait_until(lambda: len(at.seen) == 1 and worker.process.poll() is not None, 20, "the kill")
            at.fault = None
            # Long ago, as far as the rows know
            for table, column in (("reactions", "leased_until"), ("reactions", "due_at"), ("invocations", "called_at")):
                engine = create_engine(kept_in.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
                with engine.begin() as connection:
                    connection.execute(text(f"UPDATE {table} SET {column} = '2026-01-01 00:00:00+00:00'"))
            worker.start()
            wait_until(lambda: query(kept_in, "SELECT state FROM reactions") == [("done",)], 60, "the end of the reaction")
        assert len(at.seen) == 1
        assert query(kept_in, "SELECT state FROM invocations") == [("unknown",)]


def test_a_delivery_killed_between_post_and_commit_comes_again_with_its_id(tmp_path: Path, kept_in: str) -> None:
    with Receiver() as receiver:
        web = Web(tmp_path, kept_in, WEBHOOKS_ALLOW_PRIVATE="1")
        web.migrate()
        worker = WorkerProcess(web)

        def kill_first(came: object) -> object:
            if len(receiver.came) % 2 == 1:
                worker.kill()
            return usual(came)

        usual, receiver.answer = receiver.answer, kill_first
        with web, worker:
            endpoint(web, receiver.url)
            for number in range(5):
                body = {"id": f"r{number}", "status": "Sent", "phoneNumber": "+254711000017"}
                assert requests.post(f"{web.url}/api/sms/delivery-reports", data=body, timeout=10).status_code == 200
                wait_until(lambda: worker.process.poll() is not None, 20, "the kill")
                worker.start()
                wait_until(lambda number=number: len(receiver.came) == 2 * number + 2, 20, "the second try")
            wait_until(lambda: query(kept_in, "SELECT count(*) FROM deliveries WHERE state = 'delivered'") == [(5,)], 10, "delivery")
    assert set(Counter(receiver.ids()).values()) == {2}
