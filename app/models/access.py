"""Who may read and manage: API keys, kept as hashes."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db
from app.models.types import JSONText, UTCDateTime


class ApiKey(db.Model):  # type: ignore[name-defined]
    """One key: shown once when it is made, afterwards known by its hash and first letters."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(Text)
    # SHA-256 of the whole key. The key is 32 random bytes: nothing to guess, so nothing to slow down.
    key_hash: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(JSONText)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (Index("api_keys_key_hash", key_hash, unique=True),)
