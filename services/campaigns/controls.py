"""Starts, pauses, resumes and cancels campaigns."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, select, update

from app.errors import Conflict
from app.extensions import writing
from app.models import Campaign, CampaignBatch, CampaignRecipient
from services.campaigns.rows import change, end_if_over, held, known, pause_because, tell

ROWS_AT_ONCE = 500
BY_HAND = "Somebody paused it."
# What would be right instead, by the state that it is in
_INSTEAD = {
    "draft": "start it first.", "running": "pause or cancel it.", "paused": "resume or cancel it.",
    "cancelled": "make a new one.", "finished": "make a new one.", "unsettled": "settle its unknown batches, or make a new one.",
}  # fmt: skip


def start(campaign_id: str) -> None:
    """Let a draft go, at once or from its `send_at` on. Raises UnknownCampaign, Conflict."""
    with writing() as connection:
        _let_go(connection, _in(held(connection, campaign_id), campaign_id, "start", ("draft",)))


def start_once(campaign_id: str) -> None:
    """Let a campaign go unless it went before: for who cannot know whether a first asking came through. Raises UnknownCampaign."""
    with writing() as connection:
        campaign = known(held(connection, campaign_id), campaign_id)
        if campaign.state == "draft":
            _let_go(connection, campaign)


def _let_go(connection: Connection, campaign: Campaign) -> None:
    now = datetime.now(UTC)
    change(connection, campaign, state="running", next_batch_at=max(now, campaign.send_at or now))
    # Where everybody opted out there is nothing to wait for.
    if not campaign.preview["batches"]:
        change(connection, campaign, started_at=now)
        tell(connection, "campaign.started", campaign, now)
        end_if_over(connection, campaign, now)


def pause(campaign_id: str, because: str = BY_HAND) -> None:
    """Let no further batch go. Raises UnknownCampaign, Conflict."""
    with writing() as connection:
        campaign = _in(held(connection, campaign_id), campaign_id, "pause", ("running",))
        pause_because(connection, campaign, because, datetime.now(UTC))


def resume(campaign_id: str) -> None:
    """Let a paused campaign go on with those who were not called upon yet. Raises UnknownCampaign, Conflict."""
    with writing() as connection:
        campaign = _in(held(connection, campaign_id), campaign_id, "resume", ("paused",))
        change(connection, campaign, state="running", paused_because=None, faults=0)


def cancel(campaign_id: str) -> None:
    """End a campaign: what is under way ends as it will, nothing else goes. Raises UnknownCampaign, Conflict."""
    now = datetime.now(UTC)
    with writing() as connection:
        campaign = _in(held(connection, campaign_id), campaign_id, "cancel", ("draft", "running", "paused"))
        change(connection, campaign, state="cancelled", paused_because=None, ended_at=now, next_batch_at=now)
    is_more = True
    while is_more:
        with writing() as connection:
            is_more = _cancel_some(connection, campaign_id)


def _cancel_some(connection: Connection, campaign_id: str) -> bool:
    """Cancel batches that nobody ever tried, and return whether there were any. Those that were, the worker ends."""
    held(connection, campaign_id)
    untried = select(CampaignBatch.number).where(
        CampaignBatch.campaign_id == campaign_id, CampaignBatch.state == "waiting", CampaignBatch.tries == 0
    )
    numbers = list(connection.scalars(untried.limit(ROWS_AT_ONCE)))
    if not numbers:
        return False
    ours = (CampaignBatch.campaign_id == campaign_id) & CampaignBatch.number.in_(numbers)
    connection.execute(update(CampaignBatch).where(ours).values(state="done"))
    theirs = (CampaignRecipient.campaign_id == campaign_id) & CampaignRecipient.batch_number.in_(numbers)
    connection.execute(update(CampaignRecipient).where(theirs, CampaignRecipient.state == "created").values(state="cancelled"))
    return True


def _in(campaign: Campaign | None, campaign_id: str, verb: str, states: Iterable[str]) -> Campaign:
    campaign = known(campaign, campaign_id)
    if campaign.state not in states:
        raise Conflict(f"Campaign {campaign.id} is {campaign.state}, so you cannot {verb} it: {_INSTEAD[campaign.state]}")
    return campaign
