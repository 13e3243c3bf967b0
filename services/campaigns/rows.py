"""What all who change a campaign share: its row, held by one of them at a time; its totals; its events; its end."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from app.errors import GatewayError
from app.models import Campaign, CampaignBatch, CampaignRecipient
from services.webhooks.events import publish

# Its rows are being written; nobody sees it yet.
MAKING = "making"
STATES = ("created", "accepted", "refused", "unknown", "skipped", "cancelled")


class UnknownCampaign(GatewayError):
    """No campaign has this id."""

    status = 404


def held(connection: Connection, campaign_id: str, is_patient: bool = True) -> Campaign | None:
    """Return a campaign that nobody else changes until the transaction ends: first of all, so that nobody waits crosswise.

    is_patient: wait for whoever holds it now; else it is None then, as where there is none.
    """
    query = select(Campaign.__table__).where(Campaign.id == campaign_id, Campaign.state != MAKING)
    row = connection.execute(query.with_for_update(skip_locked=not is_patient)).one_or_none()
    return Campaign(**row._mapping) if row else None


def known(campaign: Campaign | None, campaign_id: str) -> Campaign:
    """Return the campaign. Raises UnknownCampaign."""
    if campaign is None:
        raise UnknownCampaign(f"No campaign '{campaign_id[:60]}'. flask campaign list names the newest.")
    return campaign


def change(connection: Connection, campaign: Campaign, **values: Any) -> None:
    """Change a campaign, here and in the database."""
    connection.execute(update(Campaign).where(Campaign.id == campaign.id).values(values))
    for name, value in values.items():
        setattr(campaign, name, value)


def totals(connection: Connection, campaign_id: str) -> dict[str, int]:
    """Return how many recipients there are in each state, and in all."""
    query = select(CampaignRecipient.state, func.count()).where(CampaignRecipient.campaign_id == campaign_id)
    counts = dict.fromkeys(STATES, 0)
    for state, count in connection.execute(query.group_by(CampaignRecipient.state)):
        counts[state] = count
    return {"total": sum(counts.values()), **counts}


def tell(connection: Connection, event: str, campaign: Campaign, now: datetime, **more: Any) -> None:
    """Publish an event about a campaign: campaign.started, .paused or .finished."""
    counts = totals(connection, campaign.id)
    data = {
        "campaignId": campaign.id,
        "name": campaign.name,
        **{name: counts[name] for name in ("accepted", "refused", "unknown", "total")},
    }
    publish(connection, event, data | more, now, reference=campaign.id)


def pause_because(connection: Connection, campaign: Campaign, reason: str, now: datetime) -> None:
    """Pause a running campaign, and say so."""
    change(connection, campaign, state="paused", paused_because=reason)
    tell(connection, "campaign.paused", campaign, now, reason=reason)


def end_if_over(connection: Connection, campaign: Campaign, now: datetime) -> bool:
    """End a campaign that has nothing left to send, and return whether it has: finished, or unsettled while some of it is unknown."""
    waiting = select(CampaignBatch.id).where(CampaignBatch.campaign_id == campaign.id, CampaignBatch.state == "waiting")
    if campaign.state not in ("running", "paused", "unsettled") or connection.scalar(waiting.limit(1)):
        return False
    if totals(connection, campaign.id)["unknown"]:
        if campaign.state != "unsettled":
            change(connection, campaign, state="unsettled", paused_because=None, next_batch_at=None, ended_at=now)
        return True
    change(connection, campaign, state="finished", paused_because=None, next_batch_at=None, ended_at=now)
    tell(connection, "campaign.finished", campaign, now)
    return True
