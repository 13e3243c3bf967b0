"""What tests of invokes share: an address for each, live settings, and shapes of fixtures."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.stub_at import StubAT

Sending = Callable[..., Flask]
Stored = Callable[[type], list[Any]]
PHONE = "+254711000000"
URLS = {
    "sms.bulk": "/api/sms/invoke-bulk-sms?phone=254711000000&message=Hello",
    "sms.premium": "/api/sms/invoke-twoway-sms?phone=254711000000&message=Hello",
    "voice.call": "/api/voice/invoke-call?phone=254711000000",
    "airtime.send": "/api/airtime/invoke-send-airtime?phone=254711000000&amount=10&currency=KES",
    "sim_swap.check": "/api/sim-swap/invoke-check-simswap?phone=254711000000",
    "payments.checkout": "/api/payments/invoke-mobile-checkout?phone=254711000000&amount=10&currency=KES&productName=duka",
}
KINDS = list(URLS)
LIVE = {
    "at_mode": "live", "at_username": "acme", "at_api_key": "live-key-12345678", "at_shortcode": "12345", "at_voice_number": "+254711082000",
    "callback_token": ("c" * 24,), "invoke_token": "i" * 32,
}  # fmt: skip
TOKEN = {"Authorization": f"Bearer {LIVE['invoke_token']}"}
ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# How each says no within a 2xx, and what is told of it
IN_BODY = {
    "sms.bulk": ({"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}, "AT_SENDER_ID"),
    "sms.premium": ({"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}, "AT_SENDER_ID"),
    "voice.call": ({"entries": [], "errorMessage": "Insufficient balance"}, "Top up"),
    "airtime.send": ({"errorMessage": "None", "numSent": 0, "responses": [{"amount": "KES 10.0000", "discount": "0", "errorMessage": "Insufficient Credit",
        "phoneNumber": PHONE, "requestId": "None", "status": "Failed"}], "totalAmount": "0", "totalDiscount": "0"}, "Top up"),
    "sim_swap.check": ({"responses": [{"phoneNumber": {"carrierName": "", "countryCode": 254, "number": PHONE, "numberType": "FixedLineOrMobile"},
        "status": "UnsupportedPhoneNumber"}], "status": "Processed", "transactionId": "t"}, "Check another way"),
    "payments.checkout": ({"status": "InvalidRequest", "description": "No such product"}, "No such product"),
}  # fmt: skip


def live(sending: Sending, at: StubAT, **settings: Any) -> Flask:
    """Make a live application whose calls reach the stand-in."""
    return sending(**{**LIVE, "at_base_url": at.url, "at_timeout_s": 0.6, "ratelimit_enabled": False, **settings})
