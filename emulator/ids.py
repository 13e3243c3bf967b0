"""Identifiers as Africa's Talking makes them: a prefix by product and 32 hexadecimal digits.

Source: recorded answers in public SDK fixtures and captures, as of 2026-11-20.
"""

from secrets import token_hex
from uuid import uuid4

SMS, AIRTIME, VOICE, USSD, PAYMENTS, SIM_SWAP, WEBRTC = "ATXid_", "ATQid_", "ATVId_", "ATUid_", "ATPid_", "ATXSwid_", "ATCAPtkn_"
SAFARICOM_SUBSCRIPTION = "Tid_"


def new_id(prefix: str) -> str:
    """Return a fresh identifier of one product."""
    return prefix + token_hex(16)


def new_uuid() -> str:
    """Return a fresh UUID, as transactions and incoming messages have."""
    return str(uuid4())
