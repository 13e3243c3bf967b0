"""What became of those of a campaign whom Africa's Talking accepted, as far as callbacks have told, and why others were refused."""

from typing import Any

from sqlalchemy import Connection, Table, and_, func, literal, select

from app.extensions import db
from app.models import CampaignBatch, CampaignRecipient, Message, Recipient, Session
from app.schemas.callbacks import CALL_STATUSES
from app.statuses import ACCEPTED, REFUSED
from services.ledger.states import MESSAGES

# Looked at for one answer; a page that shows it asks again and again.
MOST_LOOKED_AT = 20_000
MOST_REASONS = 10
DELIVERED, FAILED, OPEN = "delivered", "failed", "no report yet"
ANSWERED, UNDER_WAY = "answered", "not over yet"
_DELIVERED = ("Success", "Delivered")


def outcomes(campaign_id: str, channel: str) -> dict[str, int]:
    """Return how many of the accepted had each outcome, in words, the most first. channel: sms or voice.

    Of more than MOST_LOOKED_AT the first ones only. Whom a person treated as sent is not among them: nobody knows.
    """
    table = Message.__table__ if channel == "sms" else Session.__table__
    found: dict[str, int] = {}
    with db.engine.connect() as connection:
        for row in _grouped(connection, campaign_id, table):
            word = _message_word(row.state) if channel == "sms" else _call_word(row.state, row.status)
            found[word] = found.get(word, 0) + row.number
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))


def reasons(campaign_id: str, state: str = REFUSED) -> list[tuple[str, int]]:
    """Return the reasons why recipients are in a state, and how many each holds for; the most first, MOST_REASONS of them."""
    ours = (CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.state == state)
    query = select(CampaignRecipient.reason, func.count()).where(*ours).group_by(CampaignRecipient.reason)
    with db.engine.connect() as connection:
        rows = connection.execute(query.order_by(func.count().desc(), CampaignRecipient.reason).limit(MOST_REASONS))
        return [(reason or "no reason was given", count) for reason, count in rows]


def _grouped(connection: Connection, campaign_id: str, table: Table) -> Any:
    """Read states with their counts; a recipient of whom nothing was told has none."""
    status = table.c.status if "status" in table.c else literal("")
    of_batch = and_(Recipient.invocation_id == CampaignBatch.invocation_id, Recipient.state == ACCEPTED)
    joined = CampaignBatch.__table__.join(Recipient.__table__, of_batch).outerjoin(table, table.c.provider_id == Recipient.provider_id)
    ours = select(table.c.state, status.label("status")).select_from(joined).where(CampaignBatch.campaign_id == campaign_id)
    some = ours.order_by(CampaignBatch.number).limit(MOST_LOOKED_AT).subquery()
    query = select(some.c.state, some.c.status, func.count().label("number"))
    return connection.execute(query.group_by(some.c.state, some.c.status))


def _message_word(state: str | None) -> str:
    if state in _DELIVERED:
        return DELIVERED
    return FAILED if state and MESSAGES.is_end(state) else OPEN


def _call_word(state: str | None, status: str | None) -> str:
    if state != "ended":
        return UNDER_WAY
    word = CALL_STATUSES.get((status or "").lower(), status or "ended")
    return ANSWERED if word == "completed" else word.replace("_", " ")
