"""One message, or one call, to many: the campaign, its batches, and each of its recipients."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db
from app.models.types import JSONText, UTCDateTime


class Campaign(db.Model):  # type: ignore[name-defined]
    """What is sent to whom, when, and how fast."""

    __tablename__ = "campaigns"

    # cmp_ and a ULID
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    # sms or voice
    channel: Mapped[str] = mapped_column(Text)
    # With {columns}; None for a call that a flow of flows/ answers
    message: Mapped[str | None] = mapped_column(Text)
    # Sender of messages, number that calls come from
    own: Mapped[str | None] = mapped_column(Text)
    # draft, running, paused, cancelled, unsettled (all is sent, some of it unknown) or finished
    state: Mapped[str] = mapped_column(Text)
    # Why it is paused
    paused_because: Mapped[str | None] = mapped_column(Text)
    send_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # {"KE": ["20:00", "08:00"], "*": […]}: local times between which nobody is disturbed
    quiet_hours: Mapped[dict[str, list[str]] | None] = mapped_column(JSONText)
    # Recipients a second
    rate: Mapped[float]
    # Batches that failed one after the other
    faults: Mapped[int] = mapped_column(default=0)
    # When the next batch may go
    next_batch_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # What was known before it began: {"recipients", "skipped", "parts", "estimated_cost", …}
    preview: Mapped[dict[str, Any]] = mapped_column(JSONText)
    # Of whoever made it, so that asking twice makes one; and what makes two askings the same
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (Index("campaigns_running", state, id), Index("campaigns_idempotency_key", idempotency_key, unique=True))


class CampaignBatch(db.Model):  # type: ignore[name-defined]
    """Recipients that are asked for in one call."""

    __tablename__ = "campaign_batches"

    # bat_ and a ULID
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    campaign_id: Mapped[str] = mapped_column(Text, ForeignKey("campaigns.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column()
    # The text with its columns filled in
    text: Mapped[str | None] = mapped_column(Text)
    # ISO 3166, whose quiet hours count; "" where it is not known
    country: Mapped[str] = mapped_column(Text)
    # waiting, done, unknown, or settled: a person chose
    state: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    leased_by: Mapped[str | None] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(Text)
    invocation_id: Mapped[str | None] = mapped_column(Text)
    # What a person chose of what was unknown: {"choice", "by", "at", "batch"}
    chosen: Mapped[dict[str, Any] | None] = mapped_column(JSONText)

    __table_args__ = (
        Index("campaign_batches_number", campaign_id, number, unique=True),
        Index("campaign_batches_waiting", campaign_id, due_at, sqlite_where=state == "waiting", postgresql_where=state == "waiting"),
        Index("campaign_batches_invocation_id", invocation_id),
    )


class CampaignRecipient(db.Model):  # type: ignore[name-defined]
    """One number of a campaign."""

    __tablename__ = "campaign_recipients"

    campaign_id: Mapped[str] = mapped_column(Text, ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)
    phone: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int] = mapped_column()
    columns: Mapped[dict[str, str]] = mapped_column(JSONText)
    # created, accepted, refused, unknown, skipped or cancelled
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    batch_number: Mapped[int | None] = mapped_column()

    __table_args__ = (
        Index("campaign_recipients_batch", campaign_id, batch_number),
        Index("campaign_recipients_state", campaign_id, state, position),
    )
