"""A person's choice about a batch whose end nobody knows: treat it as sent, or send it again."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from app.errors import Conflict, GatewayError, Invalid
from app.extensions import writing
from app.models import Campaign, CampaignBatch, CampaignRecipient
from app.schemas.bodies import clean
from services.campaigns.batches import Draft
from services.campaigns.making import new_batch
from services.campaigns.rows import change, end_if_over, held, known
from services.campaigns.unknowns import catch_up

AS_SENT, AGAIN = "treat_as_sent", "send_again"
# What the column of numbers holds
MOST_NUMBER = 2**31 - 1


class UnknownBatch(GatewayError):
    """The campaign has no batch of this number."""

    status = 404


def settle(campaign_id: str, number: int, choice: str, by: str, note: str | None = None) -> int | None:
    """Settle what is unknown of a batch, and return the number of the batch that sends it again, None where none does.

    choice: treat_as_sent or send_again. Raises UnknownCampaign, UnknownBatch, Invalid, Conflict.
    """
    if choice not in (AS_SENT, AGAIN):
        raise Invalid(f"'choice' must be {AS_SENT} or {AGAIN}: after the second, some may get it twice")
    by, note = clean(by).strip(), clean(note or "")[:500]
    if not by or len(by) > 100:
        raise Invalid("'by' must be the name of who chooses")
    catch_up(campaign_id)
    now = datetime.now(UTC)
    with writing() as connection:
        campaign = known(held(connection, campaign_id), campaign_id)
        batch = _batch(connection, campaign, number)
        again = None
        if choice == AGAIN:
            again = _send_again(connection, campaign, batch, now)
        else:
            _as_sent(connection, batch, by)
        chosen = {"choice": choice, "by": by, "note": note, "at": now.isoformat(), "batch": again}
        connection.execute(update(CampaignBatch).where(CampaignBatch.id == batch.id).values(state="settled", chosen=chosen))
        end_if_over(connection, campaign, now)
    return again


def _batch(connection: Connection, campaign: Campaign, number: int) -> CampaignBatch:
    query = select(CampaignBatch.__table__).where(CampaignBatch.campaign_id == campaign.id, CampaignBatch.number == number)
    row = connection.execute(query).one_or_none() if 0 < number <= MOST_NUMBER else None
    if row is None:
        raise UnknownBatch(f"Campaign {campaign.id} has no batch of this number.")
    if row.state != "unknown":
        raise Conflict(f"Batch {number} is {row.state}: only an unknown one can be settled.")
    return CampaignBatch(**row._mapping)


def _unknown(batch: CampaignBatch) -> Any:
    is_its = (CampaignRecipient.campaign_id == batch.campaign_id) & (CampaignRecipient.batch_number == batch.number)
    return is_its & (CampaignRecipient.state == "unknown")


def _as_sent(connection: Connection, batch: CampaignBatch, by: str) -> None:
    values = {"state": "accepted", "reason": f"{by} chose to treat it as sent."}
    connection.execute(update(CampaignRecipient).where(_unknown(batch)).values(values))


def _send_again(connection: Connection, campaign: Campaign, batch: CampaignBatch, now: datetime) -> int:
    if campaign.state == "cancelled":
        raise Conflict(f"Campaign {campaign.id} is cancelled: treat the batch as sent, or make a new campaign.")
    last = connection.scalar(select(func.max(CampaignBatch.number)).where(CampaignBatch.campaign_id == campaign.id)) or 0
    # A key of its own: with the old one the desk would tell how the old order ended.
    connection.execute(insert(CampaignBatch), new_batch(campaign.id, last + 1, Draft(batch.text, batch.country), now))
    values = {"state": "created", "reason": None, "batch_number": last + 1}
    connection.execute(update(CampaignRecipient).where(_unknown(batch)).values(values))
    if campaign.state == "unsettled":
        change(connection, campaign, state="running", ended_at=None, faults=0, next_batch_at=now)
    return last + 1
