"""What of a callback's fields may stand in the ledger: what says nothing is None, and what no column can hold is left out. Pure."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError

from app.schemas.fields import Amount, is_phone
from app.schemas.orders import read_phone
from services.slots import index_key

# ISO 4217's word for no currency: what came without one is still counted, apart from all others.
NO_CURRENCY = "XXX"
_MOST = Decimal(10) ** 12
_MOST_WHOLE = 2**31
# What people write between the digits of a number, and before them
_NO_DIGITS = re.compile(r"^tel:|[\s().-]", re.IGNORECASE)


def named(value: Any) -> str | None:
    """Return a word; None for what Africa's Talking writes where there is none: nothing, blanks, or the word None."""
    text = str(value).strip() if value is not None else ""
    return None if text in ("", "None") else text


def key_of(value: Any) -> str | None:
    """Return an id, name or code as indexes hold it."""
    return index_key(named(value))


def phone_of(value: Any) -> str | None:
    """Return a phone number in E.164 with plus; what is not one as it was sent."""
    text = key_of(value)
    return f"+{text.lstrip('+')}" if text and is_phone(text) else text


def e164(text: str, default_country: str) -> str | None:
    """Return a phone number in E.164 with plus, also of a national one and of `tel:+254 711-000-017`; None for what is not one.

    default_country: ISO letters of the country whose national numbers are taken, "" for none.
    """
    if is_phone(text) and not text.lstrip("+").startswith("0"):
        return f"+{text.lstrip('+')}"
    try:
        return read_phone(_NO_DIGITS.sub("", text), default_country)
    except ValidationError:
        return None


def whole(value: Any) -> int | None:
    """Return a whole number that is not negative and that every database holds."""
    return value if isinstance(value, int) and 0 <= value < _MOST_WHOLE else None


def amount_of(value: Any, currency: Any = None) -> Amount | None:
    """Return an amount that came with its currency, or with it beside."""
    if not isinstance(value, Amount) or abs(value.value) >= _MOST:
        return None
    beside = named(currency)
    return Amount(value.value, value.currency or (beside.upper() if beside and len(beside) == 3 else None))


def text_of(amount: Decimal | None, currency: str | None) -> str | None:
    """Return an amount as Africa's Talking writes it, `KES 0.8000`."""
    return None if amount is None else f"{currency or NO_CURRENCY} {amount:.4f}"


def larger(one: Any, other: Any) -> Any:
    """Return the larger of two values, or the one that is there: the same one, in whatever order they come."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def phone_between(one: str | None, other: str | None) -> str | None:
    """Return the one of two that is a phone number, else the larger."""
    return max((phone for phone in (one, other) if phone), key=lambda phone: (is_phone(phone), phone), default=None)


def money(row: dict[str, Any], told: Amount | None, name: str = "value") -> dict[str, Any]:
    """Return a row's amount and its currency once this amount was told. name: of the amount's column."""
    known = None if row[name] is None else Amount(row[name], row["currency"])
    counts = larger_amount(known, told)
    return {} if counts is None else {name: counts.value, "currency": counts.currency}


def larger_amount(*amounts: Amount | None) -> Amount | None:
    """Return the amount that counts, with the currency that it came with: the largest of those that came with one."""
    return max(filter(None, amounts), key=lambda one: (one.currency is not None, one.value, one.currency or ""), default=None)


def day_of(moment: datetime) -> str:
    """Return the UTC day of a moment, as 2026-03-04."""
    return moment.astimezone(UTC).date().isoformat()
