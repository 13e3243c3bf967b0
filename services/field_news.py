"""Fields that Africa's Talking began to send, or sends no more, as the newest callbacks show it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from app.models import Callback
from app.schemas.callbacks import KINDS

# So many callbacks are looked at, of all kinds together; and so many of one kind are what is sent now.
WINDOW, NOW = 2000, 100
# Anybody who may post can make up names.
MOST_NAMES, MOST_LETTERS = 10, 60
# Documented by Africa's Talking, but read by no schema and in no sample: no news.
_DOCUMENTED = {
    "voice.instructions": {"callerCarrierName"},
    "voice.event": {"callerCarrierName"},
    "ussd.session_end": {"hopsMetadata"},
    "payments.notification": {"clientAccount", "direction", "origin"},
    "payments.validation": {"category", "clientAccount", "productName", "provider"},
}


@dataclass(frozen=True)
class News:
    """One field of one kind. at: since when it comes, or when it came last. count: in how many of the newest NOW.

    is_older: it may have come before, too.
    """

    kind: str
    name: str
    is_new: bool
    at: datetime
    count: int = 0
    is_older: bool = False


def field_news(connection: Connection) -> list[News]:
    """Return the fields that no schema knows, and the known ones that came and come no more, of each kind."""
    columns = (Callback.kind, Callback.fields, Callback.received_at, Callback.state, Callback.via)
    by_kind: dict[str, list[Any]] = {}
    for row in connection.execute(select(*columns).order_by(Callback.id.desc()).limit(WINDOW)):
        # Sorted out here: the database would look for others, however far back.
        if row.state != "refused" and row.via is None:
            by_kind.setdefault(row.kind, []).append(row)
    return [news for kind in KINDS for news in (*_new(kind, by_kind.get(kind, [])), *_gone(kind, by_kind.get(kind, [])))]


def known_names(kind: str) -> set[str]:
    """Return the names on the wire that a kind is known to have."""
    row = KINDS[kind]
    in_schema = {field.data_key or name for name, field in row.schema.fields.items()}
    return in_schema | row.sample.keys() | {*row.phone, *row.identity} | _DOCUMENTED.get(kind, set())


def _new(kind: str, rows: list[Any]) -> list[News]:
    known, now = known_names(kind), rows[:NOW]
    names = sorted({name for row in now for name in row.fields} - known)
    return [_since(kind, name, rows) for name in names[:MOST_NAMES]]


def _since(kind: str, name: str, rows: list[Any]) -> News:
    first = next(row for row in reversed(rows) if name in row.fields)
    count = sum(name in row.fields for row in rows[:NOW])
    return News(kind, name[:MOST_LETTERS], True, first.received_at, count, first is rows[-1])


def _gone(kind: str, rows: list[Any]) -> list[News]:
    now, before = rows[:NOW], rows[NOW:]
    names = known_names(kind) & {name for row in before for name in row.fields} - {name for row in now for name in row.fields}
    return [News(kind, name, False, next(row.received_at for row in before if name in row.fields)) for name in sorted(names)]
