"""flask listen: callbacks and events as they come, from another terminal."""

import json
from datetime import UTC, datetime
from time import sleep
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from app import masking
from app.errors import Invalid
from app.models import Callback, Event
from routes.api import read_moment
from routes.commands.callbacks import line
from routes.commands.database import DatabaseCommand
from routes.commands.output import talk
from services import archive
from services.reading.following import Follower
from services.webhooks.events import EVENTS, is_known
from services.webhooks.webhook_body import told_event

PAUSE_S = 0.5


def _kinds(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := next((name for name in names if not is_known(name)), None):
        raise click.UsageError(f"No event is called '{wrong}'. There are {', '.join(EVENTS)}, and families as sms.*.")
    return names


def _since(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime:
    try:
        return read_moment(text, "--since") if text else datetime.now(UTC)
    except Invalid as error:
        raise click.UsageError(error.message) from error


@click.command("listen", cls=DatabaseCommand)
@click.option("--type", "kinds", multiple=True, callback=_kinds, metavar="NAME", help="Only this kind or event, or a family as sms.*.")
@click.option("--phone", help="Only this number, in any spelling.")
@click.option("--since", callback=_since, metavar="TIME", help="From then on: 2026-03-04T10:30:00Z, or 2h for two hours ago.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@with_appcontext
def listen(kinds: tuple[str, ...], phone: str | None, since: datetime, as_json: bool) -> None:
    """Print callbacks and events as they come, until Ctrl+C.

    Example: flask listen --type 'sms.*' --phone 254711000017
    """
    follower = Follower(since, kinds, phone, current_app.config["POKEA"].default_country)
    talk("Listening. Ctrl+C ends it.")
    try:
        while True:
            for row in follower.look(datetime.now(UTC)):
                click.echo(_written(row, as_json))
            sleep(PAUSE_S)
    except KeyboardInterrupt:
        return


def _written(row: Callback | Event, as_json: bool) -> str:
    hides = current_app.config["POKEA"].privacy
    if isinstance(row, Callback):
        shown = archive.shown(row, hides)
        return json.dumps(shown, ensure_ascii=False) if as_json else line(shown)
    told: dict[str, Any] = {"id": row.id, **told_event(row)}
    told = masking.everything(told) if hides else told
    return json.dumps(told, ensure_ascii=False) if as_json else _event_line(row, hides)


def _event_line(row: Event, hides: bool) -> str:
    time = row.created_at.isoformat()[:19].replace("T", " ")
    phone = masking.number(row.phone) if row.phone and hides else row.phone or ""
    return f"{time}Z  {row.name:<21} {phone:<14} event     {row.reference or ''}  {row.id}"
