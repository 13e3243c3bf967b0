"""From the parameters of a request or command to an order."""

from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from marshmallow import ValidationError

from app.errors import Invalid
from app.schemas.invokes import INVOKES
from app.settings import Settings
from services.invocations import Order

# What an order is asked with, and not a part of it
_ASKING = ("phones", "idempotency_key", "reference", "preview", "force", "again")


def read_order(kind: str, parameters: dict[str, Any], settings: Settings, asked_by: str) -> tuple[Order, bool]:
    """Return the order that parameters stand for, and whether only a preview of it is wanted.

    parameters: under the names of the address. What is left out of them comes from the settings. Raises Invalid.
    """
    row = INVOKES[kind]
    schema = row.schema(settings.default_country)
    _refuse_misspelled(parameters, [declared.data_key or name for name, declared in schema.fields.items()])
    try:
        asked = schema.load(parameters)
    except ValidationError as refused:
        raise _invalid(refused.normalized_messages(), parameters) from refused
    details = {name: str(value) if isinstance(value, Decimal) else value for name, value in asked.items() if name not in _ASKING}
    details |= {name: details.get(name) or getattr(settings, setting) or None for name, setting in row.fills.items()}
    order = Order(
        kind, asked["phones"], details, asked["idempotency_key"], asked["reference"], asked["again"], asked["force"], asked_by
    )  # fmt: skip
    return order, asked["preview"]


def _refuse_misspelled(parameters: dict[str, Any], known: list[str]) -> None:
    """Raise Invalid for a name that is nearly one of ours: to leave it out would be to send something else."""
    plain = {name.lower(): name for name in known}
    for name in parameters.keys() - known:
        near = get_close_matches(name.lower().replace("_", "").replace("-", ""), plain, n=1, cutoff=0.8)
        if near:
            raise Invalid(f"There is no '{name[:40]}' here: nothing was sent. Did you mean '{plain[near[0]]}'?")


def _invalid(reasons: dict[str, list[str]], parameters: dict[str, Any]) -> Invalid:
    missing = [name for name in reasons if name not in parameters]
    if missing:
        return Invalid(f"Missing '{missing[0]}' query parameter")
    texts = {name: [str(reason) for reason in why] if isinstance(why, list) else [str(why)] for name, why in reasons.items()}
    return Invalid("Some fields are wrong." if len(texts) > 1 else next(iter(texts.values()))[0], texts)
