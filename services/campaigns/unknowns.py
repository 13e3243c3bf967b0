"""What becomes known later of recipients whose end nobody knew: from their invocations, which callbacks and people settle."""

from datetime import UTC, datetime

from sqlalchemy import Connection, and_, func, or_, select, update

from app.extensions import db, writing
from app.models import Callback, Campaign, CampaignBatch, CampaignRecipient, Invocation, Recipient
from services import past_invocations
from services.campaigns.rows import end_if_over, held

# Callbacks that may tell what became of a message or a call
_TELLING = ("sms.delivery_report", "voice.instructions", "voice.event")
# Orders that are looked up each time; the others the next time
MOST_ORDERS = 20
_BATCH = and_(CampaignBatch.campaign_id == CampaignRecipient.campaign_id, CampaignBatch.number == CampaignRecipient.batch_number)


def catch_up(campaign_id: str) -> None:
    """Bring a campaign up to what callbacks, and people, have told of its unknown recipients."""
    with db.engine.connect() as connection:
        told_of = _told_of(connection, campaign_id)
    for invocation_id in told_of:
        past_invocations.one(invocation_id)
    with db.engine.connect() as connection:
        is_news = bool(_news(connection, campaign_id))
    if is_news:
        with writing() as connection:
            campaign = held(connection, campaign_id)
            bring_in(connection, campaign_id)
            if campaign:
                end_if_over(connection, campaign, datetime.now(UTC))


def catch_up_all() -> None:
    """Bring every campaign with unknown recipients up to date, so that one that was settled is told to be finished."""
    with db.engine.connect() as connection:
        unsettled = list(connection.scalars(select(Campaign.id).where(Campaign.state == "unsettled")))
    for campaign_id in unsettled:
        catch_up(campaign_id)


def bring_in(connection: Connection, campaign_id: str) -> None:
    """Take over what is known now of recipients that were unknown; a batch with no such left is done."""
    for phone, state, reason in _news(connection, campaign_id):
        one = and_(CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.phone == phone)
        connection.execute(update(CampaignRecipient).where(one).values(state=state, reason=None if state == "accepted" else reason))
    left = select(1).where(_BATCH, CampaignRecipient.state == "unknown")
    settled = and_(CampaignBatch.campaign_id == campaign_id, CampaignBatch.state == "unknown", ~left.exists())
    connection.execute(update(CampaignBatch).where(settled).values(state="done"))


def _news(connection: Connection, campaign_id: str) -> list[tuple[str, str, str | None]]:
    joined = CampaignRecipient.__table__.join(CampaignBatch.__table__, _BATCH).join(
        Recipient.__table__, and_(Recipient.invocation_id == CampaignBatch.invocation_id, Recipient.phone == CampaignRecipient.phone)
    )
    query = select(CampaignRecipient.phone, Recipient.state, Recipient.reason).select_from(joined)
    changed = Recipient.state.not_in(["unknown", "pending"])
    of_ours = and_(CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.state == "unknown", CampaignBatch.state == "unknown")
    return [(phone, state, reason) for phone, state, reason in connection.execute(query.where(of_ours, changed))]


def _told_of(connection: Connection, campaign_id: str) -> list[str]:
    """Return the unknown orders of a campaign that a kept callback may tell of."""
    joined = CampaignRecipient.__table__.join(CampaignBatch.__table__, _BATCH)
    joined = joined.join(Invocation.__table__, Invocation.id == CampaignBatch.invocation_id)
    about = or_(Callback.phone == CampaignRecipient.phone, Callback.phone == func.substr(CampaignRecipient.phone, 2))
    told = select(1).where(about, Callback.kind.in_(_TELLING), Callback.received_at > Invocation.called_at)
    ours = and_(CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.state == "unknown")
    query = select(Invocation.id).distinct().select_from(joined).where(ours, Invocation.state == "unknown", told.exists())
    return list(connection.scalars(query.limit(MOST_ORDERS)))
