"""Databases for processes."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import SERVER, missing
from tests.running import OwnPostgres


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
