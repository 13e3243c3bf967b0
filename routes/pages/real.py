"""Whether a person means it: what sends or spends for real asks for a typed word."""

from flask import current_app, request

from app.errors import Invalid
from routes.replays import CONFIRMATION


def insist_on_word(what: str) -> None:
    """Raise Invalid in live mode unless the form holds the word. what: what would happen, as a sentence."""
    if current_app.config["POKEA"].is_live and request.form.get("confirm", "").strip() != CONFIRMATION:
        raise Invalid(f"{what} To go on, type the word {CONFIRMATION}. Nothing was done.")
