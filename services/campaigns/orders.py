"""The order that a batch is: the key that it is asked for with, how it ended, and how a refused one makes room for another.

A batch has one key, ever: two that want it at once, with different numbers even, cannot both be sent.
"""

from sqlalchemy import Connection, Row, select, update

from app.models import Campaign, CampaignBatch, Invocation
from services.campaigns.asked import CHANNELS


def key_of(campaign: Campaign, batch: CampaignBatch) -> str:
    """Return the idempotency key of a batch."""
    return f"{campaign.id}.{batch.number}"


def order_of(connection: Connection, campaign: Campaign, batch: CampaignBatch) -> Row[str, str] | None:
    """Return id and state of the order that a batch is, None where it was none yet."""
    named = (Invocation.kind == CHANNELS[campaign.channel], Invocation.idempotency_key == key_of(campaign, batch))
    return connection.execute(select(Invocation.id, Invocation.state).where(*named)).one_or_none()


def put_aside(connection: Connection, campaign: Campaign, batch: CampaignBatch, invocation_id: str) -> None:
    """Give the key of a refused order free, for one with fewer numbers; it keeps a key with its own id behind.

    connection: of `services.spending.counting()`, so that nobody tries the old one again meanwhile.
    """
    values = {"idempotency_key": f"{key_of(campaign, batch)}.{invocation_id}"}
    refused = (Invocation.id == invocation_id) & (Invocation.state == "refused")
    connection.execute(update(Invocation).where(refused).values(values))
