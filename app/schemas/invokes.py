"""Every invoke: its parameters (a schema) and its row in INVOKES. Adding one is adding one of each, a call and a view."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from app.schemas.orders import Currency, Flag, Key, Message, Phones, Sender, Sum, Words

HELLO = "Hello from Africa's Talking!"
MOST_METADATA = 50


class Metadata(fields.Field):
    """A JSON object of texts, itself or as its text."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> dict[str, str]:
        wrong = ValidationError('\'metadata\' must be a JSON object of texts, for example {"order": "1042"}')
        try:
            found = json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError) as error:
            raise wrong from error
        if not isinstance(found, dict) or len(found) > MOST_METADATA or not all(isinstance(entry, str) for entry in found.values()):
            raise wrong
        text = Words(data_key="metadata")
        return {text.read(name): text.read(entry) for name, entry in found.items()}


class InvokeSchema(Schema):
    """What all invokes take. Parameters that it does not know are left out."""

    class Meta:
        unknown = EXCLUDE

    idempotency_key = Key(data_key="idempotencyKey", load_default=None)
    reference = Words(load_default=None)
    preview = Flag(load_default=False)
    force = Flag(load_default=False)
    again = Flag(load_default=False)

    def __init__(self, default_country: str = "") -> None:
        super().__init__()
        self.default_country = default_country


class BulkSms(InvokeSchema):
    phones = Phones(data_key="phone", several=True)
    message = Message(load_default=HELLO)
    sender_id = Sender(data_key="senderId", load_default=None)
    enqueue = Flag(load_default=False)


class PremiumSms(InvokeSchema):
    phones = Phones(data_key="phone", several=True)
    message = Message(required=True)
    link_id = Words(data_key="linkId", load_default=None)
    keyword = Words(load_default=None)


class Call(InvokeSchema):
    phones = Phones(data_key="phone", several=True)


class Airtime(InvokeSchema):
    phones = Phones(data_key="phone")
    amount = Sum(load_default=Decimal(10))
    currency = Currency(load_default="KES")


class SimSwapCheck(InvokeSchema):
    phones = Phones(data_key="phone")


class Checkout(InvokeSchema):
    phones = Phones(data_key="phone")
    amount = Sum(required=True)
    currency = Currency(required=True)
    product_name = Words(data_key="productName", required=True)
    metadata = Metadata(load_default=dict)


@dataclass(frozen=True)
class Invoke:
    """One row of INVOKES."""

    schema: type[InvokeSchema]
    # What is said when it was taken; {to} is a number, or `3 of 4 recipients`
    message: str
    # What may have been sent when nobody knows, and what is sent when it is real
    thing: str
    real: str
    # A family of app/statuses.py
    family: str
    # Settings that it cannot do without
    needs: tuple[str, ...] = ()
    # What of an order that leaves it open comes from which setting
    fills: dict[str, str] = field(default_factory=dict)
    # Kept from people who opted out
    is_message: bool = False


INVOKES: dict[str, Invoke] = {
    "sms.bulk": Invoke(
        BulkSms, "SMS sent to {to}", "message", "a real SMS", "sms", fills={"sender_id": "at_sender_id"}, is_message=True,
    ),
    "sms.premium": Invoke(
        PremiumSms, "SMS sent to {to}", "message", "a real SMS", "sms", needs=("at_shortcode",), fills={"sender": "at_shortcode"},
        is_message=True,
    ),
    "voice.call": Invoke(
        Call, "Call initiated to {to}", "call", "a real call", "voice", needs=("at_voice_number",), fills={"own_number": "at_voice_number"},
    ),
    "airtime.send": Invoke(Airtime, "Airtime sent to {to}", "airtime", "real airtime", "airtime"),
    "sim_swap.check": Invoke(SimSwapCheck, "Sim swap check invoked for {to}", "check", "a real SIM swap check", "sim_swap"),
    "payments.checkout": Invoke(Checkout, "Checkout started for {to}", "checkout", "a real checkout", "payments"),
}  # fmt: skip
