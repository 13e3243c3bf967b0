"""Recordings of calls: several per call, each with what was told of it; a value never gives way to nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from app.models import Callback, Recording
from app.schemas.callbacks import CALL_STATUSES, KINDS
from app.schemas.fields import is_phone
from services.ledger.readings import key_of, larger, named, phone_of, whole
from services.ledger.rows import Row, alone, changed, held, new_id
from services.ledger.sessions import numbers_of
from services.slots import index_key

COMPLETED = "completed"
GATEWAY = "voice.recording"
_KINDS = (GATEWAY, "voice.instructions", "voice.event")
# PostgreSQL's indexes take no more.
_LONGEST_URL = 2000


@dataclass(frozen=True)
class _Told:
    """What one callback tells of a recording. url: "" where it comes without."""

    session_id: str | None
    url: str
    facts: Row
    at: datetime


def told(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add what is told of a recording: by another gateway, perhaps without its address, or by a callback about the call.

    What came without an address belongs to the only one that is known; with none, or several, it is a row of its own.
    """
    one = _read(callback, data)
    if one is None or one.session_id is None:
        return
    alone(connection, f"recordings {one.session_id}")
    query = select(Recording.__table__).where(Recording.session_id == one.session_id)
    rows = {row.url: dict(row._mapping) for row in connection.execute(query)}
    row = _row_of(connection, one, rows, now)
    changed(connection, Recording, row, _merged(row, one) | {"processed_at": now}, now)


def _read(callback: Callback, data: dict[str, Any]) -> _Told | None:
    url, session_id = _address(data.get("recording_url")), key_of(data.get("session_id"))
    if callback.kind == GATEWAY:
        facts, people = _facts(callback.fields, data), [phone_of(data.get("phone_number"))]
    elif url:
        facts, people = {"status": COMPLETED}, [numbers_of(data)[0], phone_of(data.get("dial_destination_number"))]
    else:
        return None
    return _Told(session_id, url, facts | {"participants": [phone for phone in people if phone and is_phone(phone)]}, callback.received_at)


def _facts(sent: dict[str, Any], data: dict[str, Any]) -> Row:
    status, sent_status, duration = named(data.get("status")), named(sent.get("status")), data.get("duration_s")
    return {
        "status": status,
        "sent_status": sent_status if sent_status and sent_status != status else None,
        "duration_s": whole(duration),
        "sent_duration": named(sent.get("duration")) if duration is not None and whole(duration) is None else None,
    }


def _row_of(connection: Connection, one: _Told, rows: dict[str, Row], now: datetime) -> Row:
    addresses = [row for url, row in rows.items() if url]
    if not one.url and len(addresses) == 1:
        return addresses[0]
    if one.url and one.url not in rows:
        if not addresses and "" in rows:
            return changed(connection, Recording, rows[""], {"url": one.url}, now)
        if len(addresses) == 1:
            _take_apart(connection, addresses[0], now)
    return _held(connection, str(one.session_id), one.url, one.at)


def _held(connection: Connection, session_id: str, url: str, since: datetime) -> Row:
    new = {"id": new_id("rec", since), "participants": [], "created_at": since}
    return held(connection, Recording, {"session_id": session_id, "url": url}, new)


def _take_apart(connection: Connection, row: Row, now: datetime) -> None:
    """Give what came without an address a row of its own again: once a second address comes, it may be about either."""
    kept = _kept(connection, row["session_id"])
    own, nameless = ([one for one in kept if one.url == url] for url in (row["url"], ""))
    if own and nameless:
        changed(connection, Recording, row, _sum(own), now)
        other = _held(connection, row["session_id"], "", nameless[0].at)
        changed(connection, Recording, other, _sum(nameless) | {"processed_at": now}, now)


def _kept(connection: Connection, session_id: str) -> list[_Told]:
    query = select(Callback.__table__).where(
        Callback.reference == session_id, Callback.kind.in_(_KINDS), Callback.state != "refused", Callback.has_effects
    )
    rows = [Callback(**row._mapping) for row in connection.execute(query.order_by(Callback.id))]
    return [one for row in rows if (one := _read(row, KINDS[row.kind].schema.load(row.fields))) is not None]


def _sum(all_told: list[_Told]) -> Row:
    values: Row = {"duration_s": None, "sent_duration": None, "status": None, "sent_status": None, "participants": []}
    values["created_at"] = all_told[0].at
    for one in all_told:
        values |= _merged(values, one)
    return values


def _merged(row: Row, one: _Told) -> Row:
    values = {name: larger(row[name], one.facts.get(name)) for name in ("duration_s", "sent_duration")}
    values["participants"] = sorted({*row["participants"], *one.facts["participants"]})
    values["created_at"] = min(row["created_at"], one.at)
    if one.facts.get("status") and _weight(one.facts) > _weight(row):
        values |= {"status": one.facts["status"], "sent_status": one.facts.get("sent_status")}
    return values


def _weight(facts: Row) -> tuple[bool, bool, str, str]:
    """Return what statuses compare by: completed counts most, and a word that we know more than one that we do not."""
    status = facts.get("status") or ""
    return status == COMPLETED, status in CALL_STATUSES.values(), status, facts.get("sent_status") or ""


def _address(url: str | None) -> str:
    address = named(url) or ""
    return address if len(address.encode()) <= _LONGEST_URL else str(index_key(address))
