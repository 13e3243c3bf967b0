"""A campaign of two thousand while its worker is killed again and again: nobody is called upon twice, and what is unknown is told."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from sqlalchemy import create_engine, select, update
from sqlalchemy.pool import NullPool

from app import create_app
from app.extensions import db
from app.models import CampaignBatch, CampaignRecipient, Invocation, Recipient
from app.settings import Settings
from services import campaigns
from services.settling import GONE
from tests.running import ROOT, Web
from tests.stub_at import Server

pytestmark = pytest.mark.slow
# The long form: CAMPAIGN_TEST_PEOPLE=2000
PEOPLE = int(os.environ.get("CAMPAIGN_TEST_PEOPLE", "400"))
KILLS = PEOPLE // 40
# Each text goes to four people, as one batch where they live in one country.
TEXTS = PEOPLE // 4
# Countries where numbers of the one shape can exist
CODES = (27, 31, 34, 40, 41, 48, 49, 56, 61, 62, 93, 94, 212, 218, 221, 251, 252, 254, 255, 256, 263, 352, 353, 358, 377)


class Counting(BaseHTTPRequestHandler):
    """Africa's Talking that counts who was called upon, and leaves every tenth request without an answer."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    requests: list[list[str]]
    silent: set[int]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        phones = fields["to"][0].split(",")
        with self.lock:
            number = len(self.requests)
            self.requests.append(phones)
            if number % 10 == 9:
                self.silent.add(number)
        if number in self.silent:
            time.sleep(1)
            self.close_connection = True
            return
        time.sleep(0.03)
        entries = [
            {"cost": "KES 0.8000", "messageId": f"ATXid_{phone}", "number": phone, "status": "Success", "statusCode": 101}
            for phone in phones
        ]
        body = json.dumps({"SMSMessageData": {"Message": f"Sent to {len(phones)}/{len(phones)}", "Recipients": entries}}).encode()
        with suppress(OSError):
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


@pytest.fixture
def counting() -> Iterator[tuple[str, type[Counting]]]:
    handler = type("Bound", (Counting,), {"requests": [], "silent": set()})
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()


def changed(url: str, *statements: Any) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)


def end_leases(url: str) -> None:
    """Let the time pass that a killed worker's batches are kept for it."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    changed(url, update(CampaignBatch).where(CampaignBatch.state == "waiting").values(due_at=past, leased_until=None))


def is_over(campaign_id: str) -> bool:
    """Whether nothing is left to send; a campaign that paused because of lost answers goes on."""
    told = campaigns.one(campaign_id)
    if told["state"] == "paused":
        campaigns.resume(campaign_id)
    return told["state"] in ("finished", "unsettled")


def test_nobody_is_called_upon_twice_whatever_is_killed(tmp_path: Path, kept_in: str, counting: tuple[str, type[Counting]]) -> None:
    at_url, at = counting
    web = Web(tmp_path, kept_in, AT_BASE_URL=at_url, AT_TIMEOUT_S="0.5", LOG_FORMAT="json")
    web.migrate()
    app = create_app(
        Settings(database_url=kept_in.replace("postgresql://", "postgresql+psycopg://"), secret_key="test", instance_dir=tmp_path)
    )
    with app.app_context(), workers(web) as start:
        people = [
            {"phone": f"+{CODES[number % len(CODES)]}7110000{number // len(CODES):02}", "group": str(number % TEXTS)}
            for number in range(PEOPLE)
        ]
        wanted = {"name": "All", "channel": "sms", "message": "Hello {group}", "rate": 1000}
        campaign = campaigns.create(campaigns.read_asked(wanted), campaigns.from_list(people))
        campaigns.start(campaign)
        for kill in range(KILLS):
            assert not is_over(campaign), f"it was over after {kill} kills"
            pid, seen, began = start(), len(at.requests), time.monotonic()
            while len(at.requests) < seen + 2 and time.monotonic() < began + 3:
                time.sleep(0.002)
            # In the middle of its work, a little further on each time
            time.sleep(0.004 * (kill % 12))
            os.kill(pid, signal.SIGKILL)
            end_leases(kept_in)
        start()
        ends = time.monotonic() + 60
        while not is_over(campaign) and time.monotonic() < ends:
            let_time_pass(kept_in)
            time.sleep(0.3)
        check(campaign, at)
        db.engine.dispose()


@contextmanager
def workers(web: Web) -> Iterator[Callable[[], int]]:
    """Give a function that starts a worker and returns its process id; the last one is ended."""
    pids = []
    with web.log.open("ab") as log:
        command = [sys.executable, "-m", "tests.slow.workers"]
        nursery = subprocess.Popen(
            command, cwd=ROOT, env=web.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )

    def start() -> int:
        assert nursery.stdin
        assert nursery.stdout
        nursery.stdin.write("start\n")
        nursery.stdin.flush()
        pids.append(int(nursery.stdout.readline()))
        return pids[-1]

    with nursery:
        yield start
        os.kill(pids[-1], signal.SIGKILL)
        nursery.terminate()


def let_time_pass(url: str) -> None:
    """Make orders older than any call takes, but for those that the last worker may be at."""
    gone = datetime.now(UTC) - timedelta(seconds=3)
    old = update(Invocation).where(Invocation.state == "pending", Invocation.called_at < gone)
    changed(url, old.values(called_at=datetime.now(UTC) - timedelta(hours=1)))


def check(campaign: str, at: type[Counting]) -> None:
    told = campaigns.one(campaign)
    assert told["state"] == "unsettled", told
    assert max(Counter(phone for phones in at.requests for phone in phones).values()) == 1
    assert sum(told["totals"][state] for state in ("accepted", "unknown")) == told["totals"]["total"] == PEOPLE
    with db.engine.connect() as connection:
        states = {row.phone: row.state for row in connection.execute(select(CampaignRecipient.phone, CampaignRecipient.state))}
        orders = select(Recipient.phone).join(Invocation, Invocation.id == Recipient.invocation_id)
        gone = set(connection.scalars(orders.where(Invocation.problem == GONE)))
    accepted = {phone for phone, state in states.items() if state == "accepted"}
    called = {phone for phones in at.requests for phone in phones}
    unanswered = {phone for number in at.silent for phone in at.requests[number]}
    assert accepted <= called
    # What is unknown is what got no answer, and what a killed worker was at.
    assert states.keys() - accepted == unanswered | gone
    assert gone
    assert unanswered
    assert len(accepted) > PEOPLE // 2
