"""Whether a person means it: what sends or spends for real asks for a typed word, as on the pages."""

import click
from flask import current_app

from app.settings import Settings
from routes.commands.output import talk
from routes.replays import CONFIRMATION


def insist_on_word(what: str, yes: bool) -> None:
    """Ask for the word in live mode, unless `yes` says it in advance. what: what may happen, as a sentence.

    Raises click.Abort for another word, and where nobody can type one.
    """
    settings: Settings = current_app.config["POKEA"]
    if not settings.is_live or yes:
        return
    talk(f"LIVE account '{settings.at_username}': {what}")
    if click.prompt(f"Type {CONFIRMATION} to go on", default="", show_default=False, err=True) != CONFIRMATION:
        raise click.Abort
