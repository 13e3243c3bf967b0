"""How a row of the ledger is told to a program: its columns by name, times as ISO 8601, money as text. Pure."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return all columns of a row as JSON values."""
    return {name: plain(value) for name, value in row.items()}


def told_airtime(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a top-up, its id at Africa's Talking under the name that it has there."""
    return {"id": row["id"], "request_id": row["provider_id"], **told(row)}


def told_session(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a session, its id at Africa's Talking under the name that it has there."""
    hidden = ("has_told_start", "has_told_end")
    return {"id": row["id"], "session_id": row["provider_id"]} | {name: value for name, value in told(row).items() if name not in hidden}


def told_payment(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a payment, its id at Africa's Talking under the name that it has there."""
    return {"id": row["id"], "transaction_id": row["provider_id"], **told(row)}


def told_recording(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recording under the names that /api/v1 has for it."""
    return {
        "recording_id": row["id"],
        "session_id": row["session_id"],
        "status": row["status"],
        "duration": row["duration_s"],
        "recording_url": row["url"] or None,
        "recording_available": bool(row["url"]),
        "participants": row["participants"],
        "created_at": plain(row["created_at"]),
        "processed_at": plain(row["processed_at"]),
    }


def told_check(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a SIM swap check under the names of the callback that answers it. lastSimSwapDate: ISO 8601."""
    is_outside = row["state"] == "not_swapped" and row["swapped_on"] is None
    return {
        "id": row["id"],
        "requestId": row["provider_id"],
        "phoneNumber": row["phone"],
        "state": row["state"],
        "status": row["status"],
        "lastSimSwapDate": plain(row["swapped_on"]),
        "note": "none in the operator's window" if is_outside else None,
        "conflicts": row["conflicts"],
        "invocationId": row["invocation_id"],
        "createdAt": plain(row["created_at"]),
        "updatedAt": plain(row["updated_at"]),
    }


def plain(value: Any) -> Any:
    """Return a value of a column as JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return f"{value:.4f}" if isinstance(value, Decimal) else value
