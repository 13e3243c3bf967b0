"""Orders under load, faults and kills, through real processes: nothing is sent twice, and no cap is passed."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, select, update
from sqlalchemy.pool import NullPool

from app.models import Invocation
from tests import stub_at
from tests.invoking import at_once
from tests.running import OwnPostgres, Web, children_of, wait_until
from tests.stub_at import Handler, StubAT

pytestmark = pytest.mark.slow
ORDERS, CLIENTS, LEAST_KILLS = 1_500, 8, 6
AIRTIME = "/api/airtime/invoke-send-airtime"
LIVE = {
    "AT_MODE": "live", "AT_USERNAME": "acme", "AT_API_KEY": "live-key-12345678", "AT_SHORTCODE": "12345", "AT_VOICE_NUMBER": "+254711082000",
    "CALLBACK_TOKEN": "c" * 24, "INVOKE_TOKEN": "i" * 32,
}  # fmt: skip
URLS = (
    "/api/sms/invoke-bulk-sms?phone=254711000000&message=Hello", "/api/sms/invoke-twoway-sms?phone=254711000000&message=Hello",
    "/api/voice/invoke-call?phone=254711000000", f"{AIRTIME}?phone=254711000000&amount=10&currency=KES",
    "/api/sim-swap/invoke-check-simswap?phone=254711000000",
    "/api/payments/invoke-mobile-checkout?phone=254711000000&amount=10&currency=KES&productName=duka",
)  # fmt: skip


@pytest.fixture
def at() -> Iterator[StubAT]:
    with StubAT() as stub:
        yield stub


def states(url: str) -> dict[str, str]:
    """Return the state of every order by its key."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.connect() as connection:
        return dict(connection.execute(select(Invocation.idempotency_key, Invocation.state)).all())  # type: ignore[arg-type]


def let_time_pass(url: str) -> None:
    """Make every order older than any call takes."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(update(Invocation).values(called_at=datetime.now(UTC) - timedelta(hours=1)))


def misbehave(handler: Handler, body: bytes) -> None:
    """Fail a quarter of the orders, each by its number: after the order was taken, as the worst faults do."""
    number = int(handler.headers["Idempotency-Key"].rpartition("-")[2])
    fault = {0: stub_at.hang, 1: stub_at.hang, 2: stub_at.reset, 3: stub_at.status(500), 4: stub_at.status(200, b"<html>")}.get(number % 20)
    if fault:
        fault(handler, body)
    else:
        time.sleep(0.02)
        handler.reply(201, body)


def test_no_order_is_sent_twice_whatever_is_killed(tmp_path: Path, kept_in: str, at: StubAT) -> None:
    at.fault = misbehave
    web = Web(tmp_path, kept_in, AT_BASE_URL=at.url, AT_TIMEOUT_S="0.5", RATELIMIT_ENABLED="0")
    web.migrate()
    told: dict[str, set[str]] = {}
    waiting = iter(range(ORDERS))
    lock = threading.Lock()

    def client() -> None:
        while True:
            with lock:
                number = next(waiting, None)
            if number is None:
                return
            told[f"order-no-{number}"] = set(ask_until_told(number))

    def ask_until_told(number: int) -> Iterator[str]:
        """Ask as a client that saw a broken connection does: again, with the same key."""
        asked = {"phone": f"+2547110000{number % 100:02}", "amount": "10", "idempotencyKey": f"order-no-{number}"}
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            try:
                answer = requests.get(web.url + AIRTIME, params=asked, timeout=10)
            except requests.RequestException:
                time.sleep(0.05)
                continue
            if answer.status_code in (200, 202):
                yield answer.json()["invocation"]["state"]
                return
            assert answer.status_code in (409, 503), answer.text
            yield "under way" if answer.status_code == 409 else "not placed"
            if answer.status_code == 409:  # the process that called was killed: it is pending until it is too old
                return
            time.sleep(0.1)

    with web:
        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        kills, ends = 0, time.monotonic() + 120
        while any(thread.is_alive() for thread in threads) and time.monotonic() < ends:
            time.sleep(random.uniform(0.4, 0.9))
            if workers := children_of(web.process.pid):
                os.kill(random.choice(workers), signal.SIGKILL)
                kills += 1
        for thread in threads:
            thread.join()
        wait_until(web.answers, 20, "the start of the last worker")
        left_open = [key for key, state in states(kept_in).items() if state == "pending"]
        let_time_pass(kept_in)
        for key in left_open:
            number = int(key.rpartition("-")[2])
            asked = {"phone": f"+2547110000{number % 100:02}", "amount": "10", "idempotencyKey": key}
            answer = requests.get(web.url + AIRTIME, params=asked, timeout=10)
            assert (answer.status_code, answer.json()["invocation"]["state"], answer.json()["repeated"]) == (202, "unknown", True)
    executed = Counter(seen.headers["Idempotency-Key"] for seen in at.calls())
    assert kills >= LEAST_KILLS
    assert max(executed.values()) == 1
    kept = states(kept_in)
    # Whatever left for Africa's Talking has a row, and what is told to be accepted was taken.
    assert set(executed) <= set(kept)
    assert {key for key, state in kept.items() if state == "accepted"} <= set(executed)
    assert set(kept.values()) == {"accepted", "unknown"}
    faulty = {f"order-no-{number}" for number in range(ORDERS) if number % 20 < 5}
    assert not [key for key in faulty if kept.get(key) == "accepted"]
    answered = {key for key, seen in told.items() if "accepted" in seen}
    assert answered <= {key for key, state in kept.items() if state == "accepted"}
    assert len(answered) > ORDERS // 2


def test_fifty_orders_at_once_never_pass_a_cap(tmp_path: Path, kept_in: str, at: StubAT) -> None:
    web = Web(tmp_path, kept_in, AT_BASE_URL=at.url, SPEND_CAP_DAILY="205", RATELIMIT_ENABLED="0")
    web.migrate()
    with web, ThreadPoolExecutor(50) as threads:
        answers = list(
            threads.map(lambda n: requests.get(f"{web.url}{AIRTIME}?phone=2547110000{n:02}&amount=10", timeout=30).status_code, range(50))
        )
    assert sorted(answers) == [200] * 20 + [429] * 30
    assert len(at.calls()) == 20


def test_eight_at_once_with_one_key_are_one_call_across_processes(tmp_path: Path, kept_in: str, at: StubAT) -> None:
    web = Web(tmp_path, kept_in, AT_BASE_URL=at.url, AT_TIMEOUT_S="30")
    web.migrate()
    url = f"{AIRTIME}?phone=254711000000&amount=10&idempotencyKey=order-1042"
    with web:
        answers = at_once(at, lambda: requests.get(web.url + url, timeout=40).status_code)
    assert sorted(answers) == [200] + [409] * 7
    assert len(at.calls()) == 1


def abuses(count: int) -> Iterator[dict[str, Any]]:
    """Give requests as strangers, previews, browsers and attackers make them, none with the token."""
    agents = [
        "WhatsApp/2.23",
        "facebookexternalhit/1.1",
        "Slackbot 1.0",
        "Mozilla/5.0 (X11; Linux) Firefox/130",
        "curl/8.0",
        "python-requests/2",
    ]
    for number in range(count):
        headers = {"User-Agent": agents[number % len(agents)], "X-Forwarded-For": f"127.0.0.{number}", "X-Real-IP": "127.0.0.1"}
        headers |= [
            {},
            {"Sec-Purpose": "prefetch"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Authorization": "Bearer " + "x" * 32},
            {"Host": "localhost"},
        ][number % 5]
        yield {
            "method": ["GET", "POST", "HEAD", "GET", "PUT"][number % 5],
            "headers": headers,
            "query": ["", "&token=guess", "&token=", "&token[]=a", "&again=1&force=1"][number % 5],
        }


def test_a_hundred_abuses_of_each_address_send_nothing_in_live_mode(tmp_path: Path, at: StubAT) -> None:
    web = Web(tmp_path, f"sqlite:///{tmp_path / 'live.db'}", AT_BASE_URL=at.url, LOG_FORMAT="json", **LIVE)
    web.migrate()
    with web:
        for url in URLS:
            for abuse in abuses(100):
                answer = requests.request(abuse["method"], web.url + url + abuse["query"], headers=abuse["headers"], timeout=10)
                assert answer.status_code in (400, 403, 405, 429)
        assert at.seen == []
        refused = {requests.get(web.url + URLS[0] + "&token=guess", timeout=10).status_code for _ in range(15)}
        assert 429 in refused
        for url in URLS:
            assert requests.get(f"{web.url}{url}&token={'i' * 32}", timeout=10).status_code == 200
        assert len(at.seen) == 6
    log = web.log.read_text()
    for secret in (LIVE["AT_API_KEY"], "i" * 32, "c" * 24, "254711000000", "guess", "Traceback"):
        assert secret not in log
    assert log.count('"outcome": "accepted"') == 6


def test_an_unreachable_host_is_told_within_the_deadline(tmp_path: Path) -> None:
    web = Web(tmp_path, f"sqlite:///{tmp_path / 'lost.db'}", EMULATOR_URL="http://127.0.0.1:1")
    web.migrate()
    with web:
        answer = requests.get(web.url + URLS[0], timeout=10)
    assert (answer.status_code, answer.json()["invocation"]["state"]) == (503, "refused")
    assert answer.json()["error"].startswith(
        "Nothing is listening at http://127.0.0.1:1: nothing was sent. Start the emulator with make run"
    )


def test_a_database_that_stops_sends_nothing_and_hides_nothing(tmp_path: Path, own_postgres: OwnPostgres, at: StubAT) -> None:
    web = Web(tmp_path, own_postgres.url, AT_BASE_URL=at.url, AT_TIMEOUT_S="30", RATELIMIT_ENABLED="0")
    web.migrate()
    url = f"{web.url}{AIRTIME}?phone=254711000000&amount=10&idempotencyKey=order-"

    def stop_meanwhile(handler: Handler, body: bytes) -> None:
        own_postgres.stop()
        handler.reply(201, body)

    with web:
        at.fault = stop_meanwhile
        told = requests.get(url + "under-way", timeout=40)
        at.fault = None
        # It was sent: whoever asked hears how it ended, although nobody could write it down.
        assert (told.status_code, told.json()["invocation"]["state"], told.json()["kept"]) == (200, "accepted", False)
        for _ in range(3):
            refused = requests.get(url + "never-sent", timeout=40)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert len(at.calls()) == 1
        own_postgres.start()
        wait_until(web.is_ready, 20, "the return of the database")
        assert requests.get(url + "under-way", timeout=40).status_code == 409
        let_time_pass(own_postgres.url)
        again = requests.get(url + "under-way", timeout=40)
        assert (again.status_code, again.json()["invocation"]["state"]) == (202, "unknown")
        assert len(at.calls()) == 1
        assert requests.get(url + "never-sent", timeout=40).status_code == 200
