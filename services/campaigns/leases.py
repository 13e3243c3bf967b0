"""Leases of batches: how long one lasts, how many a campaign may have, and which were left by processes that are gone."""

from collections import defaultdict
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from app.extensions import db, writing
from app.models import Campaign, CampaignBatch
from services.campaigns.rows import held
from services.upkeep.processes import is_gone

# Calls of one campaign under way at once
MOST_LEASES = 4
# Longer than a call can take, by so much, and whoever made it is gone.
LEASE_S = 20


def ends(now: datetime) -> datetime:
    """Return when a lease is over that begins now."""
    return now + timedelta(seconds=current_app.config["POKEA"].at_timeout_s + LEASE_S)


def are_all_taken(connection: Connection, campaign: Campaign, now: datetime) -> bool:
    """Whether as many batches of a campaign are under way as may be."""
    query = select(func.count()).where(CampaignBatch.campaign_id == campaign.id, _is_live(now))
    return (connection.scalar(query) or 0) >= MOST_LEASES


def end_those_left(campaign_states: tuple[str, ...], now: datetime) -> None:
    """Make batches due whose holders are gone for certain: nobody else would have them until their leases end."""
    query = select(CampaignBatch.campaign_id, CampaignBatch.leased_by).join(Campaign, Campaign.id == CampaignBatch.campaign_id)
    query = query.where(Campaign.state.in_(campaign_states), CampaignBatch.leased_by.is_not(None), _is_live(now))
    with db.engine.connect() as connection:
        leases = connection.execute(query).all()
    left: dict[str, list[str]] = defaultdict(list)
    for campaign_id, holder in leases:
        if holder and is_gone(holder):
            left[campaign_id].append(holder)
    for campaign_id, holders in left.items():
        with writing() as connection:
            theirs = (CampaignBatch.campaign_id == campaign_id) & CampaignBatch.leased_by.in_(holders) & _is_live(now)
            if held(connection, campaign_id, is_patient=False):
                connection.execute(update(CampaignBatch).where(theirs).values(due_at=now, leased_until=None, leased_by=None))


def _is_live(now: datetime) -> ColumnElement[bool]:
    # A leased batch is due when its lease ends, so that no other rows than these are read.
    is_due_then = and_(CampaignBatch.due_at > now, CampaignBatch.due_at <= ends(now))
    return and_(CampaignBatch.state == "waiting", is_due_then, CampaignBatch.leased_until > now)
