"""What the program remembers of itself: marks, and alerts."""

from datetime import datetime
from typing import Any

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db
from app.models.types import JSONText, UTCDateTime


class Mark(db.Model):  # type: ignore[name-defined]
    """A fact of which only the last value counts: a worker's heartbeat, the balance, the last message that was pulled."""

    __tablename__ = "marks"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[Any] = mapped_column(JSONText, nullable=True)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Alert(db.Model):  # type: ignore[name-defined]
    """Something that a person should look at, while it lasts and after."""

    __tablename__ = "alerts"

    # As dead_work; one row for each that ever was
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    detail: Mapped[str] = mapped_column(Text)
    raised_at: Mapped[datetime] = mapped_column(UTCDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
