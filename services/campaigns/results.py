"""Records how a batch ended, and what follows for its campaign: it goes on, pauses, or is over."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, or_, select, update

from app.models import Campaign, CampaignBatch, CampaignRecipient
from services.campaigns.rows import change, end_if_over, held, pause_because
from services.campaigns.unknowns import bring_in
from services.campaigns.verdicts import Verdict

logger = logging.getLogger(__name__)
# Faults in a row that pause a campaign
MOST_FAULTS = 3
# An answer is the truth even where it was given up meanwhile.
OPEN = ("created", "unknown", "cancelled")
_END = (
    update(CampaignRecipient)
    .where(
        CampaignRecipient.campaign_id == bindparam("whose"), CampaignRecipient.phone == bindparam("who"),
        CampaignRecipient.batch_number == bindparam("which"), or_(*(CampaignRecipient.state == state for state in OPEN)),
    )
    .values(state=bindparam("new_state"), reason=bindparam("new_reason"))
)  # fmt: skip


def record(connection: Connection, campaign_id: str, batch_id: str, verdict: Verdict, now: datetime) -> None:
    """Record the verdict on a batch, once; a later one about a batch that has ended changes nothing but what was given up."""
    campaign = held(connection, campaign_id)
    row = connection.execute(select(CampaignBatch.__table__).where(CampaignBatch.id == batch_id)).one_or_none()
    if campaign is None or row is None:
        return
    batch = CampaignBatch(**row._mapping)
    was_waiting = batch.state == "waiting"
    faults = _faults(campaign, verdict)
    pause = verdict.pause or (_three_faults(verdict) if faults >= MOST_FAULTS else None)
    if was_waiting and (verdict.again_s is not None or (verdict.was_not_sent and pause)):
        _wait(connection, batch, verdict, now)
    elif batch.state != "settled" and verdict.recipients:
        _end(connection, batch, verdict)
    if not was_waiting:
        return
    _go_on(connection, campaign, verdict, faults, now)
    bring_in(connection, campaign.id)
    if not end_if_over(connection, campaign, now) and pause and campaign.state == "running":
        pause_because(connection, campaign, pause, now)
    logger.info("batch %d of %s: %s", batch.number, campaign.id, verdict.error or "done", extra={"kind": "campaign", "id": campaign.id})


def _faults(campaign: Campaign, verdict: Verdict) -> int:
    if verdict.is_fault is None:
        return campaign.faults
    return campaign.faults + 1 if verdict.is_fault else 0


def _three_faults(verdict: Verdict) -> str:
    return f"{MOST_FAULTS} batches in a row failed. The last: {verdict.error or 'no answer.'}"


def _wait(connection: Connection, batch: CampaignBatch, verdict: Verdict, now: datetime) -> None:
    due = now + timedelta(seconds=verdict.again_s or 0)
    values = {
        "due_at": due,
        "leased_until": None,
        "leased_by": None,
        "last_error": verdict.error,
        "invocation_id": verdict.invocation_id or batch.invocation_id,
    }
    connection.execute(update(CampaignBatch).where(CampaignBatch.id == batch.id).values(values))


def _end(connection: Connection, batch: CampaignBatch, verdict: Verdict) -> None:
    named = {"whose": batch.campaign_id, "which": batch.number}
    told = [{**named, "who": phone, "new_state": state, "new_reason": reason} for phone, state, reason in verdict.recipients]
    connection.execute(_END, told)
    state = "unknown" if any(state == "unknown" for _, state, _ in verdict.recipients) else "done"
    values = {"state": state, "leased_until": None, "leased_by": None, "last_error": verdict.error, "invocation_id": verdict.invocation_id}
    connection.execute(update(CampaignBatch).where(CampaignBatch.id == batch.id).values(values))


def _go_on(connection: Connection, campaign: Campaign, verdict: Verdict, faults: int, now: datetime) -> None:
    values: dict[str, object] = {"faults": faults} if faults != campaign.faults else {}
    if verdict.hold_s:
        values["next_batch_at"] = max(campaign.next_batch_at or now, now + timedelta(seconds=verdict.hold_s))
    if values:
        change(connection, campaign, **values)
