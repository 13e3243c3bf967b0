"""What webhooks cost and how soon they come: a worker that sends, an idle system, and receivers that fail.

Every process runs as a user's would; the receiver (bench/receiver.py) is one of its own and tells when each webhook came.
"""

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from statistics import median, quantiles

import requests
from sqlalchemy import create_engine, insert

from bench.receiver import HANGS, REFUSES, Receiver, receiving
from bench.servers import ROOT, TOKEN, migrate

KIND, PATH = "sms.delivery_report", "/api/sms/delivery-reports"
# One turn of each way of sending
DELIVERIES = 2000
IDLE = 60
# The load while receivers fail: callers, and callbacks a second of all of them
CALLERS, PER_S, TURN_S, GOOD = 4, 60, 4.0, 5
RABBIT, REDIS = "amqp://guest:guest@127.0.0.1:5672", "redis://127.0.0.1:6379/8"
PATIENCE_S = 30.0
# What does not end by then is killed: rows are the truth.
STOP_S = 4.0

# Gives the address of an empty database, or "" where there is no PostgreSQL.
Postgres = Callable[[], AbstractContextManager[str]]
Figure = tuple[str, float, str]


def measure(rounds: int, postgres: Postgres) -> list[Figure]:
    """Return what was measured, what it came to, and its goal."""
    with tempfile.TemporaryDirectory() as name:
        return [*_sent(rounds, Path(name), postgres), *_idle(Path(name), postgres), *_disturbed(rounds, Path(name))]


def _sent(rounds: int, folder: Path, postgres: Postgres) -> Iterator[Figure]:
    with ExitStack() as stack:
        databases = {"SQLite": f"sqlite:///{folder / 'sent.db'}", "PostgreSQL": stack.enter_context(postgres())}
        apps = {name: App(folder, url) for name, url in databases.items() if url}
        receiver = stack.enter_context(receiving())
        for app in apps.values():
            app.migrate()
        ratios: dict[str, list[float]] = {name: [] for name in apps}
        for number in range(rounds):
            bare = _bare_rate(receiver, f"/bare/{number}")
            for name, app in apps.items():
                ratios[name].append(_worker_rate(app, receiver, f"/{name}/{number}") / bare)
    for name, found in ratios.items():
        yield f"webhooks by one worker, {name} / a pooled session's bare loop", median(found), "0.5"


def _idle(folder: Path, postgres: Postgres) -> Iterator[Figure]:
    what = "callback kept -> webhook received, idle, p50 ms"
    with postgres() as database, receiving() as receiver:
        lite = App(folder, f"sqlite:///{folder / 'idle.db'}")
        lite.migrate()
        lite.add_endpoint(f"{receiver.url}/idle")
        yield f"{what}, SQLite", _idle_ms(lite, receiver), "under 150"
        if not database:
            return
        App(folder, database).migrate()
        App(folder, database).add_endpoint(f"{receiver.url}/idle")
        brokers: dict[str, AbstractContextManager[str | None]] = {"": nullcontext(""), ", RabbitMQ": _rabbit(), ", Redis": _redis()}
        for name, broker in brokers.items():
            with broker as url:
                if url is not None:
                    found = _idle_ms(App(folder, database, url), receiver)
                    yield f"{what}, PostgreSQL{name}", found, "under 30" if url else "under 150"


def _disturbed(rounds: int, folder: Path) -> list[Figure]:
    """Load an app without receivers, one with two that fail, and one with those and some good ones, in turn."""
    with ExitStack() as stack:
        apps = {name: App(folder, f"sqlite:///{folder / name}.db") for name in ("alone", "failing", "mixed")}
        for app in apps.values():
            app.migrate()
        urls = {name: stack.enter_context(app.running()) for name, app in apps.items()}
        # The last to start is the first to end: then no delivery hangs while its worker ends.
        receiver = stack.enter_context(receiving())
        good = [f"/good/{number}" for number in range(GOOD)]
        for name, paths in (("failing", (HANGS, REFUSES)), ("mixed", (HANGS, REFUSES, *good))):
            for path in paths:
                apps[name].add_endpoint(receiver.url + path)
        for url in urls.values():
            _load(url, 1.0)
        ratios: dict[str, list[float]] = {"failing": [], "mixed": []}
        waits = []
        for number in range(rounds):
            turns = {name: _load(urls[name], TURN_S) for name in (list(urls) if number % 2 else reversed(urls))}
            p95 = {name: _p95(took for took, _ in turn.values()) for name, turn in turns.items()}
            for name, found in ratios.items():
                found.append(p95[name] / p95["alone"])
            waits.append(_p95(_waits(apps["mixed"], receiver, good, {name: at for name, (_, at) in turns["mixed"].items()})))
    return [
        ("callbacks' p95, a receiver hanging and one refusing / none", median(ratios["failing"]), "under 1.2"),
        (f"the same and {GOOD} good receivers / none", median(ratios["mixed"]), "none set"),
        ("good receivers' p95 meanwhile, kept -> received, s", max(waits), "under 2"),
    ]


@dataclass(frozen=True)
class App:
    """A web process and a worker on one database."""

    folder: Path
    database: str
    broker: str = ""

    def migrate(self) -> None:
        """Bring the database to the newest migration."""
        migrate(self.database)

    @contextmanager
    def running(self) -> Iterator[str]:
        """Run both, and give the web process's address."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            bind = f"127.0.0.1:{free.getsockname()[1]}"
        with self._process("gunicorn", "--bind", bind, "wsgi:app") as web, self.working():
            ends = time.monotonic() + PATIENCE_S
            while not _answers(f"http://{bind}/healthz"):
                if web.poll() is not None or time.monotonic() > ends:
                    raise SystemExit(f"gunicorn did not start.\n{self.last_lines()}")
                time.sleep(0.1)
            yield f"http://{bind}"

    def working(self) -> AbstractContextManager:
        """Run a worker."""
        return self._process("flask", "--app", "wsgi", "worker")

    @contextmanager
    def _process(self, *words: str) -> Iterator[subprocess.Popen]:
        environment = {**os.environ, "DATABASE_URL": self.database, "BROKER_URL": self.broker, "CALLBACK_TOKEN": TOKEN,
            "SECRET_KEY": "bench", "AT_MODE": "emulator", "WEBHOOKS_ALLOW_PRIVATE": "1", "RATELIMIT_ENABLED": "0"}  # fmt: skip
        with (self.folder / f"{words[0]}-{token_hex(4)}.log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=environment, stdout=log, stderr=log)
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(timeout=STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def last_lines(self) -> str:
        """Return what the processes logged last."""
        return "\n".join(path.read_text(errors="replace")[-1500:] for path in self.folder.glob("*.log"))

    def add_endpoint(self, url: str, events: int = 0) -> None:
        """Register a receiver, and so many deliveries that wait for it."""
        from app.models import Endpoint, Event
        from services.webhooks.events import deliver

        now, endpoint_id = datetime.now(UTC), f"webhook_{token_hex(13)}"
        row = {"id": endpoint_id, "url": url, "events": [KIND], "format": "json", "secret": "whsec_" + "QUJD" * 8, "is_active": True}
        engine = create_engine(self.database)
        with engine.begin() as connection:
            connection.execute(insert(Endpoint), row | {"created_at": now})
            rows = [{"id": f"evt_{token_hex(13)}", "name": KIND, "data": _data(), "created_at": now} for _ in range(events)]
            for event in rows:
                deliver(connection, str(event["id"]), KIND, None, now, endpoints=[endpoint_id])
            if rows:
                connection.execute(insert(Event), rows)
        engine.dispose()


def _data() -> dict:
    fields = {
        "id": f"ATXid_{token_hex(16)}",
        "status": "Success",
        "phoneNumber": "+254711000017",
        "networkCode": "63902",
        "retryCount": "0",
    }
    return {"callbackId": f"cb_{token_hex(13)}", "kind": KIND, "state": "accepted", "phoneNumber": "+254711000017", "fields": fields}


def _worker_rate(app: App, receiver: Receiver, path: str) -> float:
    app.add_endpoint(receiver.url + path, DELIVERIES)
    with app.working():
        receiver.wait_for(path, DELIVERIES, PATIENCE_S, app.last_lines)
    return _rate(receiver, path)


def _bare_rate(receiver: Receiver, path: str) -> float:
    from app.models import Event
    from services.webhooks.webhook_body import JSON_TYPE, body_of, told_event

    events = (Event(name=KIND, data=_data(), created_at=datetime.now(UTC)) for _ in range(DELIVERIES))
    bodies = [body_of(told_event(event)) for event in events]
    with requests.Session() as session:
        for body in bodies:
            session.post(receiver.url + path, data=body, headers={"Content-Type": JSON_TYPE})
    return _rate(receiver, path)


def _rate(receiver: Receiver, path: str) -> float:
    times = [at for _, at in receiver.came(path)]
    return (len(times) - 1) / (times[-1] - times[0])


def _idle_ms(app: App, receiver: Receiver) -> float:
    with app.running() as url, requests.Session() as session:
        name, _, at = _post(session, url)
        _waits(app, receiver, ["/idle"], {name: at})
        answered = {}
        for _ in range(IDLE):
            # Not in step with a worker that looks at fixed times
            time.sleep(random.uniform(0.075, 0.125))
            name, _, at = _post(session, url)
            answered[name] = at
        return median(_waits(app, receiver, ["/idle"], answered)) * 1000


def _load(url: str, seconds: float) -> dict[str, tuple[float, float]]:
    """Post callbacks at a fixed pace; return of each, by its id, the seconds from its turn to its answer, and when that came."""
    began, count = time.time(), round(seconds * PER_S / CALLERS)

    def call(number: int) -> list[tuple[str, float, float]]:
        posted = []
        with requests.Session() as session:
            for turn in range(count):
                due_at = began + (turn * CALLERS + number) / PER_S
                time.sleep(max(0.0, due_at - time.time()))
                posted.append(_post(session, url, due_at))
        return posted

    with ThreadPoolExecutor(CALLERS) as pool:
        return {name: (took, at) for posted in pool.map(call, range(CALLERS)) for name, took, at in posted}


def _post(session: requests.Session, url: str, due_at: float | None = None) -> tuple[str, float, float]:
    began, fields = due_at or time.time(), _data()["fields"]
    answer = session.post(f"{url}{PATH}?token={TOKEN}", data=fields, headers={"User-Agent": "at-ussd-api/1.0"}, timeout=PATIENCE_S)
    ended = time.time()
    if answer.status_code != 200:
        raise SystemExit(f"A callback was answered {answer.status_code}: {answer.text[:200]}")
    return fields["id"], ended - began, ended


def _waits(app: App, receiver: Receiver, paths: list[str], answered: dict[str, float]) -> list[float]:
    """Return the seconds from each answer to each receiver's webhook, once all have come."""
    waits = []
    for path in paths:
        ends = time.monotonic() + PATIENCE_S
        while missing := answered.keys() - (came := dict(receiver.came(path))).keys():
            if time.monotonic() > ends:
                raise SystemExit(f"{len(missing)} of {len(answered)} webhooks did not come to {path}.\n{app.last_lines()}")
            time.sleep(0.1)
        waits += [came[name] - at for name, at in answered.items()]
    return waits


def _p95(values: Iterable[float]) -> float:
    return quantiles(values, n=20)[-1]


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


@contextmanager
def _rabbit() -> Iterator[str | None]:
    """Give the address of a part of RabbitMQ of our own; None where there is none that we may make one in."""
    name = f"pokea_bench_{os.getpid()}"
    try:
        _rabbitmqctl("add_vhost", name)
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"RabbitMQ is left out: {type(error).__name__}\n")
        yield None
        return
    try:
        _rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        yield f"{RABBIT}/{name}"
    finally:
        _rabbitmqctl("delete_vhost", name)


def _rabbitmqctl(*words: str) -> None:
    subprocess.run(["rabbitmqctl", "--quiet", *words], check=True, capture_output=True, timeout=30)


@contextmanager
def _redis() -> Iterator[str | None]:
    """Give the address of a database of Redis; None where there is no Redis, or where somebody uses that database."""
    from redis import Redis, RedisError

    with Redis.from_url(REDIS, socket_timeout=3) as redis:
        try:
            count = redis.dbsize()
        except RedisError as error:
            sys.stderr.write(f"Redis is left out: {type(error).__name__}\n")
            yield None
            return
        if count:
            sys.stderr.write(f"Redis is left out: {REDIS} is not empty\n")
            yield None
            return
        try:
            yield REDIS
        finally:
            redis.flushdb()
