"""What is told of calls: that one started, and how it ended, each once."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from app.models import Recording, Session
from app.schemas.callbacks import CALL_STATUSES
from services.ledger.readings import text_of
from services.ledger.rows import Row, changed
from services.webhooks import events


def publish_start(connection: Connection, row: Row, now: datetime) -> None:
    """Tell that a call started, unless that was told, or it is over."""
    if row["has_told_start"] or row["state"] == "ended":
        return
    changed(connection, Session, row, {"has_told_start": True}, now)
    events.publish(connection, "call.started", _data(row, "started", None), now, row["phone"], row["provider_id"])


def publish_end(connection: Connection, row: Row, recording: str | None, now: datetime) -> None:
    """Tell how a call ended, unless that was told. recording: an address that came with it."""
    if row["has_told_end"]:
        return
    changed(connection, Session, row, {"has_told_end": True}, now)
    status = "completed" if was_answered(row["status"], row["duration_s"], row["reason"]) else "failed"
    url = recording or _recording_of(connection, row["provider_id"])
    events.publish(connection, f"call.{status}", _data(row, status, url), now, row["phone"], row["provider_id"])


def was_answered(word: str | None, duration_s: int | None, hangup_cause: str | None) -> bool:
    """Whether a call that is over took place: by its length, else by its status, else by why it ended."""
    if duration_s or (word and CALL_STATUSES.get(word.lower()) == "completed"):
        return True
    return not word and duration_s is None and hangup_cause == "NORMAL_CLEARING"


def _recording_of(connection: Connection, session_id: str) -> str | None:
    query = select(Recording.url).where(Recording.session_id == session_id, Recording.url != "").order_by(Recording.id)
    return connection.scalars(query).first()


def _data(row: Row, status: str, recording: str | None) -> dict[str, Any]:
    is_ours = row["direction"] == "Inbound"
    return {
        "callId": row["provider_id"], "status": status, "duration": row["duration_s"], "toNumber": row["own"] if is_ours else row["phone"],
        "recording": recording, "transcript": None, "direction": row["direction"], "hangupCause": row["reason"],
        "cost": text_of(row["cost"], row["currency"]),
    }  # fmt: skip
