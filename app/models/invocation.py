"""The calls that we made to Africa's Talking: one row each, and one for each phone number that it was about."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db
from app.models.types import ExactMoney, JSONText, UTCDateTime

# States of an invocation whose end is not known yet
OPEN = ("pending", "unknown")


class Invocation(db.Model):  # type: ignore[name-defined]
    """One order, committed as pending before the call is made."""

    __tablename__ = "invocations"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    # pending, accepted, refused or unknown
    state: Mapped[str] = mapped_column(Text)
    # One per kind: the caller's, or one of our own
    idempotency_key: Mapped[str] = mapped_column(Text)
    # What makes two orders identical
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    # What was ordered, under the names of the address's parameters
    ordered: Mapped[dict[str, Any]] = mapped_column(JSONText)
    reference: Mapped[str | None] = mapped_column(Text)
    # The source address of a request, or "command line"
    asked_by: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # When the call that is under way, or was the last, began; an order that nothing became of is tried again on its row
    called_at: Mapped[datetime] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(default=1)
    ms: Mapped[int | None]
    # What Africa's Talking answered: HTTP status, and JSON or text
    answer_status: Mapped[int | None]
    answer: Mapped[Any] = mapped_column(JSONText, nullable=True)
    # Where it was not simply accepted: the reason, what to do, and whether nothing was sent at all
    problem: Mapped[str | None] = mapped_column(Text)
    advice: Mapped[str | None] = mapped_column(Text)
    was_reached: Mapped[bool | None]
    # How an unknown one was settled: {"by", "note", "is_guess", "callback"}
    settled: Mapped[dict[str, Any] | None] = mapped_column(JSONText)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        Index("invocations_idempotency_key", kind, idempotency_key, unique=True),
        Index("invocations_fingerprint", fingerprint, id),
        Index("invocations_reference", reference, sqlite_where=reference.is_not(None), postgresql_where=reference.is_not(None)),
        Index("invocations_open", state, id, sqlite_where=state.in_(OPEN), postgresql_where=state.in_(OPEN)),
    )


class Recipient(db.Model):  # type: ignore[name-defined]
    """One phone number of an invocation, and what became of it."""

    __tablename__ = "recipients"

    invocation_id: Mapped[str] = mapped_column(Text, ForeignKey("invocations.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    phone: Mapped[str] = mapped_column(Text)
    # pending, accepted, refused, unknown, or skipped: opted out
    state: Mapped[str] = mapped_column(Text)
    # The word of Africa's Talking, what it means, and what to do
    status: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    advice: Mapped[str | None] = mapped_column(Text)
    # What Africa's Talking took for it
    cost: Mapped[Decimal | None] = mapped_column(ExactMoney)
    cost_currency: Mapped[str | None] = mapped_column(Text)
    # Money that goes to, or comes from, this number
    amount: Mapped[Decimal | None] = mapped_column(ExactMoney)
    currency: Mapped[str | None] = mapped_column(Text)
    # The UTC day, as 2026-03-04, whose limits it counts against
    day: Mapped[str] = mapped_column(Text)
    # Africa's Talking's id: messageId, sessionId, requestId or transactionId
    provider_id: Mapped[str | None] = mapped_column(Text)
    # The transaction that was validated because of this order
    validated_for: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("recipients_phone", phone, invocation_id),
        Index("recipients_day", day),
        Index("recipients_provider_id", provider_id, sqlite_where=provider_id.is_not(None), postgresql_where=provider_id.is_not(None)),
    )
