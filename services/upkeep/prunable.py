"""What may go once it is old: never orders, the ledger, callbacks about money, pinned ones, nor what still has to be done for somebody."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select

from app.models import Callback, Delivery, Endpoint, Event, Reaction
from app.models.webhook import WAITING

MONEY = ("airtime.", "payments.")


def _callbacks() -> ColumnElement[bool]:
    is_money = or_(*(Callback.kind.startswith(family) for family in MONEY))
    # One that was given up has an error, and can be done again.
    is_done = Callback.due_at.is_(None) & Callback.last_error.is_(None) & Callback.pinned_at.is_(None)
    told_of = exists().where(Delivery.callback_id == Callback.id, Delivery.state == WAITING)
    called_for = exists().where(Reaction.callback_id == Callback.id, Reaction.state == WAITING)
    return and_(is_done, ~is_money, ~told_of, ~called_for)


def _deliveries() -> ColumnElement[bool]:
    return Delivery.state != WAITING


def _reactions() -> ColumnElement[bool]:
    return Reaction.state != WAITING


def _events() -> ColumnElement[bool]:
    # By way of the endpoints, so that an index finds them.
    of_event = and_(Delivery.endpoint_id == Endpoint.id, Delivery.event_id == Event.id, Delivery.state == WAITING)
    return ~exists(select(1).select_from(Endpoint.__table__.join(Delivery.__table__, of_event)))


# Name of the sort, its table, the beginning of its ids, and the condition
SORTS: tuple[tuple[str, Any, str, Callable[[], ColumnElement[bool]]], ...] = (
    ("deliveries", Delivery, "dlv_", _deliveries),
    ("reactions", Reaction, "rct_", _reactions),
    ("callbacks", Callback, "cb_", _callbacks),
    ("events", Event, "evt_", _events),
)
