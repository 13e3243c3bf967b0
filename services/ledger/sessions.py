"""USSD sessions and calls, from the first callback to the last. One that ended stays so."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import Connection

from app.models import Callback, Invocation, Recipient, Session
from services.ledger import call_events, costs
from services.ledger.readings import amount_of, key_of, larger, money, named, phone_between, phone_of, whole
from services.ledger.rows import Row, changed, held, kept_count, new_id

USSD, VOICE = "ussd", "voice"
INBOUND, OUTBOUND = "Inbound", "Outbound"
_DIRECTIONS = {"inbound": INBOUND, "incoming": INBOUND, "outbound": OUTBOUND, "outgoing": OUTBOUND}
# What tells of the end of a call where isActive is not there
_IS_OVER = ("completed", "success", "failed", "aborted", "busy", "no-answer", "notanswered", "rejected")


def hop(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add one hop of a USSD session."""
    _ussd(connection, callback, data, {}, now)


def ussd_end(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add the end of a USSD session."""
    ms = whole(data.get("duration_ms"))
    ended = {
        "status": named(data.get("status")), "reason": named(data.get("error_message")), "steps": whole(data.get("hops_count")),
        "duration_s": None if ms is None else round(ms / 1000),
    }  # fmt: skip
    _ussd(connection, callback, data, ended | {"state": "ended"}, now)


def _ussd(connection: Connection, callback: Callback, data: dict[str, Any], ended: Row, now: datetime) -> None:
    session_id = key_of(data["session_id"])
    if session_id is None:
        return
    row = _row(connection, session_id, USSD, callback.received_at, now)
    told = {
        "own": named(data.get("service_code")), "network_code": named(data.get("network_code")), **ended,
        "steps": larger(ended.get("steps"), kept_count(connection, "ussd.session", session_id)),
    }  # fmt: skip
    values = _merged(row, told, callback.received_at) | money(row, amount_of(data.get("cost")), "cost")
    values["phone"] = phone_between(row["phone"], phone_of(data.get("phone_number")))
    _write(connection, row, values, now)


def call(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add what is asked or told about a call, and publish its start or its end, each once."""
    session_id = key_of(data.get("session_id"))
    if session_id is None:
        return
    row = _row(connection, session_id, VOICE, callback.received_at, now)
    told = _ended(data) if _is_final(data) else {}
    client_request_id = named(data.get("client_request_id")) or ""
    if client_request_id.startswith("inv_"):
        told["invocation_id"] = key_of(client_request_id)
    told["steps"] = kept_count(connection, "voice.instructions", session_id)
    cost = amount_of(data.get("amount"), data.get("currency_code"))
    values = _merged(row, told, callback.received_at) | _sides(row, data) | money(row, cost, "cost")
    row = _write(connection, row, values, now)
    if row["state"] == "ended" and told.get("state"):
        call_events.publish_end(connection, row, key_of(data.get("recording_url")), now)
    elif callback.kind == "voice.instructions":
        call_events.publish_start(connection, row, now)


def called(connection: Connection, invocation: Invocation, recipients: Sequence[Recipient], now: datetime) -> None:
    """Add the calls of an order that were taken."""
    for recipient in recipients:
        row = _row(connection, str(recipient.provider_id), VOICE, invocation.called_at, now)
        values = {
            "phone": recipient.phone,
            "own": invocation.ordered.get("own_number"),
            "direction": OUTBOUND,
            "invocation_id": invocation.id,
        }
        values |= {"started_at": min(row["started_at"], invocation.called_at)}
        call_events.publish_start(connection, _write(connection, row, values, now), now)


def numbers_of(data: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the other person's number and our own, of a callback about a call."""
    caller, destination = phone_of(data.get("caller_number")), phone_of(data.get("destination_number"))
    ours = phone_of(current_app.config["POKEA"].at_voice_number)
    if caller and caller == ours:
        return destination, caller
    is_outbound = _DIRECTIONS.get(str(data.get("direction")).lower()) == OUTBOUND
    # Of calls that we make either number may stand as the caller's.
    return (destination, caller) if is_outbound and destination and destination != ours else (caller, destination)


def _sides(row: Row, data: dict[str, Any]) -> Row:
    """Return who spoke with whom. The order knows best, then a callback that names the direction."""
    word = named(data.get("direction"))
    direction = word and _DIRECTIONS.get(word.lower(), word)
    person, own = numbers_of(data)
    if (row["invocation_id"] and row["phone"] and row["own"]) or (row["direction"] and not direction):
        return {"phone": row["phone"] or person, "own": row["own"] or own, "direction": row["direction"] or direction}
    if direction and not row["direction"]:
        return {"phone": person or row["phone"], "own": own or row["own"], "direction": direction}
    sides = {"phone": phone_between(row["phone"], person), "own": phone_between(row["own"], own)}
    return sides | {"direction": larger(row["direction"], direction)}


def _is_final(data: dict[str, Any]) -> bool:
    if isinstance(data.get("is_active"), bool):
        return not data["is_active"]
    state = named(data.get("call_session_state"))
    return str(data.get("status")).lower() in _IS_OVER and (state is None or state.lower() == "completed")


def _ended(data: dict[str, Any]) -> Row:
    return {
        "state": "ended", "status": named(data.get("status")), "reason": named(data.get("hangup_cause")),
        "duration_s": whole(data.get("duration_s")),
    }  # fmt: skip


def _row(connection: Connection, provider_id: str, product: str, since: datetime, now: datetime) -> Row:
    new = {
        "id": new_id("ses", since), "product": product, "state": "open", "steps": 0, "has_told_start": False, "has_told_end": False,
        "started_at": since, "updated_at": now,
    }  # fmt: skip
    return held(connection, Session, {"provider_id": provider_id}, new)


def _merged(row: Row, told: Row, moment: datetime) -> Row:
    """Return the columns with what was told: never nothing in place of something, and an end stays."""
    values: Row = {name: larger(row[name], value) for name, value in told.items() if name != "state"}
    values["started_at"] = min(row["started_at"], moment)
    if told.get("state") == "ended":
        ended_at = row["ended_at"]
        values |= {"state": "ended", "ended_at": min(ended_at, moment) if ended_at else moment}
    return values


def _write(connection: Connection, row: Row, values: Row, now: datetime) -> Row:
    row = changed(connection, Session, row, values, now)
    if row["cost"] is not None:
        cost = (row["cost"], row["currency"])
        costs.put_one(connection, row["product"], row["provider_id"], row["started_at"], row["phone"], *cost)
    return row
