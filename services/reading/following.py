"""Callbacks and events as they are committed, for who follows them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, select

from app.extensions import Base, db
from app.models import Callback, Event
from services.reading.filters import first_id, spellings
from services.webhooks.events import matches

# An id is made before its row is committed: rows may come with smaller ids than were seen already, but not by more than this.
LATE = timedelta(seconds=15)
TOGETHER = 500
_TABLES = ((Callback, "cb_"), (Event, "evt_"))


@dataclass
class Follower:
    """Gives each row once that is kept after `since`. kinds: names or families, as `sms.*`; none for all."""

    since: datetime
    kinds: tuple[str, ...] = ()
    phone: str | None = None
    default_country: str = ""
    _seen: set[str] = field(default_factory=set)

    def look(self, now: datetime) -> list[Callback | Event]:
        """Return what was committed since the last look, oldest first."""
        found = [row for model, prefix in _TABLES for row in self._rows(model, first_id(prefix, self.since))]
        new = [row for row in found if row.id not in self._seen]
        self.since = max(self.since, now - LATE)
        self._seen = {row.id for row in found}
        return sorted(new, key=lambda row: row.id.partition("_")[2])

    def _rows(self, model: type[Base], first: str) -> Iterator[Any]:
        columns: dict[str, Column] = dict(model.__table__.c)  # type: ignore[arg-type]
        query = select(model.__table__).where(columns["id"] >= first)
        if self.phone:
            query = query.where(columns["phone"].in_(spellings(self.phone, self.default_country)))
        after = ""
        while True:
            page = query.where(columns["id"] > after).order_by(columns["id"]).limit(TOGETHER)
            with db.engine.connect() as connection:
                rows: list[Any] = [model(**row._mapping) for row in connection.execute(page)]
            yield from (row for row in rows if self._is_wanted(row))
            if len(rows) < TOGETHER:
                return
            after = rows[-1].id

    def _is_wanted(self, row: Any) -> bool:
        name = row.kind if isinstance(row, Callback) else row.name
        return not self.kinds or any(matches(kind, name) for kind in self.kinds)
