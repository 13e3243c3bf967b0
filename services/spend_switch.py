"""The switch that stops all sending: in the database, so that every process obeys it with its next order."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from app.errors import NotReady
from app.schemas.bodies import clean
from services.spending import counting
from services.upkeep.marks import read_mark, write_mark

MARK = "spending stopped"
LONGEST_NAME = 100
_HOW_ON = "Allow it on the dashboard (Money) or with flask spend allow."


@dataclass(frozen=True)
class Switch:
    """How it was set last. by: who did, since: when."""

    is_stopped: bool
    by: str
    since: datetime

    def said(self) -> str:
        """Return it as a sentence."""
        how = "stopped" if self.is_stopped else "allowed"
        return f"Sending is {how} since {self.since:%Y-%m-%d %H:%M:%S} UTC by {self.by}."

    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"is_stopped": self.is_stopped, "by": self.by, "since": self.since.isoformat()}


def read_switch(connection: Connection) -> Switch | None:
    """Return how the switch was set last, None where nobody ever touched it."""
    value = read_mark(connection, MARK)
    return Switch(value["is_stopped"], value["by"], datetime.fromisoformat(value["since"])) if value else None


def insist_on_leave(connection: Connection) -> None:
    """Raise NotReady while sending is stopped. connection: of the transaction that makes an order's row."""
    switch = read_switch(connection)
    if switch and switch.is_stopped:
        raise NotReady(f"{switch.said()[:-1]}: nothing was sent. {_HOW_ON}")


def stop(by: str, now: datetime | None = None) -> Switch:
    """Let no order be placed from now on; those that were placed before end as they will. Who stopped first stays named."""
    return _set(True, by, now)


def allow(by: str, now: datetime | None = None) -> Switch:
    """Let orders be placed again."""
    return _set(False, by, now)


def _set(is_stopped: bool, by: str, now: datetime | None) -> Switch:
    now = now or datetime.now(UTC)
    # Once this is committed, nobody is left who counted before it and places an order after it.
    with counting() as connection:
        known = read_switch(connection)
        if known and known.is_stopped == is_stopped:
            return known
        switch = Switch(is_stopped, clean(by).strip()[:LONGEST_NAME] or "somebody", now)
        write_mark(connection, MARK, switch.told(), now)
    return switch
