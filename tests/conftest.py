"""What every test may use: an application on each database, and rows as they were committed."""

import gc
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask_migrate import upgrade
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import URL, Engine, create_engine, inspect, make_url, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from app import create_app
from app.extensions import db
from app.settings import Settings
from tests.stub_at import StubAT

SERVER = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
# Where services are required, one that is missing fails the run instead of being skipped.
REQUIRED = os.environ.get("REQUIRE_SERVICES") == "1"


@pytest.fixture(scope="session", autouse=True)
def routes_are_compiled_once() -> Iterator[None]:
    """Each test makes applications with the same hundred routes: half of its time went to werkzeug compiling them again."""
    usual, made = Rule.compile, {}

    def compile_once(rule: Rule) -> None:
        key = (rule.rule, rule.subdomain, rule.host, rule.merge_slashes, tuple(sorted(rule.defaults or {})))
        if key not in made:
            usual(rule)
            made[key] = (rule._parts, rule._trace, rule._converters, rule.arguments, rule._build.__func__, rule._build_unknown.__func__)
        rule._parts, rule._trace, rule._converters, rule.arguments, build, build_unknown = made[key]
        rule._build, rule._build_unknown = build.__get__(rule), build_unknown.__get__(rule)

    Rule.compile = compile_once
    yield
    Rule.compile = usual


@pytest.fixture(scope="session", autouse=True)
def statements_are_compiled_once() -> Iterator[None]:
    """Each test's engine is new, and so are its dialect and its cache of statements: a sixth of all time went to SQLAlchemy compiling
    the same SQL again. Two dialects of one class, which all speak to one server, are the same key here, and one cache serves all."""
    dialects, compiled = (SQLiteDialect_pysqlite, PGDialect_psycopg), LRUCache(20_000)
    Engine._compiled_cache = property(lambda _engine: compiled, lambda _engine, _own: None)
    for dialect in dialects:
        dialect.__eq__, dialect.__hash__ = lambda one, other: type(one) is type(other), lambda one: hash(type(one))
    yield
    del Engine._compiled_cache
    for dialect in dialects:
        del dialect.__eq__, dialect.__hash__


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end, and so does much of what tests make: the collector looks at it rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def missing(what: str) -> None:
    """Skip a test for want of a service; fail where all are required."""
    (pytest.fail if REQUIRED else pytest.skip)(what)


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """A database of our own on the local PostgreSQL, dropped at the end."""
    name = f"pokea_test_{os.getpid()}"
    try:
        server = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        missing(f"no PostgreSQL: {error}")
    server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    server.execute(f"CREATE DATABASE {name}")
    url = SERVER.rpartition("/")[0] + f"/{name}"
    migrate_to_head(url)
    yield url.replace("postgresql://", "postgresql+psycopg://")
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty file to copy."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    migrate_to_head(f"sqlite:///{path}")
    return path


def migrate_to_head(url: str) -> None:
    """Run every migration on a database."""
    app = create_app(Settings(database_url=url.replace("postgresql://", "postgresql+psycopg://"), secret_key="test"))
    with app.app_context():
        upgrade()
        db.engine.dispose()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A file of this test's own."""
    shutil.copy(sqlite_template, tmp_path / "pokea.db")
    return f"sqlite:///{tmp_path / 'pokea.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, of each sort in turn."""
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_url")
    url = request.getfixturevalue("postgres_database")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        # Faster than TRUNCATE, which makes new files.
        connection.execute("; ".join(f"DELETE FROM {table.name}" for table in reversed(db.metadata.sorted_tables)))
    return url


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Templates as they were compiled for the first application: most of a page's time goes there otherwise."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def make_app(database_url: str, tmp_path: Path, compiled_templates: FileSystemBytecodeCache) -> Iterator[Callable[..., Flask]]:
    """Make applications on this test's database, with other settings than the defaults."""
    made = []

    def make(**settings: Any) -> Flask:
        base = Settings(database_url=database_url, secret_key="test", instance_dir=tmp_path)
        app = create_app(replace(base, **settings) if settings.get("at_mode") is None else Settings(**{**as_given(base), **settings}))
        app.config["TESTING"] = True
        app.jinja_env.bytecode_cache = compiled_templates
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["pokea.commits"].close()
        with app.app_context():
            db.engine.dispose()


def as_given(settings: Settings) -> dict[str, Any]:
    """Return what a test fixed, without what follows from the mode."""
    return {"database_url": settings.database_url, "secret_key": settings.secret_key, "instance_dir": settings.instance_dir}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An application with the default settings."""
    return make_app()


@pytest.fixture
def at() -> Iterator[StubAT]:
    """A stand-in for Africa's Talking, listening."""
    with StubAT() as stub:
        yield stub


@pytest.fixture
def sending(make_app: Callable[..., Flask], at: StubAT) -> Callable[..., Flask]:
    """Make applications whose calls reach the stand-in."""

    def make(**settings: Any) -> Flask:
        return make_app(**{"at_base_url": at.url, "at_timeout_s": 0.6, "ratelimit_enabled": False, **settings})

    return make


@pytest.fixture(scope="session")
def readers() -> Iterator[Callable[[str], Engine]]:
    """Give one engine to each sort of database, which compiles what tests ask only once, and knows whose turn it is."""
    urls: dict[str, URL] = {}

    def connect_to(sort: str) -> Callable[[], Any]:
        return lambda: sqlite3.connect(urls[sort].database) if sort == "sqlite" else psycopg.connect(urls[sort].render_as_string(False))

    engines: dict[str, Engine] = {}

    def reader(url: str) -> Engine:
        parsed = make_url(url)
        sort = parsed.get_backend_name()
        urls[sort] = parsed.set(drivername=sort)
        if sort not in engines:
            engines[sort] = create_engine(parsed, creator=connect_to(sort), poolclass=NullPool)
        return engines[sort]

    yield reader
    for engine in engines.values():
        engine.dispose()


@pytest.fixture
def stored(database_url: str, readers: Callable[[str], Engine]) -> Callable[[type], list[Any]]:
    """Read committed rows, oldest first, over a connection that no application knows."""
    engine = readers(database_url)

    def read(model: type) -> list[Any]:
        with Session(engine) as session:
            rows = list(session.scalars(select(model).order_by(*inspect(model).primary_key)))
            session.expunge_all()
            return rows

    return read
