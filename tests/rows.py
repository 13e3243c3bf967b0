"""Rows for tests that only look at them: each gives a model and its values, with fresh ids."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from flask import Flask
from sqlalchemy import insert
from ulid import ULID

from app.extensions import writing
from app.models import Callback, Campaign, CampaignBatch, Delivery, Endpoint, Invocation, Reaction

Row = tuple[type, dict[str, Any]]
NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
_numbers = count(1)


def keep(app: Flask, *rows: Row) -> None:
    """Commit rows."""
    with app.app_context(), writing() as connection:
        for model, values in rows:
            connection.execute(insert(model), values)


def callback(at: datetime = NOW, **values: Any) -> Row:
    """A callback that was received at a time."""
    return Callback, {
        "id": f"cb_{ULID.from_datetime(at)}", "kind": "sms.opt_out", "state": "accepted", "fields_hash": b"", "path": "/", "fields": {},
        "raw_body": b"", "content_type": "", "headers": {}, "query": "", "source": "", "checks": {}, "answer": "OK", "answer_status": 200,
        "answer_type": "text/plain", "ms": 1, "received_at": at, "repeats": 0, "has_effects": True, "tries": 0, **values,
    }  # fmt: skip


def endpoint(name: str, **values: Any) -> Row:
    """A receiver of all events."""
    return Endpoint, {
        "id": name, "url": "https://receiver.example/in", "events": ["*"], "format": "json", "secret": "whsec_", "is_active": True,
        "is_for_alerts": False, "created_at": NOW, "failures": 0, **values,
    }  # fmt: skip


def delivery(endpoint_id: str, **values: Any) -> Row:
    """A delivery to an endpoint."""
    return Delivery, {
        "id": f"dlv_{ULID()}", "endpoint_id": endpoint_id, "event_id": f"evt_{ULID()}", "event": "ping", "state": "waiting", "due_at": NOW,
        "attempts": 0, "created_at": NOW, **values,
    }  # fmt: skip


def reaction(**values: Any) -> Row:
    """One function's work."""
    return Reaction, {
        "id": f"rct_{ULID()}", "callback_id": f"cb_{ULID()}", "name": "stop", "state": "waiting", "due_at": NOW, "tries": 0, "created_at": NOW, **values,
    }  # fmt: skip


def campaign(name: str, **values: Any) -> Row:
    """A running campaign."""
    return Campaign, {
        "id": name, "name": name, "channel": "sms", "state": "running", "rate": 10.0, "faults": 0, "preview": {}, "created_at": NOW, **values,
    }  # fmt: skip


def batch(campaign_id: str, **values: Any) -> Row:
    """A batch of a campaign."""
    return CampaignBatch, {
        "id": f"bat_{ULID()}", "campaign_id": campaign_id, "number": next(_numbers), "country": "KE", "state": "waiting", "due_at": NOW,
        "tries": 0, **values,
    }  # fmt: skip


def invocation(**values: Any) -> Row:
    """A call to Africa's Talking."""
    return Invocation, {
        "id": f"inv_{ULID()}", "kind": "airtime.send", "state": "unknown", "idempotency_key": f"{ULID()}", "fingerprint": b"", "ordered": {},
        "asked_by": "", "asked_at": NOW, "called_at": NOW, "attempts": 1, **values,
    }  # fmt: skip
