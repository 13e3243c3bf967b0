"""Flask's extensions, and writing(), the one way to change the database."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from flask import Flask, current_app
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Connection
from sqlalchemy.orm import DeclarativeBase

from app import sqlite
from app.deadline import within
from app.hot import Prepared
from app.settings import ROOT, Settings


class Base(DeclarativeBase):
    """Parent of all models."""


db = SQLAlchemy(model_class=Base)
migrate = Migrate(directory=str(ROOT / "migrations"), render_as_batch=True)
# As many connections as the web process has threads.
POOL = {"pool_size": 32, "max_overflow": 8, "pool_timeout": 2, "pool_use_lifo": True, "hide_parameters": True}
# On PostgreSQL callbacks have connections of their own (app/postgres.py): 24 + 8 a process, of the server's usual 100.
# Each is tried before use: after a restart of the server those from before it would fail a write each.
POSTGRES_POOL = {"pool_size": 4, "max_overflow": 4, "pool_pre_ping": True}
# Two seconds are the least that libpq takes to connect. A peer that is gone without a word is noticed.
POSTGRES = {"connect_timeout": 2, "application_name": "pokea", "keepalives_idle": 30, "tcp_user_timeout": 5000}
# Seconds that a write may wait where nobody is on the line; who answers a person waits less.
PATIENCE_S = 5.0


def init_app(app: Flask, settings: Settings) -> None:
    """Bind the extensions to one application and prepare its engine."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = POOL if settings.uses_sqlite else POOL | POSTGRES_POOL | {"connect_args": POSTGRES}
    db.init_app(app)
    migrate.init_app(app, db)
    app.extensions["pokea.limits"] = FixedWindowRateLimiter(MemoryStorage())
    with app.app_context():
        engine = db.engine
    if settings.uses_sqlite:
        settings.instance_dir.mkdir(parents=True, exist_ok=True)
        sqlite.prepare(engine)
        turn = app.extensions["pokea.turn"] = sqlite.Turn(settings.database_url)
        app.extensions["pokea.commits"] = sqlite.SharedCommits(engine, turn)
    else:
        from app import postgres  # its driver takes a while to import

        postgres.prepare(engine)
        app.extensions["pokea.turn"] = None
        app.extensions["pokea.commits"] = postgres.OwnCommits(engine, POSTGRES)


@contextmanager
def writing(patience_s: float = PATIENCE_S) -> Iterator[Connection]:
    """Give a connection whose changes are committed at the end of the block, or rolled back if it raises.

    patience_s: the longest wait for pool, lock and database together. Never inside another `writing()`.
    Raises StorageUnavailable or SQLAlchemyError when the database does not take it in time.
    """
    turn = current_app.extensions["pokea.turn"]
    engine = db.engine.execution_options(**{sqlite.WRITES: True})
    with within(patience_s), turn.take() if turn else nullcontext(), engine.begin() as connection:
        yield connection


def commit_one(statement: Prepared, values: dict[str, Any], patience_s: float = PATIENCE_S) -> Any:
    """Commit one statement and return the row that it returns, or None: `writing()` for a path that is hot.

    On SQLite it may share its commit with statements of other threads; on PostgreSQL it is one round trip.
    Raises StorageUnavailable when the database does not take it in time; AlreadyThere as app/hot.py says.
    """
    with within(patience_s):
        return current_app.extensions["pokea.commits"].run(statement, values)
