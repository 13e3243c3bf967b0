"""Campaigns: one message, or one call, to many numbers, in paced batches; nobody is called upon twice."""

from services.campaigns.asked import Asked, read_asked
from services.campaigns.claiming import claim
from services.campaigns.controls import cancel, pause, resume, start, start_once
from services.campaigns.making import create, made_before, rehearse
from services.campaigns.outcomes import MOST_LOOKED_AT, outcomes, reasons
from services.campaigns.pasted import from_text
from services.campaigns.reading import UnknownCampaign, batches, listed, one, recipients
from services.campaigns.recipients import Listed, from_csv, from_list
from services.campaigns.running import run_batch, run_due
from services.campaigns.settling import UnknownBatch, settle
from services.campaigns.unknowns import catch_up, catch_up_all

__all__ = [
    "MOST_LOOKED_AT", "Asked", "Listed", "UnknownBatch", "UnknownCampaign", "batches", "cancel", "catch_up", "catch_up_all",
    "claim", "create", "from_csv", "from_list", "from_text", "listed", "made_before", "one", "outcomes", "pause", "read_asked",
    "reasons", "recipients", "rehearse", "resume", "run_batch", "run_due", "settle", "start", "start_once",
]  # fmt: skip
