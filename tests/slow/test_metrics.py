"""Metrics over the processes of a running web: no counter ever falls, and they are what was kept."""

import json
import os
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.running import Web, children_of, wait_until

pytestmark = pytest.mark.slow
CLIENTS, EACH, SCRAPES = 8, 60, 20
Counts = dict[tuple[str, str], float]


def scrape(web: Web) -> Counts:
    """Return every sample that must never fall."""
    answer = requests.get(f"{web.url}/metrics", timeout=10)
    assert answer.status_code == 200
    families = [family for family in text_string_to_metric_families(answer.text) if family.type in ("counter", "histogram")]
    return {(sample.name, json.dumps(sample.labels, sort_keys=True)): sample.value for family in families for sample in family.samples}


def callbacks(counted: Counts) -> Counter[tuple[str, str]]:
    found = {labels: int(value) for (name, labels), value in counted.items() if name == "pokea_callbacks_total"}
    return Counter({(json.loads(labels)["kind"], json.loads(labels)["outcome"]): value for labels, value in found.items()})


def exported(web: Web) -> Counter[tuple[str, str]]:
    count: Counter[tuple[str, str]] = Counter()
    for row in map(json.loads, web.flask("callbacks", "export").splitlines()):
        count[row["kind"], row["state"]] += 1
        count[row["kind"], "repeat"] += row["repeats"]
    return +count


def client(web: Web, number: int) -> None:
    """Post messages, of which some are repeats, some differ and some are refused, each on a connection of its own: any process may get it."""
    for count in range(EACH):
        status, network = (("Sent", "1"), ("Sent", "1"), ("Sent", "2"), ("", "1"))[count % 4]
        fields = {"id": f"m{number}x{count // 4}", "status": status, "phoneNumber": "+254711000001", "networkCode": network}
        requests.post(f"{web.url}/api/sms/delivery-reports", data=fields, timeout=10)


def post_from_all(web: Web) -> list[threading.Thread]:
    threads = [threading.Thread(target=client, args=(web, number)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    return threads


def replace_one_worker(web: Web) -> None:
    """Kill a process between callbacks: what it kept and had not counted yet would be missing."""
    workers = set(children_of(web.process.pid))
    os.kill(max(workers), signal.SIGKILL)
    wait_until(lambda: len(set(children_of(web.process.pid)) - workers) == 1, 20, "another worker")


def test_counters_never_fall_and_are_what_was_kept(tmp_path: Path, kept_in: str) -> None:
    web = Web(tmp_path, kept_in, RATELIMIT_ENABLED="0", PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "counts"))
    web.migrate()
    with web:
        before: Counts = {}
        for turn in range(2):
            threads = post_from_all(web)
            for _ in range(SCRAPES // 2):
                now = scrape(web)
                assert {key: (value, now.get(key)) for key, value in before.items() if now.get(key, 0) < value} == {}
                before = now
            for thread in threads:
                thread.join()
            if turn == 0:
                replace_one_worker(web)
        counted = callbacks(scrape(web))
        assert sum(counted.values()) == 2 * CLIENTS * EACH
        assert {outcome for _, outcome in counted} == {"accepted", "repeat", "differing", "refused"}
        assert counted == exported(web)
        # Files of the two that ran, and of the one that was killed.
        assert len(list((tmp_path / "counts").glob("counter_*.db"))) == 3
