"""What receivers get: the bytes of one event, the same on every attempt. Pure."""

import json
from datetime import UTC, datetime
from typing import Any

from app.models import Callback, Event

JSON_TYPE = "application/json"


def told_callback(callback: Callback) -> dict[str, Any]:
    """Return the event that a callback is, as receivers and readers get it. fields: as Africa's Talking sent them."""
    return {
        "event": callback.kind,
        "timestamp": stamp(callback.received_at),
        "data": {
            "callbackId": callback.id,
            "kind": callback.kind,
            "state": callback.state,
            "phoneNumber": callback.phone,
            "receivedAt": stamp(callback.received_at),
            "replayOf": callback.replay_of,
            "fields": callback.fields,
        },
    }


def told_event(event: Event) -> dict[str, Any]:
    """Return an event that was made here, as receivers and readers get it."""
    return {"event": event.name, "timestamp": stamp(event.created_at), "data": event.data}


def body_of(told: dict[str, Any]) -> bytes:
    """Return compact UTF-8 JSON that a program which reads and writes it again, as some receivers do, writes alike."""
    return json.dumps(_plain(told), ensure_ascii=False, separators=(",", ":")).encode()


def stamp(moment: datetime) -> str:
    """Return a time as `2026-03-04T10:30:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)  # JavaScript writes 500.0 as 500
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value
