"""What a person should look at: raised while it holds, cleared when it no longer does, each told once as an event.

Any number of workers may look at the same time: whoever changes the row tells.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.errors import GatewayError
from app.extensions import db, writing
from app.models import Alert, Mark
from app.settings import Settings
from services.balance import current_balance
from services.upkeep.looks import LOOKS, look_at_all
from services.upkeep.marks import claim_mark
from services.webhooks.alert_endpoint import ensure_alert_endpoint, is_alert_endpoint_current
from services.webhooks.events import publish

logger = logging.getLogger(__name__)
BALANCE_EVERY = timedelta(minutes=10)
BALANCE_ASKED = "balance asked for alerts"
NAMES = sorted([*LOOKS, "low_balance"])


def check(now: datetime) -> None:
    """Raise and clear alerts. Called every few seconds, by any number of workers; the balance is asked for every 10 minutes."""
    settings: Settings = current_app.config["POKEA"]
    with db.engine.connect() as connection:
        raised = {row.name: row.detail for row in connection.execute(select(Alert).where(Alert.cleared_at.is_(None)))}
        found = look_at_all(connection, now, raised)
        is_endpoint_current = is_alert_endpoint_current(connection, settings)
    found |= _balance(settings, now)
    changed = {name: detail for name, detail in found.items() if raised.get(name) != detail}
    if is_endpoint_current and not changed:
        return
    with writing() as connection:
        ensure_alert_endpoint(connection, settings, now)
        for name, detail in changed.items():
            if detail is None:
                _clear(connection, name, now)
            else:
                _raise(connection, name, detail, now)


def listed(connection: Connection) -> list[dict[str, Any]]:
    """Return every alert that ever was, raised ones first, as JSON."""
    query = select(Alert).order_by(Alert.cleared_at.is_not(None), Alert.raised_at.desc())
    return [
        {
            "alert": row.name,
            "is_raised": row.cleared_at is None,
            "detail": row.detail,
            "raised_at": row.raised_at.isoformat(),
            "cleared_at": row.cleared_at.isoformat() if row.cleared_at else None,
        }
        for row in connection.execute(query)
    ]


def _raise(connection: Connection, name: str, detail: str, now: datetime) -> None:
    make = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(Alert)
    values = {"name": name, "detail": detail, "raised_at": now, "cleared_at": None}
    again = make.on_conflict_do_update(index_elements=[Alert.name], set_=values, where=Alert.cleared_at.is_not(None))
    if connection.execute(again.returning(Alert.name), values).one_or_none():
        logger.warning("alert %s raised: %s", name, detail)
        publish(connection, "alert.raised", {"alert": name, "detail": detail, "raisedAt": _text(now)}, now, reference=name)
    else:
        connection.execute(update(Alert).where(Alert.name == name, Alert.cleared_at.is_(None)).values(detail=detail))


def _clear(connection: Connection, name: str, now: datetime) -> None:
    cleared = update(Alert).where(Alert.name == name, Alert.cleared_at.is_(None)).values(cleared_at=now)
    row = connection.execute(cleared.returning(Alert.detail, Alert.raised_at)).one_or_none()
    if row:
        logger.info("alert %s cleared", name)
        data = {"alert": name, "detail": row.detail, "raisedAt": _text(row.raised_at), "clearedAt": _text(now)}
        publish(connection, "alert.cleared", data, now, reference=name)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _balance(settings: Settings, now: datetime) -> dict[str, str | None]:
    """Return whether the balance is low; nothing where it is not time to ask, or it is not known."""
    least = settings.alert_balance_below
    if least is None:
        return {"low_balance": None}
    if not _is_time_to_ask(now):
        return {}
    try:
        balance = current_balance(now)
    except GatewayError:
        return {}
    if balance.amount is None or balance.problem:
        return {}
    return {"low_balance": f"{balance.balance} are left, less than {least}. Top up." if balance.amount < least else None}


def _is_time_to_ask(now: datetime) -> bool:
    with db.engine.connect() as connection:
        asked_at = connection.scalar(select(Mark.updated_at).where(Mark.name == BALANCE_ASKED))
    if asked_at is not None and asked_at > now - BALANCE_EVERY:
        return False
    with writing() as connection:
        return claim_mark(connection, BALANCE_ASKED, BALANCE_EVERY, now)
