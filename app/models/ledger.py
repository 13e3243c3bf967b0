"""What callbacks and calls add up to. Every row can be told from the callbacks, in whatever order they came."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db
from app.models.types import ExactMoney, JSONText, UTCDateTime


class Message(db.Model):  # type: ignore[name-defined]
    """One message to or from one phone."""

    __tablename__ = "messages"

    # msg_ and a ULID
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    # Africa's Talking's id of it
    provider_id: Mapped[str] = mapped_column(Text)
    # in or out
    direction: Mapped[str] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    # Our own end: sender name, short code or number
    own: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    # As Africa's Talking says it: Queued, Sent, …, Success; received for one that came in
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    retry_count: Mapped[int | None]
    # All ends that reports told of, where they are several
    conflicts: Mapped[list[str] | None] = mapped_column(JSONText)
    cost: Mapped[Decimal | None] = mapped_column(ExactMoney)
    currency: Mapped[str | None] = mapped_column(Text)
    network_code: Mapped[str | None] = mapped_column(Text)
    link_id: Mapped[str | None] = mapped_column(Text)
    # The order that sent it, and the sender's own name for that order
    invocation_id: Mapped[str | None] = mapped_column(Text)
    reference: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (
        Index("messages_provider_id", provider_id, unique=True),
        Index("messages_phone", phone, id),
        Index("messages_invocation_id", invocation_id),
        Index("messages_reference", reference),
        Index("messages_state", state, id),
    )


class OptOut(db.Model):  # type: ignore[name-defined]
    """Whether one person takes messages of one sender; "" is every sender."""

    __tablename__ = "opt_outs"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    # E.164, whatever the spelling of the callback
    phone: Mapped[str] = mapped_column(Text)
    sender: Mapped[str] = mapped_column(Text)
    # out, or in: they came back
    state: Mapped[str] = mapped_column(Text)
    # callback, keyword, or who did it by hand
    by: Mapped[str] = mapped_column(Text)
    callback_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (Index("opt_outs_phone", phone, sender, unique=True),)


class Subscription(db.Model):  # type: ignore[name-defined]
    """The last that is known of one number's subscription to one keyword of one short code."""

    __tablename__ = "subscriptions"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    phone: Mapped[str] = mapped_column(Text)
    short_code: Mapped[str] = mapped_column(Text)
    keyword: Mapped[str] = mapped_column(Text)
    # addition or deletion, as they are told; another word as sent
    state: Mapped[str] = mapped_column(Text)
    callback_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (Index("subscriptions_phone", phone, short_code, keyword, unique=True),)


class Airtime(db.Model):  # type: ignore[name-defined]
    """One top-up of one number."""

    __tablename__ = "airtime"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    # Africa's Talking's requestId
    provider_id: Mapped[str] = mapped_column(Text)
    phone: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    conflicts: Mapped[list[str] | None] = mapped_column(JSONText)
    value: Mapped[Decimal | None] = mapped_column(ExactMoney)
    discount: Mapped[Decimal | None] = mapped_column(ExactMoney)
    currency: Mapped[str | None] = mapped_column(Text)
    invocation_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (Index("airtime_provider_id", provider_id, phone, unique=True), Index("airtime_phone", phone, id))


class SimSwap(db.Model):  # type: ignore[name-defined]
    """One check of when a SIM card was swapped, and the answer."""

    __tablename__ = "sim_swaps"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    # Africa's Talking's requestId; its transactionId where there is none
    provider_id: Mapped[str] = mapped_column(Text)
    transaction_id: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    # pending, swapped, not_swapped or failed
    state: Mapped[str] = mapped_column(Text)
    # Africa's Talking's word
    status: Mapped[str | None] = mapped_column(Text)
    # None where the operator knows of no swap in the time that it keeps
    swapped_on: Mapped[date | None] = mapped_column(Date)
    conflicts: Mapped[list[str] | None] = mapped_column(JSONText)
    invocation_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (Index("sim_swaps_provider_id", provider_id, unique=True), Index("sim_swaps_phone", phone, id))


class Session(db.Model):  # type: ignore[name-defined]
    """One USSD session or one call, from its first callback to its last."""

    __tablename__ = "sessions"

    # ses_ and a ULID
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    # Africa's Talking's sessionId
    provider_id: Mapped[str] = mapped_column(Text)
    # ussd or voice
    product: Mapped[str] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    # The other end: service code, or our own number
    own: Mapped[str | None] = mapped_column(Text)
    # Inbound or Outbound, of calls
    direction: Mapped[str | None] = mapped_column(Text)
    # open or ended
    state: Mapped[str] = mapped_column(Text)
    # Africa's Talking's word for how it ended, and why a call did
    status: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    # Hops of a USSD session, instructions of a call
    steps: Mapped[int] = mapped_column(default=0)
    duration_s: Mapped[int | None]
    cost: Mapped[Decimal | None] = mapped_column(ExactMoney)
    currency: Mapped[str | None] = mapped_column(Text)
    network_code: Mapped[str | None] = mapped_column(Text)
    # The order that made the call
    invocation_id: Mapped[str | None] = mapped_column(Text)
    # Whether call.started, and call.completed or call.failed, were told
    has_told_start: Mapped[bool] = mapped_column(default=False)
    has_told_end: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (Index("sessions_provider_id", provider_id, unique=True), Index("sessions_phone", phone, id))


class Recording(db.Model):  # type: ignore[name-defined]
    """One recording of a call; its sound is linked, never fetched."""

    __tablename__ = "recordings"

    # rec_ and a ULID
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    session_id: Mapped[str] = mapped_column(Text)
    # "" until it is known
    url: Mapped[str] = mapped_column(Text)
    duration_s: Mapped[int | None]
    # Of one vocabulary: completed, failed, busy, no_answer, rejected, invalid_number; another word as sent
    status: Mapped[str | None] = mapped_column(Text)
    # As sent, where they say it otherwise
    sent_status: Mapped[str | None] = mapped_column(Text)
    sent_duration: Mapped[str | None] = mapped_column(Text)
    participants: Mapped[list[str]] = mapped_column(JSONText)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    processed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (Index("recordings_session_id", session_id, url, unique=True),)


class Payment(db.Model):  # type: ignore[name-defined]
    """One payment, in either direction."""

    __tablename__ = "payments"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    # Africa's Talking's transactionId
    provider_id: Mapped[str] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    conflicts: Mapped[list[str] | None] = mapped_column(JSONText)
    category: Mapped[str | None] = mapped_column(Text)
    product_name: Mapped[str | None] = mapped_column(Text)
    value: Mapped[Decimal | None] = mapped_column(ExactMoney)
    fee: Mapped[Decimal | None] = mapped_column(ExactMoney)
    currency: Mapped[str | None] = mapped_column(Text)
    # What came with it: {"order": "1042"}
    about: Mapped[dict[str, Any] | None] = mapped_column(JSONText)
    invocation_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (Index("payments_provider_id", provider_id, unique=True), Index("payments_phone", phone, id))


class Cost(db.Model):  # type: ignore[name-defined]
    """What one thing cost: a message, a session, a call, a top-up, a check."""

    __tablename__ = "costs"

    # What it is of, so that it is counted once: "sms:ATXid_…", "voice:ATVId_…"
    source: Mapped[str] = mapped_column(Text, primary_key=True)
    # sms, voice, ussd, airtime, sim_swap or payments
    product: Mapped[str] = mapped_column(Text)
    # UTC, as 2026-03-04
    day: Mapped[str] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(ExactMoney)
    currency: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index("costs_day", day, product, currency, amount), Index("costs_phone", phone, currency, day, amount))
