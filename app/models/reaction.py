"""Work of a developer's own code after a callback is kept: one row for each function that a callback calls for."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db
from app.models.types import JSONText, UTCDateTime


class Reaction(db.Model):  # type: ignore[name-defined]
    """One function's work for one callback."""

    __tablename__ = "reactions"

    # rct_ and a ULID
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    callback_id: Mapped[str] = mapped_column(Text)
    # The name under which flows/ lists the function
    name: Mapped[str] = mapped_column(Text)
    # waiting, done or dead
    state: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    # The traceback of the last try that failed
    last_error: Mapped[str | None] = mapped_column(Text)
    # What it ordered: ids of invocations, and what was not sent and why
    did: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONText)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        Index("reactions_callback", callback_id, name, unique=True),
        Index("reactions_waiting", due_at, sqlite_where=state == "waiting", postgresql_where=state == "waiting"),
        Index("reactions_dead", id, sqlite_where=state == "dead", postgresql_where=state == "dead"),
    )
