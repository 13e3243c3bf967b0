"""Field types for what comes in: lenient on form, strict on meaning. What cannot be read stays as sent, with a doubt."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from marshmallow import ValidationError, fields

_PHONE = re.compile(r"\+?[0-9]{7,15}", re.ASCII)
_SPACE_FOR_PLUS = re.compile(r" +([0-9]{7,15})\s*", re.ASCII)
_MONEY = re.compile(r"(?:([A-Za-z]{3})\s*)?(-?[0-9]{1,3}(?:,[0-9]{3})+|-?[0-9]{1,15})(\.[0-9]{1,8})?", re.ASCII)
_TIMES = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y-%m-%d")


class Amount(NamedTuple):
    """A sum of money; currency is ISO 4217, or None where none came with it."""

    value: Decimal
    currency: str | None


def repair_plus(value: Any) -> Any:
    """Return a number whose `+` was read as a space with its plus; anything else unchanged."""
    found = _SPACE_FOR_PLUS.fullmatch(value) if isinstance(value, str) else None
    return f"+{found.group(1)}" if found else value


def is_phone(value: str) -> bool:
    """Whether a text looks like a phone number: 7 to 15 digits, with or without plus."""
    return bool(_PHONE.fullmatch(value))


class Text(fields.Field):
    """Text; numbers and truth values of a JSON body become text, nested values their JSON. Blank is refused where required."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads it from the class
        "blank": "Must not be blank.",
        "required": "Missing.",
    }

    def __init__(self, *, blank: bool = False, **kwargs: Any) -> None:
        super().__init__(allow_none=not kwargs.get("required"), **kwargs)
        self.blank = blank

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            value = json.dumps(value) if value else str(value) if value == 0 else ""
        if self.required and not self.blank and not value.strip():
            raise self.make_error("blank")
        return value

    def doubt(self, value: Any) -> str | None:
        """Return what is odd about a value that was taken, as a sentence; None when nothing is."""
        return None


class Line(Text):
    """A number, short code or name on the phone network; a plus that came as a space is repaired before."""


class PhoneNumber(Line):
    """A phone number as sent. Names and masked numbers are kept, with a doubt."""

    def doubt(self, value: Any) -> str | None:
        """Doubt what has other than 7 to 15 digits."""
        return None if not value or is_phone(value) else "is not a phone number"


class Known(Text):
    """A word of a list that may grow: others are kept, with a doubt. Case does not matter."""

    def __init__(self, *words: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = {word.lower(): word for word in words}

    def doubt(self, value: Any) -> str | None:
        """Doubt a word that is not on the list."""
        return None if not value or value.lower() in self.words else f"'{value[:40]}' is not a value we know"


class Renamed(Known):
    """A word of several vocabularies, given back in one; others stay as sent."""

    def __init__(self, renames: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*renames, **kwargs)
        self.renames = {word.lower(): name for word, name in renames.items()}
        self.words |= {name: name for name in renames.values()}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        value = super()._deserialize(value, attr, data, **kwargs)
        return self.renames.get(value.lower(), value)


class Read(Text):
    """Text that `read` turns into a value; what it cannot read stays text, with a doubt."""

    meaning = ""

    def read(self, value: str) -> Any:
        """Return the value. Raises ValueError for text that is not one."""
        raise NotImplementedError

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return self.read(text) if text.strip() else None
        except (ValueError, OverflowError):
            return text

    def doubt(self, value: Any) -> str | None:
        """Doubt what stayed text."""
        return f"is not {self.meaning}" if isinstance(value, str) else None


class Money(Read):
    """`KES 100.0000`, `KES 1,000`, `1000` or a JSON number, as an Amount."""

    meaning = "an amount"

    def read(self, value: str) -> Amount:
        """Return the amount. Raises ValueError for text that is none."""
        found = _MONEY.fullmatch(value.strip())
        if not found:
            raise ValueError(value)
        currency, units, cents = found.groups()
        return Amount(Decimal(units.replace(",", "") + (cents or "")), currency.upper() if currency else None)


class ATTime(Read):
    """A time as Africa's Talking writes it (space, plus or T between date and time; zone-less is UTC), aware."""

    meaning = "a time"

    def read(self, value: str) -> datetime:
        """Return the time in UTC. Raises ValueError for text that is none."""
        text = value.strip()
        for form in _TIMES:
            try:
                return datetime.strptime(text.replace("+", " ", 1), form).replace(tzinfo=UTC)
            except ValueError:
                continue
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class SwapDate(Read):
    """A date written day first, `28-02-2026`."""

    meaning = "a date like 28-02-2026"

    def read(self, value: str) -> date:
        """Return the date. Raises ValueError for text that is none."""
        return datetime.strptime(value.strip(), "%d-%m-%Y").replace(tzinfo=UTC).date()


class Whole(Read):
    """A whole number as text or JSON number."""

    meaning = "a whole number"

    def read(self, value: str) -> int:
        """Return the number. Raises ValueError for text that is none, or that is longer than 18 digits."""
        if len(value) > 18:
            raise ValueError(value)
        return int(value)


class Truth(Read):
    """`1`, `0`, `true` or `false`; absent stays absent."""

    meaning = "1 or 0"

    def read(self, value: str) -> bool:
        """Return the truth. Raises ValueError for other words."""
        known = {"1": True, "true": True, "0": False, "false": False}
        if value.strip().lower() not in known:
            raise ValueError(value)
        return known[value.strip().lower()]


class Mapped(fields.Field):
    """A JSON object; anything else is kept as sent, with a doubt."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return value

    def doubt(self, value: Any) -> str | None:
        """Doubt what is not an object."""
        return None if value is None or isinstance(value, dict) else "is not an object"


def missing_one_of(*names: str) -> ValidationError:
    """Make the error for a body that has none of several fields."""
    return ValidationError({name: [f"Missing: one of {', '.join(names)} is needed."] for name in names})
