"""What a reader asks a list for, and what that means in ids and numbers. Knows no list."""

from dataclasses import dataclass
from datetime import datetime

from marshmallow import ValidationError
from ulid import ULID

from app.schemas.orders import read_phone
from services.slots import index_key

# An id is a prefix, "_" and a ULID, whose first ten characters are the time.
_TIME_LETTERS = 10


@dataclass(frozen=True)
class Filters:
    """What the rows of a list must have; None asks for nothing. phone: in any spelling. q: text in the row."""

    kind: str | None = None
    state: str | None = None
    phone: str | None = None
    session: str | None = None
    reference: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


NAMES = tuple(Filters.__dataclass_fields__)


def spellings(phone: str, default_country: str = "") -> list[str]:
    """Return the spellings under which a number may stand in a row: with plus and without, or as it is where it is no number."""
    try:
        number = read_phone(phone.rstrip(), default_country)
    except ValidationError:
        number = phone.strip()
    digits = number.removeprefix("+")
    found = [f"+{digits}", digits] if digits.isascii() and digits.isdigit() else [number]
    return [index_key(one) or "" for one in found]


def first_id(prefix: str, moment: datetime) -> str:
    """Return what all ids of this prefix that were made at a moment or later are not less than. prefix: as `cb_`."""
    return f"{prefix}{_ulid_at(moment)[:_TIME_LETTERS]}"


def id_range(prefix: str, since: datetime | None, until: datetime | None) -> tuple[str | None, str | None]:
    """Return the least id and the one that is too great, for rows from a time (inclusive) until another (exclusive)."""
    return first_id(prefix, since) if since else None, first_id(prefix, until) if until else None


def _ulid_at(moment: datetime) -> str:
    # A ULID holds no time before 1970.
    return str(ULID.from_timestamp(max(0.0, moment.timestamp())))
