"""A kept callback once more: found, edited, posted to another address, compared with what was answered first; and pinned.

Answering it here again is for routes/replays.py, which knows the views.
"""

from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from time import monotonic
from typing import Any

from sqlalchemy import Row, func, literal, select, update

from app.errors import GatewayError
from app.extensions import db, writing
from app.models import Callback
from app.schemas.answers import Answer
from app.schemas.bodies import clean
from services.inbox import Received
from services.programs import MOST_BYTES, without_secrets
from services.transport import Fetched, NoAnswer, NotReached, Transport
from services.webhooks.public_addresses import check_url, is_public

# In all: connecting, sending, and reading the answer.
DEADLINE_S = 15.0
# What stands as the source of a replay that another address answered
ELSEWHERE = "replay elsewhere"
# An answer up to so many characters is told whole in a sentence.
SHORT = 40
HEADERS = {"User-Agent": "at-ussd-api/1.0 Pokea replay", "Accept": "*/*"}


class UnknownCallback(GatewayError):
    """No callback has this id."""

    status = 404

    def __init__(self, callback_id: str) -> None:
        super().__init__(f"No callback '{clean(callback_id)[:60]}'. GET /api/v1/callbacks and flask callbacks list name the newest.")


@dataclass(frozen=True)
class Wish:
    """How a callback is to be replayed.

    changes: fields to set, None for one to take away; None: as it came. to: an address to post to, "" for this app.
    body: posted instead of the one that came, with the same type.
    may_reach_private: whether that address may be one of this machine or network.
    """

    changes: dict[str, Any] | None = None
    has_effects: bool = False
    to: str = ""
    may_reach_private: bool = False
    body: bytes | None = None


@dataclass(frozen=True)
class Replayed:
    """A replay and what came of it."""

    id: str
    first: Row
    state: str
    errors: dict[str, list[str]] | None
    answer: Answer
    ms: int
    wish: Wish

    @property
    def problem(self) -> str | None:
        """Why the other address gave no answer."""
        return self.answer.app["problem"] if self.wish.to and self.answer.app else None

    @property
    def difference(self) -> list[str]:
        """The lines of a unified diff from the first answer to this one, status and type included; none where they are alike."""
        return [] if self.problem else _difference(_first(self.first), _told(self.answer))

    def told(self) -> dict[str, Any]:
        """Return the replay for its caller, as JSON."""
        return {
            "id": self.id,
            "replay_of": self.first.id,
            "state": self.state,
            "errors": self.errors,
            "answer": None if self.problem else _told(self.answer),
            "first_answer": _first(self.first),
            "is_same": not self.problem and not self.difference,
            "difference": self.difference,
            "ms": self.ms,
            "effects": self.wish.has_effects,
            "to": without_secrets(self.wish.to) if self.wish.to else None,
            "problem": self.problem,
        }


def difference_between(first: Any, second: Any) -> list[str]:
    """Return the lines of a unified diff between the answers to two callbacks; none where they are alike. Both: rows."""
    return _difference(_first(first), _first(second))


def change_between(first: Any, second: Any) -> str:
    """Return in few words how the second answer differs, as `CON → END`; "" where they are alike. Both: rows."""
    before, after = _words_for(_first(first)), _words_for(_first(second))
    return ", ".join(f"{old} → {new}" for old, new in zip(before, after, strict=True) if old != new) or (
        "the same kind of answer, with another text" if first.answer != second.answer else ""
    )


def _words_for(answer: dict[str, Any]) -> tuple[str, ...]:
    body = answer["body"].strip()
    first, _, rest = body.partition(" ")
    # Of a screen its first word; what is short as it is.
    said = first if first in ("CON", "END") and rest else body if len(body) <= SHORT and "\n" not in body else f"{body[:SHORT]}…"
    return str(answer["status"]), answer["type"] or "no type", said or "nothing"


def find(callback_id: str) -> Row:
    """Return the kept callback of this id. Raises UnknownCallback."""
    with db.engine.connect() as connection:
        row = connection.execute(select(Callback.__table__).where(Callback.id == clean(callback_id))).one_or_none()
    if row is None:
        raise UnknownCallback(callback_id)
    return row


def ask(received: Received, wish: Wish, usual_type: str) -> Answer:
    """Return what the address of a wish answers to a callback, of a long answer the beginning; `app["problem"]` where it gave none.

    usual_type: Content-Type of an answer that names none. Raises Invalid for an address that must not be reached.
    """
    url = check_url(wish.to, wish.may_reach_private)
    headers = HEADERS | ({"Content-Type": received.content_type} if received.content_type else {})
    transport = Transport(DEADLINE_S, most_bytes=MOST_BYTES, connect_s=5.0, may_reach=None if wish.may_reach_private else is_public)
    began, status, text, media, problem = monotonic(), 0, "", "", None
    try:
        fetched = transport.fetch("POST", url, headers, received.raw_body, decodes=True)
        status, text, media = fetched.status, clean(fetched.raw.decode("utf-8", "replace")), _media(fetched, usual_type)
    except (NotReached, NoAnswer) as error:
        problem = str(error)
    app = {"url": without_secrets(url), "status": status, "answer": text, "problem": problem}
    flags = [f"replayed to another address, which gave no answer: {problem}"] if problem else []
    return Answer(text, media, status, flags=flags, spent={"app": round(1000 * (monotonic() - began))}, app=app)


def pin(callback_id: str, moment: datetime | None) -> datetime | None:
    """Keep a callback however old it is, from this moment unless it is pinned already; None lets it go. Returns since when.

    Raises UnknownCallback.
    """
    since = func.coalesce(Callback.pinned_at, literal(moment, Callback.pinned_at.type)) if moment else None
    pinned = update(Callback).where(Callback.id == clean(callback_id)).values(pinned_at=since).returning(Callback.pinned_at)
    with writing() as connection:
        row = connection.execute(pinned).one_or_none()
    if row is None:
        raise UnknownCallback(callback_id)
    return row.pinned_at


def _media(fetched: Fetched, usual_type: str) -> str:
    return (fetched.content_type or usual_type).partition(";")[0].strip().lower()[:100]


def _first(row: Row) -> dict[str, Any]:
    return {"status": row.answer_status, "type": row.answer_type, "body": row.answer}


def _told(answer: Answer) -> dict[str, Any]:
    return {"status": answer.status, "type": answer.media, "body": answer.body if answer.kept_body is None else answer.kept_body}


def _difference(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return list(unified_diff(_lines(first), _lines(second), "first answer", "this answer", lineterm=""))


def _lines(answer: dict[str, Any]) -> list[str]:
    return [f"{answer['status']} {answer['type']}".rstrip(), *answer["body"].split("\n")]
