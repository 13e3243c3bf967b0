"""Where people leave a USSD menu: which screens were the last that sessions saw, though they did not end there."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from sqlalchemy import Connection, Row, select

from app import masking
from app.models import Callback, Session
from services.reading.paging import Stream, read
from services.reading.transcripts import HOP

# So much is looked at, however much there is.
MOST_SESSIONS = 1000
MOST_HOPS = 20_000
MOST_SCREENS = 100
MOST_TEXT = 90
_AT_ONCE = 500
# A session lasts no longer than this between two hops.
STILL_OPEN = timedelta(minutes=3)
_OPTION = re.compile(r"(\s*\d{1,2}[.):]\s)?(.*)", re.DOTALL)
_NUMBER = re.compile(r"\+?\d(?:[\d.,*]*\d)?")


@dataclass(frozen=True)
class Place:
    """One screen. seen, left, open: how many sessions saw it, ended there without an END, and of these may still go on."""

    key: str
    word: str
    text: str
    seen: int
    left: int
    open: int

    @property
    def share(self) -> float:
        """Which part of those that saw it left, in per cent."""
        return 100 * self.left / self.seen


@dataclass(frozen=True)
class DropOff:
    """The screens of one code, those that most left first, over so many of its newest sessions."""

    places: list[Place]
    sessions: int


def drop_off(connection: Connection, own: str, now: datetime, hides: bool) -> DropOff:
    """Return where people leave the menu of a service code, over its MOST_SESSIONS newest sessions."""
    wanted = (Session.product == "ussd", Session.own == own)
    columns = select(Session.id, Session.provider_id, Session.state)
    found = read(connection, Stream(columns, Session.__table__.c.id, wanted), None, MOST_SESSIONS)
    states = {row.provider_id: row.state for _, row in found.rows}
    screens: dict[str, tuple[str, str]] = {}
    named: dict[str, str] = {}
    seen, left, still = Counter[str](), Counter[str](), Counter[str]()
    for reference, hops in _hops(connection, list(states)).items():
        keys = [named.get(hop.answer) or named.setdefault(hop.answer, _key(hop.answer, screens)) for hop in hops]
        seen.update(set(keys))
        if not hops[-1].answer.startswith("END"):
            left[keys[-1]] += 1
            still[keys[-1]] += states[reference] == "open" and now - hops[-1].received_at < STILL_OPEN
    places = [
        Place(key, word, _beginning(text, hides), seen[key], left[key], still[key]) for key, (word, text) in screens.items()
    ]  # fmt: skip
    places.sort(key=lambda one: (-one.left, -one.seen, one.text))
    return DropOff(places[:MOST_SCREENS], len(states))


def codes(connection: Connection) -> list[str]:
    """Return the service codes of the newest sessions, most used first."""
    columns = select(Session.id, Session.own)
    wanted = (Session.product == "ussd", Session.own.is_not(None))
    found = read(connection, Stream(columns, Session.__table__.c.id, wanted), None, MOST_SESSIONS)
    return [own for own, _ in Counter(row.own for _, row in found.rows).most_common(20)]


def general(text: str) -> str:
    """Return a screen's text with # for each number but those of its options, so that another balance is no other screen."""
    return "\n".join(_general_line(line) for line in text.split("\n"))


def _general_line(line: str) -> str:
    option, rest = _OPTION.fullmatch(line).groups("")  # type: ignore[union-attr]
    return option + _NUMBER.sub("#", rest)


def _key(answer: str, screens: dict[str, tuple[str, str]]) -> str:
    """Return the hash of a screen, and keep its word and text under it."""
    word, text = answer[:3], general(answer[4:])
    key = blake2b(f"{word} {text}".encode(errors="replace"), digest_size=6).hexdigest()
    screens[key] = (word, text)
    return key


def _beginning(text: str, hides: bool) -> str:
    line = " / ".join(one.strip() for one in text.split("\n") if one.strip())
    shown = masking.numbers_in(line) if hides else line
    return shown if len(shown) <= MOST_TEXT else f"{shown[: MOST_TEXT - 1]}…"


def _hops(connection: Connection, references: Sequence[str]) -> dict[str, list[Row]]:
    """Return the hops of each session, in order."""
    found: dict[str, list[Row]] = {}
    columns = select(Callback.id, Callback.reference, Callback.answer, Callback.received_at)
    columns = columns.where(Callback.kind == HOP, Callback.has_effects, Callback.replay_of.is_(None))
    for first in range(0, len(references), _AT_ONCE):
        query = columns.where(Callback.reference.in_(references[first : first + _AT_ONCE])).order_by(Callback.id).limit(MOST_HOPS)
        for row in connection.execute(query):
            found.setdefault(row.reference, []).append(row)
    return found
