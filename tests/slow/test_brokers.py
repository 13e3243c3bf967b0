"""A broker that does not have the worker: everything is worked on all the same, and the broker is taken up again once it does."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import requests

from tests.conftest import missing
from tests.running import Web, WorkerProcess, wait_until
from tests.stub_at import StubAT

pytestmark = pytest.mark.slow
REDIS = "redis://127.0.0.1:6379/12"
NAME = f"pokea_test_brokers_{os.getpid()}"


@dataclass
class Place:
    """A broker with an account whose password is another one. let_in: set it right. is_heard: whether a worker waits for messages."""

    url: str
    let_in: Callable[[], object]
    is_heard: Callable[[], bool]


def rabbitmqctl(*words: str) -> str:
    try:
        return subprocess.run(["rabbitmqctl", "-q", *words], check=True, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        missing(f"no RabbitMQ: {error}")
        raise


@pytest.fixture
def rabbitmq() -> Iterator[Place]:
    """A virtual host with a user of its own."""
    rabbitmqctl("add_vhost", NAME)
    try:
        rabbitmqctl("add_user", NAME, "old-password")
        rabbitmqctl("set_permissions", "-p", NAME, NAME, ".*", ".*", ".*")
        yield Place(
            f"amqp://{NAME}:new-password@127.0.0.1:5672/{NAME}",
            lambda: rabbitmqctl("change_password", NAME, "new-password"),
            lambda: "pokea" in rabbitmqctl("list_consumers", "-p", NAME, "--no-table-headers", "queue_name").split(),
        )
    finally:
        rabbitmqctl("delete_vhost", NAME)
        rabbitmqctl("delete_user", NAME)


@pytest.fixture
def redis_server() -> Iterator[Place]:
    """A user of its own in a database of its own."""
    server = redis.Redis.from_url(REDIS, decode_responses=True)
    try:
        server.flushdb()
    except redis.exceptions.ConnectionError as error:
        missing(f"no Redis: {error}")
    server.acl_setuser(NAME, enabled=True, passwords=["+old-password"], keys=["*"], channels=["*"], commands=["+@all"])
    try:
        yield Place(
            REDIS.replace("//", f"//{NAME}:new-password@"),
            lambda: server.execute_command("ACL", "SETUSER", NAME, ">new-password"),
            lambda: any(client["user"] == NAME and client["cmd"] == "brpop" for client in server.client_list()),
        )
    finally:
        server.acl_deluser(NAME)
        server.flushdb()
        server.close()


@pytest.mark.parametrize("broker", ["rabbitmq", "redis_server"])
def test_a_worker_that_the_broker_refuses_goes_on_alone_until_it_is_let_in(
    request: pytest.FixtureRequest, tmp_path: Path, broker: str
) -> None:
    place: Place = request.getfixturevalue(broker)
    with StubAT() as at:
        web = Web(tmp_path, f"sqlite:///{tmp_path / 'pokea.db'}", AT_BASE_URL=at.url, BROKER_URL=place.url)
        web.migrate()
        worker = WorkerProcess(web)

        def works(reference: str) -> bool:
            body = {"id": reference, "from": "+254711000017", "to": "12345", "text": "Hi", "date": "2026-03-04 10:30:00"}
            assert requests.post(f"{web.url}/api/sms/twoway", data=body, timeout=10).status_code == 200
            count = len(at.calls())
            wait_until(lambda: len(at.calls()) > count, 15, f"the reply to {reference}")
            return worker.process.poll() is None

        with web, worker:
            assert works("m1")
            assert not place.is_heard()
            place.let_in()
            wait_until(place.is_heard, 45, "the worker's return to the broker")
            assert works("m2")
            worker.process.terminate()
            began = time.monotonic()
            assert worker.process.wait(timeout=20) == 0
            assert time.monotonic() - began < 10
    said = worker.log.read_text()
    assert [word for word in ("[tasks]", "[queues]", "DuplicateTaskName", "Traceback", "SecurityWarning") if word in said] == []
    # What it did is told, as by a worker without a broker.
    assert said.count("reaction two_way_reply done") == 2
    if broker == "rabbitmq":
        assert "the broker does not have this worker (AccessRefused): it goes on alone, and asks again in 30 s" in said
