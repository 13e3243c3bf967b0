"""What Africa's Talking posted to us, one row each, and what a USSD menu remembers of a session."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db
from app.models.types import JSONText, UTCDateTime


class Callback(db.Model):  # type: ignore[name-defined]
    """One callback as it came, with our answer. A repeat is counted here and makes no row of its own."""

    __tablename__ = "callbacks"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    # accepted, differing (same identity as an earlier one, other fields) or refused
    state: Mapped[str] = mapped_column(Text)
    # The place that only one row can hold: see services/inbox.py.
    slot: Mapped[bytes | None] = mapped_column(LargeBinary)
    fields_hash: Mapped[bytes] = mapped_column(LargeBinary)
    identity: Mapped[dict[str, str] | None] = mapped_column(JSONText)
    differs_from: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    # The id that ties callbacks together: session, message, request or transaction.
    reference: Mapped[str | None] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    fields: Mapped[dict[str, Any]] = mapped_column(JSONText)
    raw_body: Mapped[bytes] = mapped_column(LargeBinary)
    content_type: Mapped[str] = mapped_column(Text)
    headers: Mapped[dict[str, str]] = mapped_column(JSONText)
    query: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    # {"token": true, "address": false, …}: every check that ran and whether it passed
    checks: Mapped[dict[str, bool]] = mapped_column(JSONText)
    # Why it was refused: {field: [reasons]}
    errors: Mapped[dict[str, list[str]] | None] = mapped_column(JSONText)
    # What is odd about it, in sentences
    flags: Mapped[list[str] | None] = mapped_column(JSONText)
    # Places in what a person typed that hold a secret
    secret_places: Mapped[list[int] | None] = mapped_column(JSONText)
    answer: Mapped[str] = mapped_column(Text)
    answer_status: Mapped[int]
    answer_type: Mapped[str] = mapped_column(Text)
    # Milliseconds until the answer was computed, and who spent them: {"own": 3, "app": 812}
    ms: Mapped[int]
    spent: Mapped[dict[str, int] | None] = mapped_column(JSONText)
    # What a program elsewhere was asked and said: {"url", "status", "answer", "problem"}
    app: Mapped[dict[str, Any] | None] = mapped_column(JSONText)
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    repeats: Mapped[int] = mapped_column(default=0)
    repeated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    repeated_from: Mapped[str | None] = mapped_column(Text)
    # None where it was posted to us; pulled (fetched from Africa's Talking) or replay
    via: Mapped[str | None] = mapped_column(Text)
    # The callback that this one is a replay of, and whether it has effects as a new one would
    replay_of: Mapped[str | None] = mapped_column(Text)
    has_effects: Mapped[bool] = mapped_column(default=True)
    # When the worker is to look at it; None: done, or given up where there is an error
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(Text)
    # Kept however old it is
    pinned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        Index("callbacks_slot", slot, unique=True),
        Index("callbacks_due", due_at, id, sqlite_where=due_at.is_not(None), postgresql_where=due_at.is_not(None)),
        Index("callbacks_refused", id, sqlite_where=state == "refused", postgresql_where=state == "refused"),
        Index("callbacks_differing", id, sqlite_where=state == "differing", postgresql_where=state == "differing"),
        Index("callbacks_failed", id, sqlite_where=last_error.is_not(None), postgresql_where=last_error.is_not(None)),
        Index("callbacks_replay_of", replay_of, sqlite_where=replay_of.is_not(None), postgresql_where=replay_of.is_not(None)),
        Index("callbacks_phone", phone, id, sqlite_where=phone.is_not(None), postgresql_where=phone.is_not(None)),
        Index("callbacks_reference", reference, sqlite_where=reference.is_not(None), postgresql_where=reference.is_not(None)),
    )


class UssdSession(db.Model):  # type: ignore[name-defined]
    """What a menu that asks for it remembers of one session."""

    __tablename__ = "ussd_sessions"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    memory: Mapped[dict[str, Any]] = mapped_column(JSONText)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
