"""Whether Africa's Talking reaches each address. Whoever processes callbacks remembers the newest of each kind and sort; what was
refused has an index of its own. So nobody looks through the callbacks for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import Connection, select

from app.models import Callback, Mark
from app.schemas.callbacks import KINDS
from app.settings import Settings
from services.reading.filters import first_id
from services.reading.signs import Sign
from services.senders import host_of, sort_of
from services.upkeep.backlog import literally
from services.upkeep.marks import write_mark

TICKS = {
    "none": Sign("○", "not seen yet", "calm"),
    "sample": Sign("◐", "our own sample arrived, from here", "calm"),
    "tunnel": Sign("◐", "our own sample arrived through the public URL", "calm"),
    "local": Sign("◐", "came from this machine", "calm"),
    "unproven": Sign("●", "seen, not proven", "warn"),
    "proven": Sign("●", "seen and proven", "good"),
    "error": Sign("✗", "last answer was an error", "bad"),
    "voiceless": Sign("–", "sandbox has no voice", "calm"),
}
# What comes from elsewhere says most, however much was tried here since.
_SEEN = ("proven", "unproven")
# A mark is written again after so long at the earliest: workers wait for each other where they write the same row.
EVERY = timedelta(seconds=5)
# An id is made before its row is committed, but not earlier than this.
_LATE = timedelta(seconds=15)
MOST_REFUSED = 200


@dataclass(frozen=True)
class Tick:
    """How things stand with one kind. state: a key of TICKS. id: of the callback that says so.

    host: at which the newest from another machine came in, "" for none.
    """

    kind: str
    state: str = "none"
    at: datetime | None = None
    status: int | None = None
    id: str | None = None
    host: str = ""


def note(connection: Connection, callbacks: Sequence[Callback], now: datetime) -> None:
    """Remember the newest of what came, of each kind and sort. What was replayed or fetched did not come."""
    came = sorted((one for one in callbacks if one.via is None), key=lambda one: one.id)
    newest = {f"{_prefix(_settings())}{one.kind} {sort_of(one)}": one for one in came}
    if not newest:
        return
    known: dict[str, Any] = dict(connection.execute(select(Mark.name, Mark.value).where(Mark.name.in_(newest))).all())
    # Always in the same order, so that no two workers wait for each other.
    for name, one in sorted(newest.items()):
        value = {"id": one.id, "at": one.received_at.isoformat(), "status": one.answer_status, "host": host_of(one)}
        if _is_news(known.get(name), value):
            write_mark(connection, name, value, now)


def ticks(connection: Connection, settings: Settings) -> dict[str, Tick]:
    """Return how things stand with each kind."""
    prefix = _prefix(settings)
    remembered: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for name, value in connection.execute(select(Mark.name, Mark.value).where(Mark.name.startswith(prefix, autoescape=True))):
        kind, _, sort = name.removeprefix(prefix).partition(" ")
        remembered.get(kind, {})[sort] = value
    refused = _newest_refused(connection)
    return {kind: _tick(connection, settings, kind, sorts, refused.get(kind)) for kind, sorts in remembered.items()}


def seen_elsewhere(found: Iterable[Tick], host: str) -> list[Tick]:
    """Return the kinds whose newest callback from outside came in at another host than this, newest first."""
    moved = [tick for tick in found if tick.host and tick.host != host]
    return sorted(moved, key=lambda tick: tick.id or "", reverse=True)


def lacks_voice(settings: Settings) -> bool:
    """Whether this is Africa's Talking's own sandbox, which has no voice."""
    return settings.at_mode == "sandbox" and not settings.at_base_url


def _tick(connection: Connection, settings: Settings, kind: str, sorts: dict[str, Any], refused: Any) -> Tick:
    last = max(sorts.values(), key=lambda value: value["id"], default=None)
    seen = max((sorts[sort] for sort in _SEEN if sort in sorts), key=lambda value: value["id"], default=None)
    host = seen["host"] if seen else ""
    if refused and not _is_answered_since(connection, refused, last):
        return Tick(kind, "error", refused.received_at, refused.answer_status, refused.id, host)
    state = next((sort for sort in _SEEN if sort in sorts), None) or next((sort for sort in sorts if sorts[sort] is last), "none")
    if state == "none" and kind.startswith("voice.") and lacks_voice(settings):
        state = "voiceless"
    value = sorts.get(state)
    return Tick(kind, state, datetime.fromisoformat(value["at"]), value["status"], value["id"], host) if value else Tick(kind, state)


def _newest_refused(connection: Connection) -> dict[str, Any]:
    columns = (Callback.id, Callback.kind, Callback.received_at, Callback.answer_status, Callback.via)
    query = select(*columns).where(literally(Callback.state, "refused")).order_by(Callback.id.desc()).limit(MOST_REFUSED)
    return {row.kind: row for row in reversed(connection.execute(query).all()) if row.via is None}


def _is_answered_since(connection: Connection, refused: Any, last: Any) -> bool:
    """Whether one was taken after this one was refused: known, or too soon after the last mark to be remembered."""
    if last is None or last["id"] > refused.id:
        return last is not None
    ends = first_id("cb_", datetime.fromisoformat(last["at"]) + EVERY + _LATE)
    since = (Callback.id > refused.id) & (Callback.id < ends) & (Callback.kind == refused.kind)
    taken = select(Callback.id).where(since, Callback.state != "refused", Callback.via.is_(None)).limit(1)
    return connection.scalar(taken) is not None


def _is_news(known: dict[str, Any] | None, value: dict[str, Any]) -> bool:
    if known is None:
        return True
    is_old = datetime.fromisoformat(value["at"]) - datetime.fromisoformat(known["at"]) >= EVERY
    return value["id"] > known["id"] and (is_old or any(value[name] != known[name] for name in ("status", "host")))


def _prefix(settings: Settings) -> str:
    """Return how the marks of this account begin: what the sandbox reached says nothing of the live app."""
    return f"tick {settings.at_mode} {settings.at_username} "


def _settings() -> Settings:
    return current_app.config["POKEA"]
