"""Receivers of webhooks: made, listed, changed, removed; their secrets. On its way: past_deliveries.py."""

import logging
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from ulid import ULID

from app.errors import Conflict, GatewayError, Invalid
from app.extensions import db, writing
from app.models import Delivery, Endpoint, Event
from app.models.webhook import WAITING
from app.schemas.bodies import clean
from services.webhooks import events
from services.webhooks.endpoint_rules import COLUMNS, checked
from services.webhooks.signing import PREFIX

logger = logging.getLogger(__name__)
# How long the secret before signs too.
ROTATION = timedelta(hours=24)
# In one transaction: callbacks have to be kept meanwhile.
TOGETHER = 500
NOT_ACTIVE = "This endpoint is off, so nothing is sent to it. Turn it on first: PATCH it with active true, or flask webhooks enable."


class UnknownEndpoint(GatewayError):
    """No endpoint has this id."""

    status = 404


def make(body: Mapping[str, Any]) -> Endpoint:
    """Make an endpoint and return it, with its secret. body: url, events, active?, format?. Raises Invalid."""
    columns = checked(body, is_partial=False)
    values = columns | {
        "id": f"webhook_{ULID()}", "secret": _new_secret(), "previous_secret": None, "previous_until": None, "off_because": None,
        "is_for_alerts": False, "created_at": datetime.now(UTC), "failing_since": None, "failures": 0, "next_try_at": None,
    }  # fmt: skip
    with writing() as connection:
        connection.execute(insert(Endpoint), values)
    logger.info("endpoint %s made", values["id"])
    return Endpoint(**values)


def every(after: str | None = None, limit: int = 500) -> Sequence[Endpoint]:
    """Return the endpoints that developers made, oldest first. after: the id of the last one that was seen."""
    query = select(Endpoint.__table__).where(~Endpoint.is_for_alerts, Endpoint.id > clean(after or "")).order_by(Endpoint.id).limit(limit)
    with db.engine.connect() as connection:
        return [Endpoint(**row._mapping) for row in connection.execute(query)]


def one(endpoint_id: str) -> Endpoint:
    """Return one endpoint. Raises UnknownEndpoint."""
    with db.engine.connect() as connection:
        return found(connection, endpoint_id)


def change(endpoint_id: str, body: Mapping[str, Any]) -> Endpoint:
    """Change what is named of an endpoint, and return it; `active` true also ends its failing. Raises UnknownEndpoint, Invalid."""
    values = checked(body, is_partial=True)
    if not values:
        raise Invalid("Nothing to change: name url, events, active or format.")
    if "is_active" in values:
        values |= {"off_because": None, "failing_since": None, "failures": 0, "next_try_at": None}
    with writing() as connection:
        found(connection, endpoint_id, to_change=True)
        connection.execute(update(Endpoint).where(Endpoint.id == endpoint_id).values(values))
        now = datetime.now(UTC)
        if values.get("is_active"):
            _make_due(connection, endpoint_id, now)
        if "url" in values:
            try_now(connection, endpoint_id, now)
        changed = found(connection, endpoint_id)
    logger.info("endpoint %s changed: %s", endpoint_id, ", ".join(sorted(set(body) & set(COLUMNS))))
    return changed


def remove(endpoint_id: str) -> None:
    """Remove an endpoint and all its deliveries. Raises UnknownEndpoint."""
    with writing() as connection:
        found(connection, endpoint_id, to_change=True)
        connection.execute(update(Endpoint).where(Endpoint.id == endpoint_id).values(is_active=False))
    some = select(Delivery.id).where(Delivery.endpoint_id == endpoint_id).limit(TOGETHER)
    is_any_left = True
    while is_any_left:
        with writing() as connection:
            is_any_left = connection.execute(delete(Delivery).where(Delivery.id.in_(some))).rowcount > 0
            if not is_any_left:
                connection.execute(delete(Endpoint).where(Endpoint.id == endpoint_id))
    logger.info("endpoint %s removed", endpoint_id)


def rotate(endpoint_id: str) -> Endpoint:
    """Give an endpoint a new secret and return it; the one before signs too for ROTATION. Raises UnknownEndpoint."""
    with writing() as connection:
        before = found(connection, endpoint_id, to_change=True, or_for_alerts=True)
        values = {"secret": _new_secret(), "previous_secret": before.secret, "previous_until": datetime.now(UTC) + ROTATION}
        connection.execute(update(Endpoint).where(Endpoint.id == endpoint_id).values(values))
        rotated = found(connection, endpoint_id, or_for_alerts=True)
    logger.info("endpoint %s has a new secret", endpoint_id)
    return rotated


def ping(endpoint_id: str) -> tuple[str, str]:
    """Send a `ping` to one endpoint, and return the ids of event and delivery. Raises UnknownEndpoint, Conflict."""
    event_id, now = f"evt_{ULID()}", datetime.now(UTC)
    row = {"id": event_id, "name": events.PING, "data": {"webhookId": endpoint_id}, "reference": endpoint_id, "created_at": now}
    with writing() as connection:
        insist_on_active(found(connection, endpoint_id, to_change=True).is_active)
        connection.execute(insert(Event), row)
        [delivery_id] = events.deliver(connection, event_id, events.PING, None, now, endpoints=[endpoint_id])
        try_now(connection, endpoint_id, now)
    return event_id, delivery_id


def found(connection: Connection, endpoint_id: str, to_change: bool = False, or_for_alerts: bool = False) -> Endpoint:
    """Return one endpoint that a developer made, or also that of ALERT_URL. Raises UnknownEndpoint.

    to_change: lock it. Whoever changes an endpoint and its deliveries locks the endpoint first, so nobody waits for each other.
    """
    query = select(Endpoint.__table__).where(Endpoint.id == clean(endpoint_id))
    query = query if or_for_alerts else query.where(~Endpoint.is_for_alerts)
    row = connection.execute(query.with_for_update(key_share=True) if to_change else query).one_or_none()
    if row is None:
        raise UnknownEndpoint(f"No webhook '{endpoint_id[:60]}'. GET /api/v1/webhooks and flask webhooks list name them.")
    return Endpoint(**row._mapping)


def insist_on_active(is_active: bool) -> None:
    """Raise Conflict for an endpoint that is off."""
    if not is_active:
        raise Conflict(NOT_ACTIVE)


def try_now(connection: Connection, endpoint_id: str, now: datetime) -> None:
    """Have an endpoint that fails tried at once; one that works is left alone."""
    connection.execute(update(Endpoint).where(Endpoint.id == endpoint_id, Endpoint.failing_since.is_not(None)).values(next_try_at=now))


def _make_due(connection: Connection, endpoint_id: str, now: datetime) -> None:
    waiting = update(Delivery).where(Delivery.endpoint_id == endpoint_id, Delivery.state == WAITING, Delivery.due_at > now)
    connection.execute(waiting.values(due_at=now))


def _new_secret() -> str:
    return PREFIX + b64encode(token_bytes(32)).decode()
