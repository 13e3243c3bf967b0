"""What happened, told to those who asked for it: an event, and a delivery of it to each endpoint, in the caller's transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from ulid import ULID

from app.models import Delivery, Endpoint, Event
from app.models.webhook import WAITING
from app.schemas.callbacks import KINDS

PING = "ping"
# Events besides the kinds of callback
MADE_HERE = (
    "call.started", "call.completed", "call.failed", "campaign.started", "campaign.finished", "campaign.paused", "message.delivered",
    "message.failed", "endpoint.disabled", "endpoint.recovered", "alert.raised", "alert.cleared", PING,
)  # fmt: skip
EVENTS = (*KINDS, *MADE_HERE)


def is_known(pattern: str) -> bool:
    """Whether a name, or a family as `sms.*`, stands for at least one event."""
    return any(matches(pattern, name) for name in EVENTS)


def matches(pattern: str, name: str) -> bool:
    """Whether an event of this name is meant by a pattern: its own name, or one with a trailing `*`."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def event_id_of(callback_id: str) -> str:
    """Return the id of the event that a callback is."""
    return f"evt_{callback_id.removeprefix('cb_')}"


def publish(
    connection: Connection, name: str, data: dict[str, Any], now: datetime, phone: str | None = None, reference: str | None = None
) -> str:
    """Make an event and its deliveries, and return its id. data: JSON, as receivers will get it."""
    event_id = f"evt_{ULID()}"
    row = {"id": event_id, "name": name, "data": data, "phone": phone, "reference": reference, "created_at": now}
    connection.execute(insert(Event), row)
    deliver(connection, event_id, name, None, now)
    return event_id


def publish_callback(connection: Connection, callback_id: str, kind: str, now: datetime) -> None:
    """Make the deliveries of a kept callback."""
    deliver(connection, event_id_of(callback_id), kind, callback_id, now)


def deliver(
    connection: Connection, event_id: str, name: str, callback_id: str | None, now: datetime, endpoints: list[str] | None = None
) -> list[str]:
    """Make a delivery to each endpoint that wants the event, and return their ids; one that is there already stays as it is.

    endpoints: only to these, whatever they asked for.
    """
    wanted = endpoints if endpoints is not None else [row.id for row in active_endpoints(connection) if wants(row, name)]
    rows = [
        {
            "id": f"dlv_{ULID()}", "endpoint_id": endpoint, "event_id": event_id, "event": name, "callback_id": callback_id,
            "state": WAITING, "due_at": now, "attempts": 0, "created_at": now,
        }
        for endpoint in wanted
    ]  # fmt: skip
    if rows:
        make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(make(Delivery).on_conflict_do_nothing(index_elements=["endpoint_id", "event_id"]), rows)
    return [str(row["id"]) for row in rows]


def active_endpoints(connection: Connection) -> list[Row]:
    """Return the endpoints that something is sent to now."""
    return list(connection.execute(select(Endpoint.id, Endpoint.events).where(Endpoint.is_active)))


def wants(endpoint: Any, name: str) -> bool:
    """Whether an endpoint asked for events of this name."""
    return any(matches(pattern, name) for pattern in endpoint.events)
