"""Web workers killed with requests in flight: what was acknowledged is kept, and once."""

import os
import random
import signal
import sqlite3
import threading
import time
from pathlib import Path

import psycopg
import pytest
import requests

from tests.running import Web, children_of

pytestmark = pytest.mark.slow
ACKNOWLEDGED, KILLS, CLIENTS = 20_000, 20, 16


def rows(url: str) -> list[tuple[str, str]]:
    query = "SELECT kind, reference FROM callbacks"
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return connection.execute(query).fetchall()
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


class Load:
    """Clients that post what was not acknowledged again, as Africa's Talking does."""

    def __init__(self, url: str) -> None:
        self.url, self.acknowledged, self.lock, self.stop = url, set(), threading.Lock(), threading.Event()
        self.odd: list[tuple[int, str]] = []

    def client(self, number: int) -> None:
        session, count = requests.Session(), 0
        while not self.stop.is_set():
            count += 1
            reference = f"r{number}x{count}"
            # Every number is used by all clients, so others come in between.
            body = {"id": reference, "status": "Success", "phoneNumber": f"+2547110000{count % 100:02}"}
            while not self.stop.is_set():
                try:
                    answer = session.post(f"{self.url}/api/sms/delivery-reports", data=body, timeout=10)
                except requests.RequestException:
                    session = requests.Session()
                    continue
                if answer.status_code == 200 and answer.text == "OK":
                    with self.lock:
                        self.acknowledged.add(reference)
                    break
                self.odd.append((answer.status_code, answer.text[:80]))


def test_nothing_acknowledged_is_lost_and_nothing_is_kept_twice(tmp_path: Path, kept_in: str) -> None:
    web = Web(tmp_path, kept_in)
    web.migrate()
    with web:
        load = Load(web.url)
        threads = [threading.Thread(target=load.client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        kills, ends = 0, time.monotonic() + 300
        while (len(load.acknowledged) < ACKNOWLEDGED or kills < KILLS) and time.monotonic() < ends:
            time.sleep(random.uniform(0.8, 1.6))
            workers = children_of(web.process.pid)
            if workers and kills < max(KILLS, len(load.acknowledged) * KILLS // ACKNOWLEDGED):
                os.kill(random.choice(workers), signal.SIGKILL)
                kills += 1
        load.stop.set()
        for thread in threads:
            thread.join()
    kept = [reference for _, reference in rows(kept_in)]
    assert kills >= KILLS
    assert len(load.acknowledged) >= ACKNOWLEDGED
    assert load.acknowledged - set(kept) == set()
    assert len(kept) == len(set(kept))
    assert [odd for odd in load.odd if odd[0] != 503] == []
