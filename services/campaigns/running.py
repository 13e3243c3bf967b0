"""Runs campaigns: puts each batch that was claimed to Africa's Talking.

A batch has one idempotency key. Whoever runs it after a killed process learns from the desk how its order ended.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from app.errors import GatewayError, StorageUnavailable
from app.extensions import db, writing
from app.models import Campaign, CampaignBatch
from services import past_invocations, sms, voice
from services.campaigns.asked import CHANNELS
from services.campaigns.claiming import claim, waiting_phones
from services.campaigns.orders import key_of, order_of
from services.campaigns.results import record
from services.campaigns.verdicts import Verdict, of_cancelled, of_order, of_refusal
from services.invocations import Order, Placed

MOST_IN_A_ROW = 50


def run_batch(batch_id: str, now: datetime | None = None) -> None:
    """Put a claimed batch to Africa's Talking and record how it ended. May be called twice: a batch has one key.

    Raises StorageUnavailable; the batch is due again when its lease ends.
    """
    with db.engine.connect() as connection:
        found = _batch_and_phones(connection, batch_id)
    if found is None:
        return
    campaign, batch, phones = found
    if campaign.state == "running":
        verdict = _put(_order(campaign, batch, phones))
    elif campaign.state == "cancelled":
        verdict = of_cancelled(_order_before(campaign, batch), phones)
    else:
        verdict = Verdict(again_s=0)
    with writing() as connection:
        record(connection, campaign.id, batch.id, verdict, now or datetime.now(UTC))


def run_due(now: datetime | None = None) -> int:
    """Run the batches that may go now, one after the other, and return how many there were."""
    count = 0
    while count < MOST_IN_A_ROW and (batch_id := claim(now or datetime.now(UTC))):
        run_batch(batch_id, now)
        count += 1
    return count


def _batch_and_phones(connection: Connection, batch_id: str) -> tuple[Campaign, CampaignBatch, list[str]] | None:
    claimed = (CampaignBatch.id == batch_id, CampaignBatch.state == "waiting", CampaignBatch.leased_until.is_not(None))
    row = connection.execute(select(CampaignBatch.__table__).where(*claimed)).one_or_none()
    if row is None:
        return None
    batch = CampaignBatch(**row._mapping)
    campaign = connection.execute(select(Campaign.__table__).where(Campaign.id == batch.campaign_id)).one()
    return Campaign(**campaign._mapping), batch, waiting_phones(connection, batch)


def _order(campaign: Campaign, batch: CampaignBatch, phones: list[str]) -> Order:
    if campaign.channel == "sms":
        details: dict[str, Any] = {"message": batch.text, "sender_id": campaign.own, "enqueue": False}
    else:
        details = {"own_number": campaign.own} | ({"say": batch.text} if batch.text else {})
    return Order(
        CHANNELS[campaign.channel], phones, details, key=key_of(campaign, batch), reference=campaign.id, again=True,
        asked_by=f"campaign {campaign.id}",
    )  # fmt: skip


def _put(order: Order) -> Verdict:
    place = sms.send_bulk if order.kind == "sms.bulk" else voice.call
    try:
        return of_order(place(order))
    except StorageUnavailable:
        raise
    except GatewayError as error:
        return of_refusal(error, order.phones)


def _order_before(campaign: Campaign, batch: CampaignBatch) -> Placed | None:
    """Return the order that a batch was before its campaign was cancelled, as far as it is known now."""
    with db.engine.connect() as connection:
        order = order_of(connection, campaign, batch)
    return Placed(*past_invocations.one(order.id)) if order else None
