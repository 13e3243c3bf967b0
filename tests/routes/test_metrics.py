"""/metrics and what /readyz and the doctor say of workers."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from app.config import share_metrics
from app.models import Alert, Mark
from app.settings import Settings
from services.upkeep import metrics, shared_counts
from tests.invoking import ONLY_SQLITE, URLS
from tests.rows import callback, endpoint, invocation, keep
from tests.samples import post

Make = Callable[..., Flask]
ROOT = Path(__file__).resolve().parent.parent.parent
Counts = dict[tuple[str, ...], float]


def counts(app: Flask, name: str) -> Counts:
    """Return the samples of one name, by the values of their labels."""
    answer = app.test_client().get("/metrics")
    assert answer.content_type.startswith("text/plain; version=")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    return {tuple(sample.labels.values()): sample.value for sample in samples if sample.name == f"pokea_{name}"}


class Counting:
    """What was counted since: this process counts for all tests."""

    def __init__(self, app: Flask, name: str) -> None:
        self.app, self.name, self.before = app, name, counts(app, name)

    def since(self) -> Counts:
        now = counts(self.app, self.name)
        return {labels: value - self.before.get(labels, 0) for labels, value in now.items() if value != self.before.get(labels, 0)}


def test_callbacks_are_counted_by_what_became_of_them(make_app: Make) -> None:
    app = make_app(callback_token=("geheim",))
    counting, times = Counting(app, "callbacks_total"), Counting(app, "callback_answer_seconds_count")
    client, path = app.test_client(), "/api/sms/delivery-reports?token=geheim"
    sent = {"id": "m1", "status": "Sent", "phoneNumber": "+254711000001"}
    for fields in (sent, sent, sent | {"networkCode": "63902"}, {"status": "Sent"}):
        post(client, "sms.delivery_report", fields, path)
    post(client, "sms.delivery_report", sent, "/api/sms/delivery-reports?token=wrong")
    kind = "sms.delivery_report"
    assert counting.since() == {(kind, what): 1.0 for what in ("accepted", "repeat", "differing", "refused", "forbidden")}
    assert times.since() == {(kind,): 4.0}


GONE = pytest.mark.parametrize("database_url", ["postgresql+psycopg://postgres@127.0.0.1:1/none"])


@GONE
def test_what_is_not_kept_is_counted_once(app: Flask) -> None:
    counting, client = Counting(app, "callbacks_total"), app.test_client()
    statuses = [post(client, kind).status_code for kind in ("sms.opt_out", "ussd.session")]
    assert [*statuses, post(client, "sms.delivery_report", path="/api/v1/sms/webhook").status_code] == [503, 200, 503]
    assert counting.since() == {(kind, "not_kept"): 1.0 for kind in ("sms.opt_out", "ussd.session", "sms.delivery_report")}


@ONLY_SQLITE
def test_calls_to_africas_talking_are_counted_by_how_they_ended(sending: Make) -> None:
    app = sending()
    counting = Counting(app, "invocations_total")
    url = URLS["sms.bulk"] + "&idempotencyKey=12345678"
    assert [app.test_client().get(url).status_code for _ in range(2)] == [200, 200]
    assert counting.since() == {("sms.bulk", "accepted"): 1.0}


@ONLY_SQLITE
def test_answers_over_budget_are_counted(make_app: Make, httpserver: Any) -> None:
    app = make_app(ussd_app_url=httpserver.url_for("/slow"), app_budget_s=0.1)
    httpserver.expect_request("/slow").respond_with_handler(lambda _request: __import__("time").sleep(0.3))
    counting = Counting(app, "over_budget_total")
    post(app.test_client(), "ussd.session")
    assert counting.since() == {("program",): 1.0}


def test_what_the_worker_did_is_counted(app: Flask) -> None:
    deliveries, seconds, reactions = (Counting(app, name) for name in ("deliveries_total", "delivery_seconds_sum", "reactions_total"))
    metrics.delivered("delivered", 0.25)
    metrics.delivered("dead", 0.5)
    metrics.reacted("stop", "done")
    assert deliveries.since() == {("delivered",): 1.0, ("dead",): 1.0}
    assert seconds.since() == {(): 0.75}
    assert reactions.since() == {("stop", "done"): 1.0}


def test_the_database_tells_the_rest(app: Flask) -> None:
    assert counts(app, "worker_seen_seconds") == {(): float("inf")}
    now = datetime.now(UTC)
    keep(
        app,
        callback(now, due_at=now - timedelta(seconds=100)), callback(now, due_at=None, last_error="x"), invocation(),
        endpoint("webhook_good"), endpoint("webhook_bad", failing_since=now), endpoint("webhook_off", is_active=False),
        (Mark, {"name": "worker:a:1", "value": None, "updated_at": now - timedelta(seconds=3)}),
        (Alert, {"name": "dead_work", "detail": "", "raised_at": now}),
        (Alert, {"name": "queue_age", "detail": "", "raised_at": now, "cleared_at": now}),
    )  # fmt: skip
    queues = [(name,) for name in ("callbacks", "deliveries", "reactions", "batches")]
    assert counts(app, "queue_depth") == dict.fromkeys(queues, 0.0) | {("callbacks",): 1.0}
    assert 100 <= counts(app, "queue_oldest_seconds")[("callbacks",)] < 130
    assert counts(app, "dead") == dict.fromkeys(queues, 0.0) | {("callbacks",): 1.0}
    assert counts(app, "endpoints") == {("active",): 1.0, ("failing",): 1.0, ("off",): 1.0}
    assert counts(app, "invocations_unknown") == {(): 1.0}
    assert 3 <= counts(app, "worker_seen_seconds")[()] < 30
    names = ("dead_work", "failing_endpoint", "low_balance", "queue_age", "refused_callbacks", "unknown_money")
    assert counts(app, "alert") == {(name,): float(name == "dead_work") for name in names}
    assert counts(app, "database_up") == {(): 1.0}


@GONE
def test_without_the_database_what_was_counted_is_told(app: Flask) -> None:
    assert counts(app, "database_up") == {(): 0.0}
    assert counts(app, "queue_depth") == {}


@ONLY_SQLITE
def test_from_elsewhere_a_key_that_may_read_is_needed(make_app: Make) -> None:
    app = make_app()

    def key(scope: str) -> dict[str, str]:
        made = app.test_cli_runner().invoke(args=["keys", "create", "--name", scope, "--scope", scope, "--json"]).stdout
        return {"Authorization": f"Bearer {json.loads(made)['key']}"}

    client, elsewhere = app.test_client(), {"X-Forwarded-For": "196.201.214.200"}
    assert client.get("/metrics", headers=elsewhere).status_code == 401
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 401
    assert client.get("/metrics", headers=elsewhere | key("send")).status_code == 403
    assert client.get("/metrics", headers=elsewhere | key("read")).status_code == 200


def test_readiness_tells_of_workers_and_does_not_depend_on_them(app: Flask) -> None:
    client = app.test_client()
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["worker"]) == (200, {"seen_s_ago": None, "count": 0})
    keep(app, (Mark, {"name": "worker:a:1", "value": None, "updated_at": datetime.now(UTC) - timedelta(seconds=2)}))
    worker = client.get("/readyz").json["worker"]
    assert worker["count"] == 1
    assert 2 <= worker["seen_s_ago"] < 20


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("ages_s", "found"),
    [
        ([], ("warning", "no worker seen yet: start flask worker")),
        ([40], ("warning", "no worker seen for 40 s: start flask worker")),
        ([40, 1], ("ok", "1 at work, seen 1 s ago")),
    ],
)
def test_the_doctor_looks_for_workers(make_app: Make, ages_s: list[int], found: tuple[str, str]) -> None:
    app, now = make_app(), datetime.now(UTC)
    keep(app, *((Mark, {"name": f"worker:a:{age}", "value": None, "updated_at": now - timedelta(seconds=age)}) for age in ages_s))
    told = json.loads(app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout)["checks"]
    assert next((check["state"], check["message"]) for check in told if check["name"] == "worker") == found


PROCESS = """
import os, signal, sys
from pathlib import Path
from services.upkeep import metrics
for _ in range(int(sys.argv[1])):
    metrics.invoked("sms.bulk", "accepted")
sys.stdout.write(metrics.exposition()[0].decode())
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_killed_processes_counted_goes_on_counting(tmp_path: Path) -> None:
    def counted(times: int) -> float:
        command = [sys.executable, "-c", PROCESS, str(times)]
        environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == -9, done.stderr
        return next(float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("pokea_invocations_total{"))

    assert [counted(3), counted(4)] == [3.0, 7.0]
    assert {family.name for family in shared_counts.merged(tmp_path)} == {"pokea_invocations", "pokea_delivery_seconds"}
    shared_counts.forget_gone(tmp_path)
    assert list(shared_counts.merged(tmp_path)) == []


def test_a_file_that_was_half_written_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "counter_other-1.db").write_bytes(b"\xff\x01\x00\x00" + bytes(5000))
    (tmp_path / "counter_other-2.db").write_bytes(b"")
    assert list(shared_counts.merged(tmp_path)) == []


def test_one_database_is_one_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def folder(**settings: Any) -> Path:
        with monkeypatch.context() as patch:
            patch.setenv("PROMETHEUS_MULTIPROC_DIR", "x")
            patch.delenv("PROMETHEUS_MULTIPROC_DIR")
            return share_metrics(Settings(instance_dir=tmp_path / "instance", **settings))

    one = folder(database_url=f"sqlite:///{tmp_path}/one.db")
    assert one.parent == tmp_path
    assert folder(database_url=f"sqlite:///{tmp_path}/one.db", port=9002) == one
    assert folder(database_url=f"sqlite:///{tmp_path}/two.db") != one
    postgres = folder(database_url="postgresql+psycopg://a@localhost/one")
    assert postgres.parent == tmp_path / "instance"
    assert folder(database_url="postgresql+psycopg://a@localhost/two") != postgres
