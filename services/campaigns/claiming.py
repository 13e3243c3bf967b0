"""Takes the next batch of a campaign that may go, under a lease: paced, in the order of their numbers, and not in quiet hours."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, select, update

from app.extensions import db
from app.models import Campaign, CampaignBatch, CampaignRecipient
from services.campaigns import leases
from services.campaigns.orders import order_of, put_aside
from services.campaigns.quiet import quiet_until
from services.campaigns.rows import change, end_if_over, held, tell
from services.opt_outs import opted_out
from services.spending import counting
from services.upkeep.processes import own_name

ROUNDS = 10
ROWS_AT_ONCE = 500
# So much of the pace may be made up for: batches are looked for now and then only.
SLACK = timedelta(seconds=1)
CLAIMED = ("running", "cancelled")


def claim(now: datetime) -> str | None:
    """Take the next batch that may go, for as long as a call can take, and return its id; None where there is none."""
    leases.end_those_left(CLAIMED, now)
    for campaign_id in _with_something_due(now):
        # Nobody places an order meanwhile, so that none begins that the numbers of a batch are taken from.
        with counting() as connection:
            batch_id = _claimed(connection, campaign_id, now)
        if batch_id:
            return batch_id
    return None


def _with_something_due(now: datetime) -> list[str]:
    due = select(1).where(CampaignBatch.campaign_id == Campaign.id, CampaignBatch.state == "waiting", CampaignBatch.due_at <= now)
    query = select(Campaign.id).where(Campaign.state.in_(CLAIMED), Campaign.next_batch_at <= now, due.exists())
    with db.engine.connect() as connection:
        return list(connection.scalars(query.order_by(Campaign.next_batch_at)))


def _claimed(connection: Connection, campaign_id: str, now: datetime) -> str | None:
    campaign = held(connection, campaign_id, is_patient=False)
    if campaign is None or campaign.state not in CLAIMED or campaign.next_batch_at is None or campaign.next_batch_at > now:
        return None
    if leases.are_all_taken(connection, campaign, now):
        return None
    for _ in range(ROUNDS):
        batch = _next_batch(connection, campaign, now)
        if batch is None:
            return None
        if (ends := quiet_until(campaign.quiet_hours, batch.country, now)) and campaign.state == "running":
            _put_off(connection, campaign, batch.country, now, ends)
        elif count := _still_wanted(connection, campaign, batch):
            _lease(connection, campaign, batch, now, count)
            return batch.id
        else:
            connection.execute(update(CampaignBatch).where(CampaignBatch.id == batch.id).values(state="done"))
    end_if_over(connection, campaign, now)
    return None


def _next_batch(connection: Connection, campaign: Campaign, now: datetime) -> CampaignBatch | None:
    query = select(CampaignBatch.__table__).where(
        CampaignBatch.campaign_id == campaign.id, CampaignBatch.state == "waiting", CampaignBatch.due_at <= now
    )
    row = connection.execute(query.order_by(CampaignBatch.due_at).limit(1)).one_or_none()
    if row is None:
        end_if_over(connection, campaign, now)
        return None
    return CampaignBatch(**row._mapping)


def _put_off(connection: Connection, campaign: Campaign, country: str, now: datetime, until: datetime) -> None:
    quiet = select(CampaignBatch.id).where(
        CampaignBatch.campaign_id == campaign.id, CampaignBatch.state == "waiting", CampaignBatch.due_at <= now,
        CampaignBatch.country == country,
    )  # fmt: skip
    some = quiet.order_by(CampaignBatch.due_at).limit(ROWS_AT_ONCE)
    connection.execute(update(CampaignBatch).where(CampaignBatch.id.in_(some)).values(due_at=until))


def _still_wanted(connection: Connection, campaign: Campaign, batch: CampaignBatch) -> int:
    """Return how many recipients a batch has, those who opted out meanwhile skipped. An order that may have gone stays as it was."""
    phones, order = waiting_phones(connection, batch), order_of(connection, campaign, batch)
    if campaign.state != "running" or (order and order.state != "refused"):
        return len(phones)
    if refusing := opted_out(connection, phones):
        those = and_(CampaignRecipient.campaign_id == campaign.id, CampaignRecipient.phone.in_(refusing))
        connection.execute(update(CampaignRecipient).where(those).values(state="skipped", reason="OptedOut"))
        if order:
            put_aside(connection, campaign, batch, order.id)
    return len(phones) - len(refusing)


def waiting_phones(connection: Connection, batch: CampaignBatch) -> list[str]:
    """Return the numbers of a batch that wait, in their order."""
    query = select(CampaignRecipient.phone).where(
        CampaignRecipient.campaign_id == batch.campaign_id, CampaignRecipient.batch_number == batch.number,
        CampaignRecipient.state == "created",
    )  # fmt: skip
    return list(connection.scalars(query.order_by(CampaignRecipient.position)))


def _lease(connection: Connection, campaign: Campaign, batch: CampaignBatch, now: datetime, count: int) -> None:
    ends = leases.ends(now)
    taken = {"leased_until": ends, "due_at": ends, "leased_by": own_name(), "tries": CampaignBatch.tries + 1}
    connection.execute(update(CampaignBatch).where(CampaignBatch.id == batch.id).values(taken))
    if campaign.state != "running":
        return
    paced_from = max(now - SLACK, campaign.next_batch_at or now)
    change(connection, campaign, next_batch_at=paced_from + timedelta(seconds=count / campaign.rate))
    if campaign.started_at is None:
        change(connection, campaign, started_at=now)
        tell(connection, "campaign.started", campaign, now)
