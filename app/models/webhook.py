"""What is passed on to others: events, who receives them, and each event's way to each receiver."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db
from app.models.types import JSONText, UTCDateTime

WAITING = "waiting"


class Event(db.Model):  # type: ignore[name-defined]
    """Something that happened, told to receivers; a callback is an event itself and has no row here."""

    __tablename__ = "events"

    # evt_ and a ULID; that of a callback's event is the callback's
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    # As call.completed
    name: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSONText)
    phone: Mapped[str | None] = mapped_column(Text)
    # The id of what it is about: session, message, campaign, endpoint
    reference: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (Index("events_reference", reference, id),)


class Endpoint(db.Model):  # type: ignore[name-defined]
    """A receiver of webhooks."""

    __tablename__ = "endpoints"

    # webhook_ and a ULID
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    # Names of events; a trailing * stands for a family
    events: Mapped[list[str]] = mapped_column(JSONText)
    # json, or original: Africa's Talking's own bytes
    format: Mapped[str] = mapped_column(Text)
    # whsec_…: it signs, so it cannot be kept as a hash
    secret: Mapped[str] = mapped_column(Text)
    # The one before, which signs too until the rotation is over
    previous_secret: Mapped[str | None] = mapped_column(Text)
    previous_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    is_active: Mapped[bool]
    # Why it is off, where it was not a person who turned it off
    off_because: Mapped[str | None] = mapped_column(Text)
    # The one that ALERT_URL names: not listed, never turned off
    is_for_alerts: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # While it fails: since when, how many rounds, and when the oldest delivery is tried again
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failures: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The one process that sends to it now, and until when it may without saying so again
    leased_by: Mapped[str | None] = mapped_column(Text)
    leased_until: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Delivery(db.Model):  # type: ignore[name-defined]
    """One event on its way to one endpoint."""

    __tablename__ = "deliveries"

    # dlv_ and a ULID
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(Text, ForeignKey("endpoints.id", ondelete="CASCADE"))
    # Also its webhook-id
    event_id: Mapped[str] = mapped_column(Text)
    event: Mapped[str] = mapped_column(Text)
    # Where the event is a callback
    callback_id: Mapped[str | None] = mapped_column(Text)
    # waiting, delivered or dead
    state: Mapped[str] = mapped_column(Text)
    # When it may be tried (again)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    # When somebody asked for it once more: its life begins anew
    revived_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # The last attempt: when it began, the answer's status, its first 16 kB as text, what it took, and what was wrong
    attempted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(Text)
    ms: Mapped[int | None]
    problem: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("deliveries_event", endpoint_id, event_id, unique=True),
        Index("deliveries_waiting", endpoint_id, event_id, sqlite_where=state == WAITING, postgresql_where=state == WAITING),
        Index("deliveries_due", endpoint_id, due_at, sqlite_where=state == WAITING, postgresql_where=state == WAITING),
        Index("deliveries_dead", id, sqlite_where=state == "dead", postgresql_where=state == "dead"),
        Index("deliveries_of_endpoint", endpoint_id, id),
        Index("deliveries_callback", callback_id, sqlite_where=callback_id.is_not(None), postgresql_where=callback_id.is_not(None)),
    )


class Attempt(db.Model):  # type: ignore[name-defined]
    """One try of a delivery that did not succeed; the last try stands on the delivery itself."""

    __tablename__ = "attempts"

    delivery_id: Mapped[str] = mapped_column(Text, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempted_at: Mapped[datetime] = mapped_column(UTCDateTime)
    status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(Text)
    ms: Mapped[int]
    problem: Mapped[str] = mapped_column(Text)
    next_try_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
