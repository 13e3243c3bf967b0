"""One file per subject; imported here so that migrations see every table."""

from app.models.access import ApiKey
from app.models.callback import Callback, UssdSession
from app.models.campaign import Campaign, CampaignBatch, CampaignRecipient
from app.models.invocation import Invocation, Recipient
from app.models.ledger import Airtime, Cost, Message, OptOut, Payment, Recording, Session, SimSwap, Subscription
from app.models.reaction import Reaction
from app.models.upkeep import Alert, Mark
from app.models.webhook import Attempt, Delivery, Endpoint, Event

__all__ = [
    "Airtime", "Alert", "ApiKey", "Attempt", "Callback", "Campaign", "CampaignBatch", "CampaignRecipient", "Cost", "Delivery", "Endpoint",
    "Event", "Invocation", "Mark", "Message", "OptOut", "Payment", "Reaction", "Recipient", "Recording", "Session", "SimSwap",
    "Subscription", "UssdSession",
]  # fmt: skip
