"""Reads campaigns back, and tells them: how far each is, its batches and its recipients."""

import re
from datetime import UTC, datetime
from typing import Any

from flask import current_app
from sqlalchemy import Connection, func, select

from app import masking
from app.errors import Invalid
from app.extensions import db
from app.models import Campaign, CampaignBatch, CampaignRecipient
from services.campaigns.quiet import quiet_until
from services.campaigns.rows import MAKING, STATES, UnknownCampaign, known, totals
from services.campaigns.unknowns import catch_up

__all__ = ["UnknownCampaign", "batches", "listed", "one", "recipients"]
BATCH_STATES = ("waiting", "done", "unknown", "settled")
CAMPAIGN_STATES = ("draft", "running", "paused", "cancelled", "unsettled", "finished")
_ID = re.compile(r"cmp_[0-9A-Z]{26}", re.ASCII)
_NO_CURSOR = "'after' must be the 'next' of the page before"
Page = tuple[list[dict[str, Any]], str | None]


def one(campaign_id: str, now: datetime | None = None) -> dict[str, Any]:
    """Return all about one campaign, as far as it is known now. Raises UnknownCampaign."""
    catch_up(campaign_id)
    with db.engine.connect() as connection:
        campaign = _row(connection, campaign_id)
        whole = _told(connection, campaign)
        whole |= {"message": campaign.message, "sender": campaign.own, "rate": campaign.rate, "quiet_hours": campaign.quiet_hours}
        whole |= {"next_batch": _next(connection, campaign), "quiet": _quiet(connection, campaign, now or datetime.now(UTC))}
    return _shown(whole | {"preview": campaign.preview})


def listed(state: str | None = None, after: str | None = None, limit: int = 50) -> Page:
    """Return campaigns, newest first, and the cursor of the next page. Raises Invalid."""
    query = select(Campaign.__table__).where(Campaign.state != MAKING)
    if _checked(state, CAMPAIGN_STATES):
        query = query.where(Campaign.state == state)
    if after:
        if not _ID.fullmatch(after):
            raise Invalid(_NO_CURSOR)
        query = query.where(Campaign.id < after)
    with db.engine.connect() as connection:
        rows = connection.execute(query.order_by(Campaign.id.desc()).limit(limit + 1)).all()
        told = [_told(connection, Campaign(**row._mapping)) for row in rows[:limit]]
    return [_shown(campaign) for campaign in told], rows[limit - 1].id if len(rows) > limit else None


def batches(campaign_id: str, state: str | None = None, after: str | None = None, limit: int = 50) -> Page:
    """Return the batches of a campaign by their numbers, and the cursor of the next page. Raises UnknownCampaign, Invalid."""
    catch_up(campaign_id)
    query = select(CampaignBatch.__table__).where(CampaignBatch.campaign_id == campaign_id, CampaignBatch.number > _place(after))
    if _checked(state, BATCH_STATES):
        query = query.where(CampaignBatch.state == state)
    with db.engine.connect() as connection:
        _row(connection, campaign_id)
        rows = connection.execute(query.order_by(CampaignBatch.number).limit(limit + 1)).all()
        counts = _counts(connection, campaign_id, [row.number for row in rows[:limit]])
    told = [_told_batch(CampaignBatch(**row._mapping), counts.get(row.number, {})) for row in rows[:limit]]
    return [_shown(batch) for batch in told], str(rows[limit - 1].number) if len(rows) > limit else None


def recipients(campaign_id: str, state: str | None = None, after: str | None = None, limit: int = 50) -> Page:
    """Return the recipients of a campaign in their order, and the cursor of the next page. Raises UnknownCampaign, Invalid."""
    catch_up(campaign_id)
    ours = (CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.position > _place(after))
    query = select(CampaignRecipient.__table__).where(*ours)
    if _checked(state, STATES):
        query = query.where(CampaignRecipient.state == state)
    with db.engine.connect() as connection:
        _row(connection, campaign_id)
        rows = connection.execute(query.order_by(CampaignRecipient.position).limit(limit + 1)).all()
    told = [
        {"phone": row.phone, "state": row.state, "reason": row.reason, "batch": row.batch_number, "columns": row.columns}
        for row in rows[:limit]
    ]
    return [_shown(recipient) for recipient in told], str(rows[limit - 1].position) if len(rows) > limit else None


def _row(connection: Connection, campaign_id: str) -> Campaign:
    row = connection.execute(select(Campaign.__table__).where(Campaign.id == campaign_id, Campaign.state != MAKING)).one_or_none()
    return known(Campaign(**row._mapping) if row else None, campaign_id)


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    return masking.everything(told) if current_app.config["POKEA"].privacy else told


def _checked(state: str | None, states: tuple[str, ...]) -> str | None:
    if state and state not in states:
        raise Invalid(f"'state' must be one of: {', '.join(states)}")
    return state


def _place(after: str | None) -> int:
    if after and not (after.isascii() and after.isdigit() and len(after) < 10):
        raise Invalid(_NO_CURSOR)
    return int(after or 0)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _told(connection: Connection, campaign: Campaign) -> dict[str, Any]:
    counts = totals(connection, campaign.id)
    done = counts["total"] - counts["created"]
    return {
        "campaignId": campaign.id,
        "name": campaign.name,
        "channel": campaign.channel,
        "state": campaign.state,
        "paused_because": campaign.paused_because,
        "totals": counts,
        "progress": {"done": done, "percent": 100 * done // counts["total"] if counts["total"] else 0},
        "created_at": _iso(campaign.created_at),
        "send_at": _iso(campaign.send_at),
        "started_at": _iso(campaign.started_at),
        "ended_at": _iso(campaign.ended_at),
    }


def _told_batch(batch: CampaignBatch, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "number": batch.number,
        "state": batch.state,
        "country": batch.country or None,
        "recipients": counts,
        "text": batch.text,
        "due_at": _iso(batch.due_at) if batch.state == "waiting" else None,
        "tries": batch.tries,
        "last_error": batch.last_error,
        "invocation": batch.invocation_id,
        "chosen": batch.chosen,
    }


def _counts(connection: Connection, campaign_id: str, numbers: list[int]) -> dict[int, dict[str, int]]:
    columns = (CampaignRecipient.batch_number, CampaignRecipient.state)
    ours = (CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.batch_number.in_(numbers))
    found: dict[int, dict[str, int]] = {}
    for number, state, count in connection.execute(select(*columns, func.count()).where(*ours).group_by(*columns)):
        found.setdefault(number or 0, {})[state] = count
    return found


def _next(connection: Connection, campaign: Campaign) -> dict[str, Any] | None:
    """Return the number of the batch that goes next, and when that may be."""
    if campaign.state != "running":
        return None
    waiting = select(CampaignBatch.number, CampaignBatch.due_at).where(
        CampaignBatch.campaign_id == campaign.id, CampaignBatch.state == "waiting"
    )
    row = connection.execute(waiting.order_by(CampaignBatch.due_at).limit(1)).one_or_none()
    return {"number": row.number, "at": _iso(max(row.due_at, campaign.next_batch_at or row.due_at))} if row else None


def _quiet(connection: Connection, campaign: Campaign, now: datetime) -> dict[str, str]:
    """Return until when it is quiet in each country that has batches waiting."""
    if not campaign.quiet_hours or campaign.state not in ("running", "paused", "draft"):
        return {}
    waiting = select(CampaignBatch.country).where(CampaignBatch.campaign_id == campaign.id, CampaignBatch.state == "waiting")
    ends = {country: quiet_until(campaign.quiet_hours, country, now) for country in connection.scalars(waiting.distinct())}
    return {country or "*": moment.isoformat() for country, moment in ends.items() if moment}
