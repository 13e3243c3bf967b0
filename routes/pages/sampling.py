"""A sample that a person sends to this app, from whichever page."""

from collections.abc import Mapping
from textwrap import shorten
from typing import Any

from flask import current_app, request

from app.errors import Invalid
from app.schemas.callbacks import KINDS
from routes.addresses import path_of
from routes.pages import showing
from routes.pages.real import insist_on_word
from services import samples


def kind_asked() -> str:
    """Return the kind of sample that a form asks for. Raises Invalid for a kind that is none, and in live mode without the word."""
    kind = request.form.get("kind", "")
    if kind not in KINDS:
        raise Invalid(f"'kind' must be one of {', '.join(KINDS)}")
    insist_on_word("What follows from a sample is real: webhooks, reactions, and what they send.")
    return kind


def send(kind: str, base: str, changes: Mapping[str, Any] | None = None) -> samples.Sent:
    """Post a sample to an address of this app, as Africa's Talking would."""
    return samples.send_sample(kind, base, path_of(current_app, kind), current_app.config["POKEA"], changes)


def tell(kind: str, sent: samples.Sent, where: str = "") -> None:
    """Say on the next page what a sample was answered."""
    at, answer = f" at {where}" if where else "", shorten(sent.answer, 60, placeholder=" …")
    showing.say(f"{kind}: answered {sent.status} “{answer}” in {sent.ms} ms{at}.", "good" if sent.is_good else "bad")
