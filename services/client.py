"""Africa's Talking over its own SDK's classes: the only file that imports it, and the only one that knows its hosts.

The classes are the SDK's; their one transport method is not, because the SDK's opens a connection per call, has no total
deadline, carries the key to wherever it is redirected, and loses status and headers (africastalking 2.0.3, tried).
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from africastalking.Airtime import AirtimeService
from africastalking.Application import ApplicationService
from africastalking.Insights import InsightService
from africastalking.Service import Service
from africastalking.SMS import SMSService
from africastalking.Voice import VoiceService

from app.settings import Settings
from services.transport import Reply, Transport


@dataclass(frozen=True)
class _Line:
    """Where the calls of one account go, and over what."""

    username: str
    key: str
    # Instead of Africa's Talking's scheme and hosts, "" for those
    base_url: str
    is_live: bool
    transport: Transport


class _Transported:
    """Mixed into the SDK's services: what their calls go over."""

    def __init__(self, line: _Line, **extra: str) -> None:
        """extra: parameters that the SDK has no argument for."""
        self._line, self._extra = line, extra
        super().__init__(line.username, line.key)  # type: ignore[call-arg]

    def _is_sandbox(self) -> bool:
        # The SDK goes by the user name alone: a wrong one would turn a rehearsal into money.
        return not self._line.is_live

    def _make_request(
        self, url: str, method: str, headers: dict[str, str], data: Any, params: Any, callback: Any = None, timeout: Any = None
    ) -> Reply:
        """Send one request of the SDK's. Raises NotReached and NoAnswer."""
        if self._line.base_url:
            parts = urlsplit(url)
            url = self._line.base_url + url[len(f"{parts.scheme}://{parts.netloc}") :]
        if isinstance(data, dict):
            data = data | self._extra
        return self._line.transport.exchange(method, url, headers, data, params)


class _Sms(_Transported, SMSService):
    pass


class _Voice(_Transported, VoiceService):
    pass


class _Airtime(_Transported, AirtimeService):
    pass


class _Insights(_Transported, InsightService):
    pass


class _Application(_Transported, ApplicationService):
    pass


class _Payments(_Transported, Service):
    """Mobile checkout, which the SDK lacks. Source: Africa's Talking, "Mobile checkout", as of 2026-11-20."""

    def _init_service(self) -> None:
        self._baseUrl = "https://payments." + (self._SANDBOX_DOMAIN if self._is_sandbox() else self._PRODUCTION_DOMAIN)

    def checkout(self, order: dict[str, Any]) -> Reply:
        body = json.dumps({"username": self._username, **order})
        headers = {**self._headers, "Content-Type": "application/json"}
        return self._make_request(self._make_url("/mobile/checkout/request"), "POST", headers, body, None)


class Client:
    """One account at Africa's Talking. Every call returns its answer as it came, or raises NotReached or NoAnswer.

    Phone numbers are E.164 with plus; amounts are text, as `10.50`. Safe for many threads at once: each call has a service
    object of its own, because the SDK's keep the last idempotency key.
    """

    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        self.username = settings.at_username
        over = transport or Transport(settings.at_timeout_s)
        self._line = _Line(settings.at_username, settings.at_api_key, settings.at_base_url, settings.is_live, over)

    def send_sms(self, phones: list[str], message: str, sender: str | None, is_queued: bool) -> Reply:
        """Send one message to many. sender: None for the account's usual one. is_queued: Africa's Talking may send it later."""
        return _Sms(self._line).send(message, phones, sender_id=sender, enqueue=is_queued)

    def send_premium(self, phones: list[str], message: str, short_code: str, link_id: str | None, keyword: str | None) -> Reply:
        """Send from a short code to who wrote to it (link_id) or subscribed (keyword)."""
        return _Sms(self._line).send_premium(message, short_code, phones, keyword=keyword, link_id=link_id)

    def call(self, phones: list[str], own_number: str, client_request_id: str) -> Reply:
        """Call numbers; every callback about the calls will name client_request_id."""
        return _Voice(self._line, clientRequestId=client_request_id).call(own_number, phones)

    def send_airtime(self, phone: str, amount: str, currency: str, key: str) -> Reply:
        """Top up one phone, at most once per key."""
        return _Airtime(self._line).send(phone, amount, currency, idempotency_key=key)

    def check_sim_swap(self, phone: str) -> Reply:
        """Ask when a SIM card was swapped; a callback brings the answer."""
        return _Insights(self._line).check_sim_swap_state([phone])

    def checkout(self, phone: str, amount: str, currency: str, product: str, metadata: dict[str, str]) -> Reply:
        """Ask a person to pay; callbacks tell what came of it."""
        order = {"productName": product, "phoneNumber": phone, "currencyCode": currency, "amount": float(amount), "metadata": metadata}
        return _Payments(self._line).checkout(order)

    def fetch_messages(self, last_received_id: int) -> Reply:
        """Ask for the messages that came in after one, oldest first, a page of them. last_received_id: 0 for all."""
        return _Sms(self._line).fetch_messages(last_received_id)

    def account(self) -> Reply:
        """Ask for the account's balance."""
        return _Application(self._line).fetch_application_data()
