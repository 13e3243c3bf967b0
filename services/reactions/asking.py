"""One order of a reaction: read as an address reads its parameters, placed once, and told."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from flask import current_app
from marshmallow import ValidationError

from app.errors import Conflict, GatewayError, StorageUnavailable
from app.schemas.invokes import INVOKES
from app.schemas.orders import read_phone
from app.settings import Settings
from services import airtime, payments, sim_swap, sms, voice
from services.desk import Busy
from services.invocations import Order, Placed

CALLS: dict[str, Callable[[Order], Placed]] = {
    "sms.bulk": sms.send_bulk,
    "sms.premium": sms.send_premium,
    "voice.call": voice.call,
    "airtime.send": airtime.send,
    "sim_swap.check": sim_swap.check,
    "payments.checkout": payments.checkout,
}
# What an order is asked with, and not a part of it
_ASKING = ("phones", "idempotency_key", "reference", "preview", "force", "again")
LONGEST_NAME = 60
# Nothing is wrong with the order: it is under way, or there was no room for it.
LATER = (Conflict, Busy, StorageUnavailable)


class NotSent(GatewayError):
    """An order of a reaction was refused: nothing was sent."""

    status = 409


@dataclass(frozen=True)
class Ordered:
    """What became of one order of a reaction."""

    kind: str
    # accepted, refused (nothing was sent), unknown (it may have happened) or skipped
    state: str
    # Its id; None where it was not placed at all
    invocation: str | None = None
    # Africa's Talking's id, of the first recipient
    provider_id: str | None = None
    reason: str | None = None


def ask(kind: str, parameters: dict[str, Any], fixed: dict[str, Any], key: str, reference: str, asked_by: str) -> Ordered:
    """Place one order and return what became of it; the same key never sends twice.

    parameters: under the names of the kind's address. fixed: details that no parameter stands for.
    Raises what may be tried again as it is (LATER), where nothing is wrong with the order.
    """
    try:
        order = _order(kind, parameters, fixed, key, reference, asked_by)
        return _told(CALLS[kind](order))
    except ValidationError as wrong:
        reasons = next(iter(wrong.normalized_messages().values()))
        return Ordered(kind, "refused", reason=f"{reasons[0]}: nothing was sent.")
    except GatewayError as refused:
        if isinstance(refused, LATER) and refused.retry_after_s:
            raise
        return Ordered(kind, "refused", reason=refused.message)


def _order(kind: str, parameters: dict[str, Any], fixed: dict[str, Any], key: str, reference: str, asked_by: str) -> Order:
    row, own = INVOKES[kind], settings()
    asked = row.schema(own.default_country).load({name: value for name, value in parameters.items() if value is not None})
    details = {name: str(value) if isinstance(value, Decimal) else value for name, value in asked.items() if name not in _ASKING}
    details |= {name: details.get(name) or getattr(own, setting) or None for name, setting in row.fills.items()}
    # A key stands for one order already: two alike of one reaction are meant.
    return Order(kind, asked["phones"], details | fixed, key, reference, again=True, asked_by=asked_by)


def _told(placed: Placed) -> Ordered:
    invocation, recipients = placed.invocation, placed.recipients
    provider_id = next((one.provider_id for one in recipients if one.provider_id), None)
    reason = invocation.problem or next((one.reason for one in recipients if one.state != "accepted" and one.reason), None)
    return Ordered(invocation.kind, invocation.state, invocation.id, provider_id, reason)


def settings() -> Settings:
    """Return the settings of this process."""
    found: Settings = current_app.config["POKEA"]
    return found


def key_of(callback_id: str, name: str) -> str:
    """Return how the idempotency keys of a reaction's orders begin."""
    return f"{callback_id}.{_short(name)}."


def asked_by(name: str) -> str:
    """Return who is noted on the orders of a reaction."""
    return f"reaction {name}"


def e164(text: str) -> str | None:
    """Return a number as orders name it, None for text that is no number."""
    try:
        return read_phone(text, settings().default_country)
    except ValidationError:
        return None


def _short(name: str) -> str:
    if len(name) <= LONGEST_NAME and name.isascii() and name.isprintable():
        return name
    plain = "".join(letter for letter in name[:40] if letter.isascii() and letter.isalnum())
    return f"{plain}-{blake2b(name.encode(), digest_size=6).hexdigest()}"
