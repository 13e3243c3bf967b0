"""Field types for what a person orders: strict, because money follows. What is not plainly right is refused, and nothing is sent."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import phonenumbers
from marshmallow import ValidationError, fields

from app import masking
from app.currencies import CURRENCIES

MOST_PHONES = 1000
_PHONE = re.compile(r"\+?[0-9]{7,15}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,7}(\.[0-9]{1,2})?", re.ASCII)
_BELOW_ZERO = re.compile(r"-[0-9]+(\.[0-9]+)?", re.ASCII)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_KEY = re.compile(r"[\x21-\x7e][\x20-\x7e]{6,98}[\x21-\x7e]", re.ASCII)
_SENDER = re.compile(r"\+?[A-Za-z0-9][A-Za-z0-9 ._&-]{0,14}", re.ASCII)
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class Strict(fields.Field):
    """Text that `read` turns into a value; everything else is refused by name."""

    def read(self, value: str) -> Any:
        """Return the value. Raises ValidationError that says what would be right."""
        raise NotImplementedError

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if isinstance(value, bool):
            value = "1" if value else "0"
        if not isinstance(value, str):
            raise ValidationError(f"'{self.data_key or self.name}' must be text")
        return self.read(value)


class Phones(Strict):
    """One phone number, or several by comma, as a list in E.164; each once, in the order given."""

    def __init__(self, *, several: bool = False, **kwargs: Any) -> None:
        super().__init__(required=True, **kwargs)
        self.several = several

    def read(self, value: str) -> list[str]:
        """Return the numbers. Raises ValidationError for the first that is none, and why."""
        parts = value.split(",")
        if len(parts) > (most := MOST_PHONES if self.several else 1):
            raise ValidationError(f"'phone' takes {most} number{'s' if most > 1 else ''} at most here, not {len(parts)}")
        country = getattr(self.root, "default_country", "")
        return list(dict.fromkeys(read_phone(part, country) for part in parts))


def read_phone(text: str, default_country: str = "") -> str:
    """Return a phone number in E.164. A plus that came as a space is repaired.

    default_country: ISO 3166 letters of the country whose national numbers (`0711…`) are taken, "" for none.
    Raises ValidationError.
    """
    number = text
    if text.startswith(" "):
        number = text[1:] if text.startswith((" 0", " +")) else f"+{text[1:]}"
    if not _PHONE.fullmatch(number):
        raise _not_a_phone(text, "it must be 7 to 15 digits, with or without a plus")
    is_national = number.startswith("0")
    if is_national and not default_country:
        raise _not_a_phone(text, "a national number needs DEFAULT_COUNTRY")
    try:
        found = phonenumbers.parse(number if is_national else f"+{number.removeprefix('+')}", default_country or None)
    except phonenumbers.NumberParseException as error:
        raise _not_a_phone(text, "no country has such numbers") from error
    if not phonenumbers.is_valid_number(found):
        raise _not_a_phone(text, "no such number can exist in its country")
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def country_code(phone: str) -> int:
    """Return the calling code of an E.164 number's country, as 254."""
    return phonenumbers.parse(phone).country_code or 0


def _not_a_phone(text: str, why: str) -> ValidationError:
    # What may be a whole number is told by its end.
    digits = re.sub(r"\D", "", text)
    shown = masking.number(digits) if len(digits) >= 9 else text[:40]
    return ValidationError(
        f"'phone' is not a phone number we understand: '{shown}' ({why}). Use international form, for example 254711000000."
    )


class Sum(Strict):
    """An amount of money above zero, with two decimals at most."""

    def read(self, value: str) -> Decimal:
        """Return the amount. Raises ValidationError."""
        if _BELOW_ZERO.fullmatch(value):
            raise ValidationError(f"'{self.data_key or self.name}' must be a positive number")
        if not _AMOUNT.fullmatch(value):
            raise ValidationError(f"'{self.data_key or self.name}' must be a valid number")
        if not (amount := Decimal(value)):
            raise ValidationError(f"'{self.data_key or self.name}' must be a positive number")
        return amount


class Currency(Strict):
    """An ISO 4217 code in capitals."""

    def read(self, value: str) -> str:
        """Return the code. Raises ValidationError."""
        if value not in CURRENCIES:
            raise ValidationError(f"'currency' must be an ISO 4217 code, as KES, and in capitals; '{value[:20]}' is none")
        return value


class Message(Strict):
    """What people read: not empty, and nothing but characters and newlines."""

    def read(self, value: str) -> str:
        """Return the text, its line ends as newlines. Raises ValidationError."""
        text = value.replace("\r\n", "\n")
        name = self.data_key or self.name
        if not text.strip():
            raise ValidationError(f"'{name}' must not be empty")
        if "\ufffd" in text:
            raise ValidationError(f"'{name}' must be UTF-8 text")
        if _CONTROL.search(text):
            raise ValidationError(f"'{name}' must not hold control characters other than newlines")
        return text


class Words(Message):
    """One line of text of bounded length."""

    def __init__(self, *, most: int = 200, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def read(self, value: str) -> str:
        """Return the text. Raises ValidationError."""
        text = super().read(value)
        if "\n" in text or len(text) > self.most:
            raise ValidationError(f"'{self.data_key or self.name}' must be one line of at most {self.most} characters")
        return text


class Sender(Strict):
    """A sender's name or number."""

    def read(self, value: str) -> str:
        """Return the sender. Raises ValidationError."""
        if not _SENDER.fullmatch(value):
            raise ValidationError("'senderId' must be a name or short code of yours: 15 letters or digits at most")
        return value


class Key(Strict):
    """An idempotency key."""

    def read(self, value: str) -> str:
        """Return the key. Raises ValidationError."""
        if not _KEY.fullmatch(value):
            raise ValidationError(f"'{self.data_key or self.name}' must be 8 to 100 printable ASCII characters, with no blank at an end")
        return value


class Flag(Strict):
    """1 or 0."""

    def read(self, value: str) -> bool:
        """Return the truth. Raises ValidationError."""
        if value.lower() not in _TRUTHS:
            raise ValidationError(f"'{self.data_key or self.name}' must be 1 or 0")
        return _TRUTHS[value.lower()]
