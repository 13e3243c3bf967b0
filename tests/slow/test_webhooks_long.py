"""Webhooks over hours and under load: a receiver that is away, secrets that change, others that fail."""

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from standardwebhooks import Webhook, WebhookVerificationError

from app.models import Delivery
from tests.posting import Post
from tests.receiving import Answer, Came, Receiver
from tests.running import Web, WorkerProcess, wait_until

pytestmark = pytest.mark.slow
WAITING = 10_000


def test_six_hours_of_refusal_with_ten_thousand_waiting(make_app: Callable[..., Flask], stored: Callable[[type], list[Any]]) -> None:
    is_back = threading.Event()
    with Receiver(lambda _came: Answer(200 if is_back.is_set() else 500)) as receiver:
        post = Post(make_app(webhooks_allow_private=True))
        post.endpoint(receiver.url)
        ids = post.happens(WAITING)
        for _ in range(6 * 12):
            post.send()
            post.clock.advance(300)
        # At least one try in five minutes, and never more than two.
        assert 6 * 12 <= len(receiver.came) <= 2 * 6 * 12 + 4
        receiver.came.clear()
        is_back.set()
        began = time.monotonic()
        post.send()
        took_s = time.monotonic() - began
    came = receiver.ids()
    assert set(ids) <= set(came)
    assert len(came) == len(set(came))
    # Oldest first: none comes before one that is more than four older.
    place = {event_id: number for number, event_id in enumerate(ids)}
    order = [place[event_id] for event_id in came if event_id in place]
    newest = 0
    for number in order:
        assert number >= newest - 4
        newest = max(newest, number)
    assert {row.state for row in stored(Delivery) if row.event_id in place} == {"delivered"}
    assert took_s < 300


class Program:
    """Web, worker and a key that opens everything."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.web = Web(folder, database_url, WEBHOOKS_ALLOW_PRIVATE="1", RATELIMIT_ENABLED="0")
        self.web.migrate()
        self.worker = WorkerProcess(self.web)

    def __enter__(self) -> "Program":
        self.web.__enter__()
        self.worker.__enter__()
        key = json.loads(self.web.flask("keys", "create", "--name", "test", "--json"))["key"]
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()
        self.worker.__exit__()
        self.web.__exit__()

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.session.request(method, f"{self.web.url}/api/v1{path}", json=body or None, timeout=20)
        assert answer.status_code < 300, answer.text
        return answer.json()["data"]

    def report(self, session: requests.Session, reference: str) -> float:
        """Post a callback; return the seconds that its answer took."""
        body = {"id": reference, "status": "Sent", "phoneNumber": "+254711000017"}
        began = time.monotonic()
        assert session.post(f"{self.web.url}/api/sms/delivery-reports", data=body, timeout=10).text == "OK"
        return time.monotonic() - began


@pytest.fixture
def program(tmp_path: Path, kept_in: str) -> Iterator[Program]:
    with Program(tmp_path, kept_in) as one:
        yield one


def verifies(came: Came, secret: str) -> bool:
    try:
        Webhook(secret).verify(came.body, {name.lower(): value for name, value in came.headers.items()})
    except WebhookVerificationError:
        return False
    return True


def test_both_secrets_work_during_a_rotation_under_load(program: Program) -> None:
    with Receiver() as receiver:
        made = program.ask("POST", "/webhooks", url=receiver.url, events=["sms.*"])
        stop = threading.Event()

        def load() -> None:
            with requests.Session() as session:
                number = 0
                while not stop.is_set():
                    number += 1
                    program.report(session, f"{threading.get_ident()}-{number}")

        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(receiver.came) > 50, 30, "the first deliveries")
        rotated = program.ask("POST", f"/webhooks/{made['webhookId']}/rotate-secret")
        rotated_at = time.monotonic()
        wait_until(lambda: sum(came.at > rotated_at + 3 for came in receiver.came) > 50, 30, "deliveries after the rotation")
        stop.set()
        for thread in threads:
            thread.join()
        came = list(receiver.came)
    # Who has not changed the secret yet, and who has, can both verify; what was on its way at the change, the old one can.
    assert all(verifies(one, made["secret"]) for one in came)
    assert all(verifies(one, rotated["secret"]) for one in came if one.at > rotated_at + 3)
    assert not any(verifies(one, rotated["secret"]) for one in came if one.at < rotated_at)
    altered = Came(came[0].path, came[0].headers, came[0].body[:-1] + b" ", 0.0)
    assert not verifies(altered, made["secret"])


def test_one_that_hangs_and_one_that_refuses_change_nothing_for_others(program: Program) -> None:
    with Receiver(lambda _came: Answer(500)) as refusing, Receiver(lambda _came: Answer(after_s=40)) as hanging, Receiver() as good:
        for receiver in (hanging, refusing, good):
            program.ask("POST", "/webhooks", url=receiver.url, events=["sms.*"])
        kept = {}
        with requests.Session() as session:
            for number in range(300):
                program.report(session, f"r{number}")
                kept[f"r{number}"] = time.monotonic()
                time.sleep(0.02)
        wait_until(lambda: len(good.came) >= 300, 30, "delivery to the good one")
        waits = [came.at - kept[json.loads(came.body)["data"]["fields"]["id"]] for came in good.came]
        assert statistics.quantiles(waits, n=20)[-1] < 2
        assert hanging.most_at_once <= 4


def test_a_worker_that_is_told_to_stop_ends_what_it_began_and_nothing_else(program: Program) -> None:
    with Receiver(lambda _came: Answer(after_s=1.0)) as receiver, requests.Session() as session:
        endpoint = program.ask("POST", "/webhooks", url=receiver.url, events=["sms.*"])["webhookId"]
        for number in range(20):
            program.report(session, f"r{number}")
        wait_until(lambda: receiver.at_once > 0, 10, "the first delivery")
        program.worker.process.terminate()
        assert program.worker.process.wait(timeout=15) == 0
        sent = len(receiver.came)
        rows = program.ask("GET", f"/webhooks/{endpoint}/deliveries")
        assert sum(row["state"] == "delivered" for row in rows) == sent
        assert sent < 20
        program.worker.start()
        wait_until(lambda: len(receiver.came) == 20, 30, "the rest")
    assert len(set(receiver.ids())) == 20
    assert datetime.fromisoformat(rows[0]["createdAt"]).tzinfo is not None
