"""The receiver that ALERT_URL names: an endpoint like any other, which no list shows, so that alerts get the same retries."""

import secrets
from base64 import b64encode
from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.models import Endpoint
from app.settings import Settings
from services.webhooks.signing import PREFIX

# One row for all machines
ID = "webhook_alerts"
EVENTS = ["alert.*", "endpoint.disabled"]


def is_alert_endpoint_current(connection: Connection, settings: Settings) -> bool:
    """Whether the endpoint is as ALERT_URL says: a read, for who looks often."""
    row = connection.execute(select(Endpoint.url, Endpoint.is_active).where(Endpoint.id == ID)).one_or_none()
    if not settings.alert_url:
        return row is None or not row.is_active
    return row is not None and row.is_active and row.url == settings.alert_url


def ensure_alert_endpoint(connection: Connection, settings: Settings, now: datetime) -> None:
    """Make the endpoint what ALERT_URL says; without that setting it is turned off."""
    if is_alert_endpoint_current(connection, settings):
        return
    if not settings.alert_url:
        connection.execute(update(Endpoint).where(Endpoint.id == ID).values(is_active=False, off_because=None))
        return
    anew = {"url": settings.alert_url, "is_active": True, "off_because": None, "failing_since": None, "failures": 0, "next_try_at": None}
    made_once = {
        "id": ID, "events": EVENTS, "format": "json", "secret": PREFIX + b64encode(secrets.token_bytes(32)).decode(),
        "is_for_alerts": True, "created_at": now,
    }  # fmt: skip
    make = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(Endpoint)
    connection.execute(make.on_conflict_do_update(index_elements=[Endpoint.id], set_=anew), made_once | anew)
