"""What pages cost: callbacks while many pages are open and ask what is new, and long lists page by page."""

import contextlib
import random
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from sqlalchemy import create_engine, insert, select, text
from ulid import ULID

from app.models import Callback
from bench.load import Variant
from bench.servers import TOKEN, migrate, running
from bench.webhooks import Figure, Postgres

PAGES_OPEN, NEW_EVERY_S, PULSE_EVERY_S = 40, 2.0, 3.0
ROWS, TOGETHER, LOOKS = 1_000_000, 10_000, 20
ASKS, MOST_LINES = {"HX-Request": "true", "Accept-Encoding": "gzip"}, 100
_FROM, _PLACES = re.compile(r'data-from="(\w+)"'), re.compile(r'<tr id="[a-z]+_(\w+)"')
BODY = {"id": "ATXid_first", "status": "Success", "phoneNumber": "+254711000017", "networkCode": "63902", "retryCount": "0"}


def measure(rounds: int, seconds: int, postgres: Postgres, rows: int = ROWS) -> list[Figure]:
    """Return what was measured, what it came to, and its goal."""
    with tempfile.TemporaryDirectory() as name:
        return [*_watched(rounds, seconds, Path(name)), *_long(rows, Path(name), postgres)]


def _watched(rounds: int, seconds: int, folder: Path) -> Iterator[Figure]:
    with ExitStack() as stack:
        urls = {}
        for name in ("alone", "watched"):
            database = f"sqlite:///{folder / name}.db"
            migrate(database)
            urls[name] = stack.enter_context(running("wsgi:app", folder, database))
        kept = {name: Variant(name, url) for name, url in urls.items()}
        dialled = {name: Variant(name, url, kind="ussd") for name, url in urls.items()}
        for number in range(rounds):
            for name, url in urls.items():
                with _pages_open(url) if name == "watched" else contextlib.nullcontext():
                    kept[name].measure(seconds, number)
                    dialled[name].measure(seconds, number)
    ratios = [kept["watched"].rate(number) / kept["alone"].rate(number) for number in range(rounds)]
    yield f"callbacks kept, {PAGES_OPEN} pages open / none", median(ratios), "0.9"
    yield f"USSD p95 at full load, {PAGES_OPEN} pages open, ms", median(one["p95"] for one in dialled["watched"].rounds), "under 100"


@contextlib.contextmanager
def _pages_open(url: str) -> Iterator[None]:
    """Keep pages open as browsers do: each asks every other second what is new, and now and then how things are.

    Each was opened at a time of its own, and all are open before what they cost is measured.
    """
    closed, opened = threading.Event(), [threading.Event() for _ in range(PAGES_OPEN)]
    with ThreadPoolExecutor(PAGES_OPEN) as pool:
        pages = [pool.submit(_page, url, closed, place, one) for place, one in enumerate(opened)]
        try:
            if not all(one.wait(60) for one in opened):
                raise SystemExit("A page did not open in a minute.")
            yield
        finally:
            closed.set()
        for page in pages:
            page.result()


def _page(url: str, closed: threading.Event, place: int, opened: threading.Event) -> None:
    closed.wait(random.Random(place).uniform(0, NEW_EVERY_S))
    # What pages themselves cost is no part of what is measured, but shares the machine with it: the plainest client that there is.
    with urllib3.connection_from_url(url, timeout=10, headers=ASKS) as pool:
        while not closed.is_set():
            _look(pool, closed, opened)


def _look(pool: urllib3.HTTPConnectionPool, closed: threading.Event, opened: threading.Event) -> None:
    """Open the first page, and ask what is new as its script does, until it is closed or to be loaded anew."""
    whole = pool.request("GET", "/dashboard").data.decode()
    since, known, pulse_at = _FROM.findall(whole)[0], _PLACES.findall(whole), time.monotonic()
    opened.set()
    while not closed.wait(NEW_EVERY_S):
        tails = ".".join(one[-8:] for one in known[:MOST_LINES] if one > since)
        asked = {"from": since, "oldest": known[MOST_LINES - 1] if len(known) >= MOST_LINES else "", "have": tails}
        answer = pool.request("GET", f"/dashboard/new?{urlencode(asked)}")
        if "HX-Refresh" in answer.headers:
            return
        if answer.status not in (200, 204):
            raise SystemExit(f"A page was answered {answer.status}: {answer.data[:200]!r}")
        since, known = answer.headers["X-From"], sorted({*known, *_PLACES.findall(answer.data.decode())}, reverse=True)[: 2 * MOST_LINES]
        if time.monotonic() - pulse_at > PULSE_EVERY_S:
            pulse_at = time.monotonic()
            pool.request("GET", "/dashboard/pulse")


def _long(rows: int, folder: Path, postgres: Postgres) -> Iterator[Figure]:
    with postgres() as database:
        for name, url in (("SQLite", f"sqlite:///{folder / 'long.db'}"), ("PostgreSQL", database)):
            if not url:
                continue
            migrate(url)
            with running("wsgi:app", folder, url) as address:
                ids = _filled(address, url, rows)
                for what, path in _paths(ids).items():
                    yield f"{what} of {rows:,} callbacks, {name}, p95 ms", _p95_ms(address + path), "under 200"


def _paths(ids: list[str]) -> dict[str, str]:
    deep = ids[len(ids) // 10].partition("_")[2]
    return {
        "first page": "/dashboard", "deep page": f"/dashboard?after={deep}", "one number": "/dashboard?phone=%2B254711000033",
        "a kind that is rare": "/dashboard?kind=sms.opt_out", "a text that is rare": "/dashboard?q=nowhere",
        "needs a look": "/dashboard?looks=1", "one callback": f"/dashboard/callbacks/{ids[len(ids) // 2]}",
        "what is new": f"/dashboard/new?from={ids[-40].partition('_')[2]}", "setup": "/setup", "people": "/dashboard/people",
        "one person": "/dashboard/people/%2B254711000033", "sessions": "/dashboard/sessions", "messages": "/dashboard/messages",
    }  # fmt: skip


def _filled(address: str, url: str, rows: int) -> list[str]:
    """Post one callback, keep as many copies of it as were asked for, each with an id and number of its own, and return their ids."""
    requests.post(f"{address}/api/sms/delivery-reports?token={TOKEN}", data=BODY, timeout=10).raise_for_status()
    engine = create_engine(url)
    began, ids = datetime.now(UTC) - timedelta(days=6), []
    with engine.begin() as connection:
        first = dict(connection.execute(select(Callback.__table__)).one()._mapping)
    for start in range(0, rows, TOGETHER):
        copies = [_copy(first, began + timedelta(seconds=0.5 * number), number) for number in range(start, min(rows, start + TOGETHER))]
        with engine.begin() as connection:
            connection.execute(insert(Callback.__table__), copies)
        ids += [copy["id"] for copy in copies]
    with engine.begin() as connection:
        # As the database does by itself where rows come one by one.
        connection.execute(text("ANALYZE callbacks"))
    engine.dispose()
    return ids


def _copy(first: dict[str, Any], at: datetime, number: int) -> dict[str, Any]:
    own = {"id": f"cb_{ULID.from_datetime(at)}", "received_at": at, "slot": None, "reference": f"ATXid_{number}", "due_at": None}
    return first | own | {"phone": f"+2547110000{number % 100:02}"}


def _p95_ms(url: str) -> float:
    took = []
    with requests.Session() as session:
        for _ in range(LOOKS + 1):
            began = time.monotonic()
            session.get(url, timeout=30).raise_for_status()
            took.append(1000 * (time.monotonic() - began))
    # The first finds everything cold.
    return quantiles(took[1:], n=20)[-1]
