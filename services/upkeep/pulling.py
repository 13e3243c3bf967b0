"""Fetches messages that came in while this app could not be reached, and keeps them as if they had been posted."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from flask import current_app
from marshmallow import ValidationError
from sqlalchemy import Row, select

from app.errors import GatewayError
from app.extensions import db, writing
from app.models import Callback
from app.schemas.answers import GOOD, JSON
from app.schemas.callbacks import KINDS
from services import inbox
from services.inbox import Received
from services.reading.filters import first_id, spellings
from services.slots import identity_of, slot_of_identity
from services.transport import NoAnswer, NotReached, Reply
from services.upkeep.marks import read_mark, write_mark

KIND = "sms.incoming_message"
MARK = "pulled"
# Where it would have been posted; a later post of the very same is then answered alike.
_PATH = "/api/sms/twoway"
MOST_PAGES = 100
# The times of a message that was posted and of the same one fetched agree to the second.
_SAME_TIME = timedelta(seconds=2)
_BEFORE = timedelta(days=1)


class NotPulled(GatewayError):
    """Africa's Talking did not give the messages."""

    status = 502


@dataclass(frozen=True)
class Pulled:
    """How many messages were fetched, and how many of them nobody had posted before."""

    messages: int
    new: int


def pull(most_pages: int = MOST_PAGES) -> Pulled:
    """Fetch the messages since the last one that was fetched, and keep each once. Raises NotPulled, StorageUnavailable."""
    count = new = 0
    for _ in range(most_pages):
        last = _last_id()
        messages = _page(last)
        fresh = [message for message in messages if _id_of(message) > last]
        if not fresh:
            break
        for message in sorted(fresh, key=_id_of):
            count += 1
            new += _keep(message)
        # Only now: what was fetched and not kept is fetched again.
        _remember(max(map(_id_of, fresh)))
    return Pulled(count, new)


def _page(last: int) -> list[dict[str, Any]]:
    try:
        reply = current_app.extensions["pokea.desk"].client.fetch_messages(last)
    except (NotReached, NoAnswer) as error:
        raise NotPulled(f"Africa's Talking did not give the messages: {error}. Nothing is lost; try again.") from error
    return list(_messages(reply))


def _messages(reply: Reply) -> Iterable[dict[str, Any]]:
    data = reply.body.get("SMSMessageData") if isinstance(reply.body, dict) else None
    found = data.get("Messages") if isinstance(data, dict) else None
    if reply.status not in (200, 201) or not isinstance(found, list):
        todo = "Check AT_USERNAME and AT_API_KEY." if reply.status == 401 else "Try again later."
        raise NotPulled(f"Africa's Talking answered {reply.status} instead of messages. {todo}")
    return (message for message in found if isinstance(message, dict) and _id_of(message) > 0)


def _id_of(message: dict[str, Any]) -> int:
    text = str(message.get("id", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _account() -> str:
    settings = current_app.config["POKEA"]
    return f"{settings.at_username}@{settings.at_base_url or settings.at_mode}"


def _last_id() -> int:
    with db.engine.connect() as connection:
        return int((read_mark(connection, MARK) or {}).get(_account(), 0))


def _remember(last: int) -> None:
    with writing() as connection:
        marks = read_mark(connection, MARK) or {}
        write_mark(connection, MARK, marks | {_account(): last}, datetime.now(UTC))


def _keep(message: dict[str, Any]) -> bool:
    """Keep a message, or count it as a repeat of the one that is there; return whether it is new."""
    received = _received(message)
    known = _known(received)
    if known is not None:
        # The same, with fewer fields: counted on the row that has them all.
        received.fields, received.errors = known.fields, None
    kept = inbox.keep(received, GOOD, current_app.extensions["pokea.outage"])
    return kept.state != "repeat"


def _received(message: dict[str, Any]) -> Received:
    row = KINDS[KIND]
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    received = Received(
        KIND, row, _PATH, body, JSON, {}, "", "pulled", {}, datetime.now(UTC), monotonic(), "", fields=message, via="pulled"
    )  # fmt: skip
    try:
        received.data = row.schema.load(message)
    except ValidationError as refused:
        received.errors = refused.normalized_messages()
    else:
        received.flags = row.schema.doubts(received.data)
    return received


def _known(received: Received) -> Row | None:
    """Return the callback that brought this message: of the same id, or the same message under the id that posts have."""
    identity = identity_of(received.row, received.fields)
    if received.errors or identity is None:
        return None
    columns = select(Callback.id, Callback.fields)
    numbers = spellings(received.data["sender"])
    sent_at = received.data["date"]
    since = sent_at if isinstance(sent_at, datetime) else received.received_at
    near = Callback.phone.in_(numbers) & (Callback.id >= first_id("cb_", since - _BEFORE))
    with db.engine.connect() as connection:
        same_id = connection.execute(columns.where(Callback.slot == slot_of_identity(KIND, identity))).first()
        alike = columns.where(near, Callback.kind == KIND, Callback.state != "refused", Callback.via.is_(None))
        return same_id or next((row for row in connection.execute(alike) if _is_same(received, row.fields)), None)


def _is_same(received: Received, fields: dict[str, Any]) -> bool:
    told, other = received.data, received.row.schema.load(fields)
    if told["text"] != other["text"] or told["to"] != other["to"]:
        return False
    if told.get("link_id") and other.get("link_id"):
        return bool(told["link_id"] == other["link_id"])
    times = (told["date"], other["date"])
    return all(isinstance(time, datetime) for time in times) and abs(times[0] - times[1]) <= _SAME_TIME
