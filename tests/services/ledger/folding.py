"""Fold the same callbacks and orders in every order that they can come in, each time on an empty ledger."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

from flask import Flask
from sqlalchemy import Connection, select

from app.extensions import db
from app.models import Callback, Event, Invocation, Recipient
from services import ledger
from tests.samples import post

Step = Callable[[Connection], None]
Stored = Callable[[type], list[Any]]
PHONE = "+254711000017"
MADE = datetime(2026, 3, 4, 23, 59, tzinfo=UTC)
# What tells when a row was made or written, not what it says
OF_THE_MOMENT = ("id", "updated_at", "processed_at", "created_at", "started_at", "has_told_start")


def kept(app: Flask, kind: str, fields: dict[str, Any]) -> Step:
    """Post a callback, and return the folding of it."""
    answer = post(app.test_client(), kind, fields)
    assert answer.status_code == 200, answer.text
    callback_id = answer.headers["X-Pokea-Id"]

    def fold(connection: Connection) -> None:
        row = connection.execute(select(Callback.__table__).where(Callback.id == callback_id)).one()
        ledger.fold(connection, Callback(**row._mapping), datetime.now(UTC))

    return fold


def ordered(kind: str, recipient: dict[str, Any], answer: Any = None, **details: Any) -> Step:
    """Return the folding of an order for one phone that Africa's Talking took."""
    invocation = Invocation(id="inv_1", kind=kind, ordered=details, called_at=MADE, answer=answer, reference="order-1042")
    taken = Recipient(invocation_id="inv_1", position=0, **{"phone": PHONE, "state": "accepted", **recipient})
    return lambda connection: ledger.fold_order(connection, invocation, [taken], datetime.now(UTC))


def folded(app: Flask, steps: Sequence[Step], *models: type) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows of some models after these steps, without ids and times, and the names of the events, and take all back."""
    with app.app_context(), db.engine.connect() as connection:
        for step in steps:
            step(connection)
        rows = [row for model in models for row in _rows(connection, model)]
        told = list(connection.scalars(select(Event.name).order_by(Event.created_at, Event.id)))
        connection.rollback()
    return rows, told


def _rows(connection: Connection, model: type) -> list[dict[str, Any]]:
    rows = [row._mapping for row in connection.execute(select(model.__table__))]  # type: ignore[attr-defined]
    return sorted(({name: value for name, value in row.items() if name not in OF_THE_MOMENT} for row in rows), key=str)


def in_every_order(app: Flask, steps: Sequence[Step], *models: type) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Return the rows, which are the same after the steps in every order, and the events of each order."""
    ends = [folded(app, order, *models) for order in permutations(steps)]
    assert all(rows == ends[0][0] for rows, _ in ends)
    return ends[0][0], [told for _, told in ends]


def part(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    """Return some of a row's values."""
    return tuple(row[name] for name in names)
