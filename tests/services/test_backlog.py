"""What waits, and that no query of it reads a whole table."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event, text

from app.extensions import db
from app.models import Callback, CampaignBatch, Delivery, Mark, Reaction
from services.upkeep.backlog import Queue, Workers, backlog, workers_seen
from services.upkeep.looks import look_at_all
from tests.rows import NOW, batch, callback, campaign, delivery, endpoint, keep, reaction

AGO = NOW - timedelta(seconds=90)
LATER = NOW + timedelta(seconds=90)


def read(app: Flask, look: Callable[[Connection, datetime], Any]) -> Any:
    with app.app_context(), db.engine.connect() as connection:
        return look(connection, NOW)


def test_an_empty_database_has_nothing_to_do(app: Flask) -> None:
    assert read(app, backlog) == [Queue(name, 0, 0.0, 0) for name in ("callbacks", "deliveries", "reactions", "batches")]
    assert read(app, workers_seen) == Workers(None, 0)


def test_what_is_due_is_counted_with_its_age_and_what_was_given_up_apart(app: Flask) -> None:
    keep(
        app,
        callback(due_at=AGO), callback(due_at=NOW), callback(due_at=LATER), callback(due_at=None), callback(due_at=None, last_error="x"),
        callback(due_at=LATER, last_error="x"),
        endpoint("webhook_good"), endpoint("webhook_off", is_active=False), endpoint("webhook_bad", failing_since=AGO),
        delivery("webhook_good", due_at=NOW - timedelta(seconds=7)), delivery("webhook_good", due_at=LATER),
        delivery("webhook_good", state="dead", due_at=AGO),
        delivery("webhook_off", due_at=AGO), delivery("webhook_bad", due_at=AGO), delivery("webhook_good", state="delivered", due_at=AGO),
        reaction(due_at=AGO), reaction(due_at=AGO, leased_until=LATER), reaction(state="dead", due_at=AGO), reaction(state="done", due_at=AGO),
        campaign("cmp_runs", next_batch_at=NOW - timedelta(seconds=5)), campaign("cmp_waits", next_batch_at=LATER),
        campaign("cmp_rests", state="paused"), campaign("cmp_over", state="cancelled"),
        batch("cmp_runs", due_at=AGO), batch("cmp_runs", due_at=LATER), batch("cmp_runs", due_at=AGO, state="unknown"),
        batch("cmp_waits", due_at=AGO), batch("cmp_rests", due_at=AGO), batch("cmp_rests", due_at=AGO, state="unknown"),
        batch("cmp_over", due_at=AGO, state="unknown"),
    )  # fmt: skip
    assert read(app, backlog) == [
        Queue("callbacks", 2, 90.0, 1), Queue("deliveries", 2, 7.0, 1), Queue("reactions", 1, 90.0, 1), Queue("batches", 1, 5.0, 2),
    ]  # fmt: skip


def test_workers_live_while_they_are_seen(app: Flask) -> None:
    seen = {"worker:a:1": 2, "worker:b:1": 29, "worker:b:2": 31, "balance": 1}
    keep(app, *((Mark, {"name": name, "value": None, "updated_at": NOW - timedelta(seconds=ago)}) for name, ago in seen.items()))
    assert read(app, workers_seen) == Workers(2.0, 2)


HOT = {model.__tablename__ for model in (Callback, Delivery, Reaction, CampaignBatch)} | {"invocations"}


@pytest.mark.parametrize("look", [backlog, look_at_all])
def test_no_query_reads_a_whole_table(app: Flask, look: Callable[[Connection, datetime], Any]) -> None:
    with app.app_context(), db.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            connection.execute(text("SET enable_seqscan = off"))
        asked: list[tuple[str, Any]] = []
        event.listen(connection, "before_cursor_execute", lambda *call: asked.append(call[2:4]))
        look(connection, NOW)
        for statement, parameters in list(asked):
            rows = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{statement}", parameters).all()
            for line in (str(row[-1]) for row in rows):
                reads_all = any(
                    line.strip().removeprefix("->  ").startswith(f"{word} {table}") for word in ("SCAN", "Seq Scan on") for table in HOT
                )
                assert not reads_all or " USING " in line, (line, statement)
