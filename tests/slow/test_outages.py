"""The database stopped, frozen, locked, full or read-only: people on the line are answered, others are asked to come again."""

import contextlib
import json
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest
import requests

from app.schemas.callbacks import KINDS
from tests.conftest import missing
from tests.running import OwnPostgres, Web, wait_until
from tests.samples import PATHS, encoded

pytestmark = pytest.mark.slow


def post(web: Web, kind: str, timeout_s: float = 10, **changes: object) -> tuple[requests.Response, float]:
    body, content_type = encoded(kind, KINDS[kind].sample | changes)
    began = time.monotonic()
    answer = requests.post(web.url + PATHS[kind], data=body, headers={"Content-Type": content_type}, timeout=timeout_s)
    return answer, time.monotonic() - began


def all_answer_as_they_should(web: Web, rounds: int = 3) -> None:
    """Post every kind several times at once, while nothing can be kept."""
    with ThreadPoolExecutor(24) as threads:
        asked = [(kind, threads.submit(post, web, kind, marker=f"{turn}")) for turn in range(rounds) for kind in KINDS]
        for kind, one in asked:
            answer, took_s = one.result()
            if not KINDS[kind].is_interactive:
                assert (answer.status_code, "Retry-After" in answer.headers) == (503, True), kind
                assert took_s < 7, kind
                continue
            assert took_s < 3, (kind, took_s)
            assert answer.status_code == 200
            if kind == "ussd.session":
                assert answer.text.startswith("CON What would you want to check")
            elif kind == "voice.instructions":
                assert ElementTree.fromstring(answer.text).find("Say") is not None
            else:
                assert answer.json() == {"status": "Failed"}


def all_are_kept_again(web: Web, within_s: float = 10) -> None:
    wait_until(lambda: post(web, "sms.opt_out", marker="back")[0].text == "OK", within_s, "the database's return")
    for kind in KINDS:
        assert post(web, kind, marker="after")[0].status_code == 200, kind


def test_postgresql_stopped_and_started(tmp_path: Path, own_postgres: OwnPostgres) -> None:
    web = Web(tmp_path, own_postgres.url)
    web.migrate()
    with web:
        all_are_kept_again(web)
        before = own_postgres.count("SELECT count(*) FROM callbacks")
        own_postgres.stop()
        try:
            all_answer_as_they_should(web)
            assert not web.is_ready()
            assert web.answers()
        finally:
            own_postgres.start()
        all_are_kept_again(web)
        assert own_postgres.count("SELECT count(*) FROM callbacks") > before


def test_postgresql_frozen(tmp_path: Path, own_postgres: OwnPostgres) -> None:
    web = Web(tmp_path, own_postgres.url)
    web.migrate()
    with web:
        all_are_kept_again(web)
        own_postgres.freeze()
        try:
            all_answer_as_they_should(web)
            all_answer_as_they_should(web, rounds=1)
            assert web.answers()
        finally:
            own_postgres.thaw()
        all_are_kept_again(web)


def test_sqlite_locked_by_another_process_for_long(tmp_path: Path) -> None:
    web = Web(tmp_path, f"sqlite:///{tmp_path / 'locked.db'}")
    web.migrate()
    with web, sqlite3.connect(tmp_path / "locked.db", isolation_level=None) as other:
        all_are_kept_again(web)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        while time.monotonic() - began < 12:
            all_answer_as_they_should(web, rounds=1)
        other.execute("ROLLBACK")
        all_are_kept_again(web)
    other.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], check=False, capture_output=True).returncode
    ):
        missing("no right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no free block, and none to the database's log."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return filler


def test_sqlite_with_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    web = Web(tmp_path, f"sqlite:///{small_disk / 'full.db'}")
    web.migrate()
    with web:
        all_are_kept_again(web)
        filler = fill(small_disk)
        acknowledged = []
        # The database's log may have room for some more: those count as kept.
        for number in range(3000):
            answer, _ = post(web, "sms.delivery_report", id=f"full-{number}")
            if answer.status_code == 503:
                break
            acknowledged.append(f"full-{number}")
        assert answer.status_code == 503
        all_answer_as_they_should(web, rounds=1)
        filler.unlink()
        all_are_kept_again(web)
        kept = {json.loads(line)["fields"].get("id") for line in web.flask("callbacks", "export").splitlines()}
        assert set(acknowledged) <= kept


def remount(folder: Path, how: str) -> int:
    return subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=False, capture_output=True).returncode


def test_sqlite_on_a_disk_that_became_read_only(tmp_path: Path, small_disk: Path) -> None:
    web = Web(tmp_path, f"sqlite:///{small_disk / 'ro.db'}")
    web.migrate()
    with web:
        all_are_kept_again(web)
    if remount(small_disk, "ro"):
        missing("no right to remount a disk read-only")
    with web:
        all_answer_as_they_should(web)
        assert remount(small_disk, "rw") == 0
        all_are_kept_again(web)


def test_a_program_that_sleeps_harms_nobody_else(tmp_path: Path) -> None:
    from werkzeug import Response
    from werkzeug.serving import make_server

    release = threading.Event()

    def sleeps(environ: dict, start_response: Callable) -> object:
        release.wait(30)
        return Response("CON late")(environ, start_response)

    program = make_server("127.0.0.1", 0, sleeps, threaded=True)
    serving = threading.Thread(target=program.serve_forever)
    serving.start()
    web = Web(tmp_path, f"sqlite:///{tmp_path / 'slow.db'}", USSD_APP_URL=f"http://127.0.0.1:{program.port}/")
    web.migrate()
    try:
        with web, ThreadPoolExecutor(60) as threads:
            sessions = [threads.submit(post, web, "ussd.session", sessionId=f"s{number}") for number in range(50)]
            plain = []
            while not all(one.done() for one in sessions):
                plain.append(post(web, "sms.delivery_report", id=f"p{len(plain)}"))
            answers = [one.result() for one in sessions]
            assert max(took_s for _, took_s in answers) < 7
            assert {answer.text.startswith("END Sorry") for answer, _ in answers} == {True}
            assert len(plain) > 50
            assert {answer.text for answer, _ in plain} == {"OK"}
            assert sorted(took_s for _, took_s in plain)[len(plain) * 95 // 100] < 0.5
            release.set()
            rows = [
                json.loads(line)
                for line in web.flask("callbacks", "list", "--kind", "ussd.session", "--limit", "50", "--json").splitlines()
            ]
            problems = {row["app"]["problem"] for row in rows[0]}
            assert problems == {"no answer within 6 s", "12 sessions wait for it already"}
    finally:
        release.set()
        program.shutdown()
        serving.join()
        program.server_close()


def test_callers_who_stop_in_the_middle_hold_nobody_up_for_long(tmp_path: Path) -> None:
    web = Web(tmp_path, f"sqlite:///{tmp_path / 'half.db'}")
    web.migrate()
    head = b"POST /api/sms/opt-out HTTP/1.1\r\nHost: a\r\n"
    with web, contextlib.ExitStack() as stack:
        halves = [stack.enter_context(socket.create_connection(("127.0.0.1", web.port))) for _ in range(70)]
        for number, half in enumerate(halves):
            half.sendall(head + (b"X-A: " if number % 2 else b"Content-Length: 50\r\n\r\nsenderId=a"))
        assert post(web, "ussd.session", timeout_s=30)[0].status_code == 200
        halves[0].settimeout(15)
        assert halves[0].recv(100).startswith(b"HTTP/1.1 408 ")


def test_postgresql_is_left_connections_for_others(tmp_path: Path, own_postgres: OwnPostgres) -> None:
    web = Web(tmp_path, own_postgres.url)
    web.migrate()
    with web, psycopg.connect(own_postgres.url) as other, ThreadPoolExecutor(64) as threads:
        for turn in ("new", "differing"):
            other.execute("LOCK TABLE callbacks IN EXCLUSIVE MODE")
            asked = [threads.submit(post, web, "sms.delivery_report", id=f"c{number}", networkCode=turn) for number in range(64)]
            time.sleep(1.5)
            other.rollback()
            assert {one.result()[0].status_code for one in asked} <= {200, 503}
        assert own_postgres.count("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pokea'") <= 64
        assert post(web, "sms.delivery_report", id="after")[0].text == "OK"
