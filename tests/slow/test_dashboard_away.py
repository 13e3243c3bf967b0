"""The dashboard while its database is frozen: pages say so in time, and take no threads from callbacks."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.running import OwnPostgres, Web

pytestmark = pytest.mark.slow
DIALLED = {"sessionId": "ATUid_1", "serviceCode": "*384*1234#", "phoneNumber": "+254711000017", "text": "", "networkCode": "63902"}


def test_pages_of_a_frozen_database_say_so_and_hold_nobody_up(own_postgres: OwnPostgres, tmp_path: Path) -> None:
    web = Web(tmp_path, own_postgres.url, GUNICORN_CMD_ARGS="--workers 1")
    web.migrate()

    def ask(path: str) -> tuple[int, float, str]:
        began = time.monotonic()
        answer = requests.get(web.url + path, timeout=60)
        return answer.status_code, time.monotonic() - began, answer.text

    with web, ThreadPoolExecutor(12) as people:
        assert ask("/dashboard")[0] == 200
        own_postgres.freeze()
        try:
            # As many pages as a few people have open, each asking again and again.
            asked = [people.submit(ask, path) for path in ["/dashboard", "/dashboard/pulse", "/dashboard/sessions"] * 4]
            time.sleep(0.5)
            began = time.monotonic()
            dialled = requests.post(f"{web.url}/api/ussd/session", data=DIALLED, timeout=20)
            assert dialled.text.startswith("CON ")
            assert time.monotonic() - began < 5
            for status, took_s, text in (one.result() for one in asked):
                assert took_s < 20
                assert status in (200, 503)
                assert status == 200 or "The database does not answer" in text
            status, took_s, text = ask("/dashboard/pulse")
            assert (status, "what you see may be old" in text) == (200, True)
            assert took_s < 5
        finally:
            own_postgres.thaw()
        deadline = time.monotonic() + 20
        while ask("/dashboard")[0] != 200:
            assert time.monotonic() < deadline
        time.sleep(1.1)
        assert "what you see may be old" not in ask("/dashboard/pulse")[2]
