"""One file per subject; imported here so that migrations see every table."""

from app.models.access import ApiKey
from app.models.callback import Callback, UssdSession
from app.models.invocation import Invocation, Recipient

__all__ = ["ApiKey", "Callback", "Invocation", "Recipient", "UssdSession"]
