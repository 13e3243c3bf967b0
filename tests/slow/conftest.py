"""Databases for processes, and a browser."""

import os
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import psycopg
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import SERVER, missing
from tests.running import OwnPostgres

# Without these, Chromium looks for hosts on the network.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync"]  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def kept_in(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database for processes, not for this one."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'pokea.db'}"
        return
    name = f"pokea_test_slow_{os.getpid()}"
    try:
        server = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        missing(f"no PostgreSQL: {error}")
    server.execute(f"CREATE DATABASE {name}")
    yield SERVER.rpartition("/")[0] + f"/{name}"
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    """A server of our own, that may be stopped and frozen."""
    server = OwnPostgres()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = which("chromium")
    if not path:
        missing("no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
