"""Makes a campaign of what is asked and a list: rows in small transactions, so that callbacks are kept meanwhile."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from flask import current_app
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from ulid import ULID

from app.errors import Conflict, StorageUnavailable
from app.extensions import db, writing
from app.models import Campaign, CampaignBatch, CampaignRecipient
from services.campaigns.asked import Asked
from services.campaigns.batches import Draft, drafted, size_of, text_for
from services.campaigns.preview import preview
from services.campaigns.recipients import Listed, sort_out
from services.campaigns.rows import MAKING
from services.opt_outs import opted_out
from services.slots import digest

ROWS_AT_ONCE = 500
OPTED_OUT = "OptedOut"
# Whoever makes one keeps rows of it all the time; one that was left alone for so long is nobody's.
LEFT_AFTER = timedelta(minutes=2)
Row = TypeVar("Row")


def rehearse(asked: Asked, listed: Sequence[Listed]) -> dict[str, Any]:
    """Return the preview of a campaign and keep nothing. Raises Invalid, StorageUnavailable."""
    return _drawn_up(asked, listed)[2]


def made_before(asked: Asked, listed: Sequence[Listed]) -> str | None:
    """Return the id of the campaign that was asked for with this key before, None where there is none.

    Raises Conflict where that is another campaign, or is being made just now.
    """
    columns = (Campaign.id, Campaign.state, Campaign.fingerprint, Campaign.created_at)
    if asked.key is None:
        return None
    with db.engine.connect() as connection:
        row = connection.execute(select(*columns).where(Campaign.idempotency_key == asked.key)).one_or_none()
    if row is None or (row.state == MAKING and row.created_at < datetime.now(UTC) - LEFT_AFTER):
        return None
    if bytes(row.fingerprint) != _fingerprint(asked, listed):
        raise Conflict(f"This idempotencyKey belongs to another campaign ({row.id}): none was made. Take a new key.")
    if row.state == MAKING:
        raise _being_made()
    return str(row.id)


def create(asked: Asked, listed: Sequence[Listed]) -> str:
    """Keep a campaign as a draft, and return its id. Raises Invalid, StorageUnavailable, and Conflict where its key is taken."""
    recipients, drafts, before = _drawn_up(asked, listed)
    campaign_id, now = f"cmp_{ULID()}", datetime.now(UTC)
    row = _row(campaign_id, asked, before, now) | {"fingerprint": _fingerprint(asked, listed) if asked.key else None}
    with writing() as connection:
        # What a process that was killed had begun
        connection.execute(delete(Campaign).where(Campaign.state == MAKING, Campaign.created_at < now - LEFT_AFTER))
        make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        unless_there = make(Campaign).values(row).on_conflict_do_nothing(index_elements=["idempotency_key"])
        if connection.scalar(unless_there.returning(Campaign.id)) is None:
            raise _being_made()
    numbers = {phone: number for number, draft in enumerate(drafts, 1) for phone in draft.phones}
    for some in _chunks(recipients):
        with writing() as connection:
            _go_on(connection, campaign_id)
            connection.execute(insert(CampaignRecipient), [_recipient(campaign_id, numbers, *one) for one in some])
    for batches in _chunks(list(enumerate(drafts, 1))):
        with writing() as connection:
            _go_on(connection, campaign_id)
            connection.execute(insert(CampaignBatch), [new_batch(campaign_id, *one, now) for one in batches])
    with writing() as connection:
        _go_on(connection, campaign_id, state="draft")
    return campaign_id


def _go_on(connection: Connection, campaign_id: str, **values: str) -> None:
    """Show that a campaign is still being made. Raises StorageUnavailable where that took so long that it was cleared away."""
    mine = (Campaign.id == campaign_id) & (Campaign.state == MAKING)
    if connection.execute(update(Campaign).where(mine).values(created_at=datetime.now(UTC), **values)).rowcount != 1:
        raise StorageUnavailable


def _being_made() -> Conflict:
    return Conflict("The campaign with this idempotencyKey is being made: ask again in 2 s.", retry_after_s=2)


def _fingerprint(asked: Asked, listed: Sequence[Listed]) -> bytes:
    """Return the hash of what makes two campaigns the same."""
    content = [asdict(asked), [[line.phone, line.columns] for line in listed]]
    return digest(json.dumps(content, sort_keys=True, default=str).encode())


def new_batch(campaign_id: str, number: int, draft: Draft, now: datetime) -> dict[str, Any]:
    """Return the row of a batch. Batches are due in the order of their numbers."""
    return {
        "id": f"bat_{ULID()}", "campaign_id": campaign_id, "number": number, "text": draft.text, "country": draft.country,
        "state": "waiting", "due_at": now + timedelta(microseconds=number), "tries": 0,
    }  # fmt: skip


def _drawn_up(asked: Asked, listed: Sequence[Listed]) -> tuple[list[tuple[int, Listed, bool]], list[Draft], dict[str, Any]]:
    """Return (position, recipient, wants it) of each, the batches, and the preview."""
    found = sort_out(listed, current_app.config["POKEA"].default_country)
    refusing = _opted_out([line.phone for line in found.good])
    filled = [(line, text_for(asked.message, line)) for line in found.good]
    wanted = (one for one in filled if one[0].phone not in refusing)
    drafts = drafted(size_of(asked.channel, asked.rate), wanted)
    left_out = {"invalid": found.invalid, "repeated": found.repeated, "opted_out": len(refusing)}
    recipients = [(position, line, line.phone not in refusing) for position, line in enumerate(found.good, 1)]
    return recipients, drafts, preview(asked, drafts, left_out)


def _opted_out(phones: list[str]) -> set[str]:
    with db.engine.connect() as connection:
        return {phone for some in _chunks(phones) for phone in opted_out(connection, some)}


def _row(campaign_id: str, asked: Asked, before: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "id": campaign_id, "name": asked.name, "channel": asked.channel, "message": asked.message, "own": asked.own, "state": MAKING,
        "send_at": asked.send_at, "quiet_hours": asked.quiet_hours, "rate": asked.rate, "faults": 0, "preview": before,
        "idempotency_key": asked.key, "created_at": now,
    }  # fmt: skip


def _recipient(campaign_id: str, numbers: dict[str, int], position: int, line: Listed, is_wanted: bool) -> dict[str, Any]:
    state, reason = ("created", None) if is_wanted else ("skipped", OPTED_OUT)
    return {
        "campaign_id": campaign_id, "phone": line.phone, "position": position, "columns": line.columns, "state": state, "reason": reason,
        "batch_number": numbers.get(line.phone),
    }  # fmt: skip


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[first : first + ROWS_AT_ONCE] for first in range(0, len(rows), ROWS_AT_ONCE))
