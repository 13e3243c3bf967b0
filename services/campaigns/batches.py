"""Recipients by batches: those who get the same text, in the same country, so many at once. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil

from marshmallow import ValidationError

from app.errors import Invalid
from app.schemas.orders import Message
from services.campaigns.asked import MOST_TEXT
from services.campaigns.quiet import country_of
from services.campaigns.recipients import PHONE, Listed
from services.campaigns.texts import filled

# One call that is lost makes so many unknown, at most.
SIZES = {"sms": 100, "voice": 20}
# They go at once, so they are not more than belong into so many seconds.
MOST_S = 5
_TEXT = Message(data_key="message")


@dataclass
class Draft:
    """A batch that is not kept yet."""

    text: str | None
    country: str
    phones: list[str] = field(default_factory=list)


def size_of(channel: str, rate: float) -> int:
    """Return how many recipients a batch has at most. rate: recipients a second."""
    return max(1, min(SIZES[channel], ceil(rate * MOST_S)))


def drafted(most: int, lines: Iterable[tuple[Listed, str | None]]) -> list[Draft]:
    """Return the batches, of so many at most, for recipients and the text of each, in the order of their first ones."""
    open_ones: dict[tuple[str | None, str], Draft] = {}
    drafts = []
    for line, text in lines:
        country = country_of(line.phone)
        draft = open_ones.get((text, country))
        if draft is None or len(draft.phones) == most:
            draft = open_ones[text, country] = Draft(text, country)
            drafts.append(draft)
        draft.phones.append(line.phone)
    return drafts


def text_for(message: str | None, line: Listed) -> str | None:
    """Return the text for one recipient, None for a call without. Raises Invalid."""
    if message is None:
        return None
    try:
        text = _TEXT.read(filled(message, {**line.columns, PHONE: line.phone}))
    except KeyError as missing:
        raise Invalid(f"Row {line.row} has no column '{missing.args[0]}', which the message names") from missing
    except ValidationError as error:
        raise Invalid(f"Row {line.row}: {error.messages[0]}") from error
    if len(text) > MOST_TEXT:
        raise Invalid(f"Row {line.row}: with its columns the message has {len(text)} characters; it must be at most {MOST_TEXT}")
    return text
