"""A kept callback as the request that brings it again: as it came, or masked so that it may be shown to others."""

from typing import NamedTuple

from app import masking
from app.models import Callback
from services.replays.hiding import masked_body


class Again(NamedTuple):
    """What is to be posted. target: path and query, without the secret that proves callbacks."""

    target: str
    content_type: str
    body: bytes


def again(row: Callback, is_masked: bool) -> Again:
    """Return a callback as a request. is_masked: without numbers, PINs and secrets."""
    query = masking.numbers_in(masking.query(row.kind, row.query, True)) if is_masked else row.query
    target = row.path + (f"?{query}" if query else "")
    if not is_masked:
        return Again(target, row.content_type, bytes(row.raw_body))
    text, content_type = masked_body(row)
    return Again(target, masking.numbers_in(content_type), text.encode())
