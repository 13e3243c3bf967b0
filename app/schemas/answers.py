"""What a callback is answered with: body, media type and status, and what the row should say of how it came about."""

from dataclasses import dataclass, field, replace
from typing import Any

TEXT = "text/plain"
JSON = "application/json"
# A header of a USSD answer that Africa's Talking sends back with the next hop.
HOP_METADATA = "At-Ussd-Hop-Metadata"


@dataclass(frozen=True)
class Answer:
    """One answer to Africa's Talking, and what is kept beside it."""

    body: str
    media: str = TEXT
    status: int = 200
    # What is odd about the answer, in sentences
    flags: list[str] = field(default_factory=list)
    # Milliseconds spent by others: {"app": 812}
    spent: dict[str, int] = field(default_factory=dict)
    # What a program elsewhere was asked and said
    app: dict[str, Any] | None = None
    # Places in what a person typed that hold a secret
    secret_places: list[int] = field(default_factory=list)
    # What a menu wants remembered of this session; None leaves it as it was
    memory: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    # What is kept instead of the body, where that holds a secret
    kept_body: str | None = None

    def because(self, *flags: str) -> "Answer":
        """Return the same answer with more to say about it."""
        return replace(self, flags=[*self.flags, *flags])


OK = Answer("OK")
GOOD = Answer("GOOD")
BAD = Answer("BAD", status=400)
VALIDATED = Answer('{"status":"Validated"}', JSON)
FAILED = Answer('{"status":"Failed"}', JSON)
SORRY_END = Answer("END Sorry, this service is not available right now. Please try again later.")
# services/voice_xml.py builds the same; this layer cannot call it.
SORRY_XML = Answer(
    '<?xml version="1.0" encoding="UTF-8"?><Response><Say>'
    "Sorry, this service is not available right now. Please call again later.</Say></Response>"
)
