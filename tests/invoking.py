"""What tests of invokes share: an address for each, live settings, and shapes of fixtures."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from flask import Flask

from tests.stub_at import Handler, StubAT

Answered = TypeVar("Answered")
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


def at_once(at: StubAT, ask: Callable[[], Answered], count: int = 8) -> list[Answered]:
    """Ask so many times at once; the far side answers when all others have their answers, so that none comes too late."""
    others = threading.Semaphore(0)

    def hold(handler: Handler, body: bytes) -> None:
        for _ in range(count - 1):
            others.acquire(timeout=10)
        handler.reply(201, body)

    def one(_number: int) -> Answered:
        answer = ask()
        others.release()
        return answer

    at.fault = hold
    with ThreadPoolExecutor(count) as threads:
        answers = list(threads.map(one, range(count)))
    at.fault = None
    return answers
