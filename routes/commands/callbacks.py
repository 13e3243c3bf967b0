"""flask callbacks: list, show and export what was kept."""

import json
from typing import Any

import click
from flask import current_app

from app.schemas.callbacks import KINDS
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, show, talk
from routes.commands.replays import edit_replay, pin, replay
from services import archive, due
from services.replays import exports
from services.tunnel import local_address

callbacks = DatabaseGroup("callbacks", help="Read what Africa's Talking posted.")
for command in (replay, edit_replay, pin):
    callbacks.add_command(command)


def _privacy() -> bool:
    return bool(current_app.config["POKEA"].privacy)


@callbacks.command("list")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Only this kind.")
@click.option(
    "--state", type=click.Choice([*archive.STATES, archive.DEAD]), help="Only this state; dead: what follows from it was given up."
)
@click.option("--phone", help="Only this number, as it was sent.")
@click.option("--limit", default=20, type=click.IntRange(1, 1000), help="At most so many.")
@as_json
def list_callbacks(kind: str | None, state: str | None, phone: str | None, limit: int, as_json: bool) -> None:
    """Print the newest callbacks.

    Example: flask callbacks list --kind sms.incoming_message
    """
    rows = [archive.shown(row, _privacy()) for row in archive.newest(limit, kind, state, phone)]
    show(as_json, rows, lambda: [line(row) for row in rows])
    if not rows:
        talk("No callbacks. Make one: flask trigger sms.incoming_message")


def line(row: dict[str, Any]) -> str:
    """Return a callback as `flask callbacks list` prints it. row: as services.archive.shown gives it."""
    time = row["received_at"][:19].replace("T", " ")
    repeats = f"  ={row['repeats']}" if row["repeats"] else ""
    answer = row["answer"].split("\n")[0][:20]
    about = f"{row['kind']:<21} {row['phone'] or '':<14} {row['state']:<9}"
    return f"{time}Z  {about} {row['answer_status']} {answer:<20} {row['ms']:>4} ms  {row['id']}{repeats}"


@callbacks.command("show")
@click.argument("callback_id")
@as_json
def show_callback(callback_id: str, as_json: bool) -> None:
    """Print all that is kept of one callback, PINs and secrets masked.

    Example: flask callbacks show cb_01KF3Z0000000000000000000
    """
    row = archive.one(callback_id)
    if row is None:
        raise click.ClickException(f"No callback '{callback_id}'. flask callbacks list names the newest.")
    shown = archive.shown(row, _privacy())
    show(as_json, shown, lambda: [f"{name:<14} {_text(value)}" for name, value in shown.items() if value not in (None, [], {})])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@callbacks.command("retry")
@click.argument("callback_id")
@as_json
def retry(callback_id: str, as_json: bool) -> None:
    """Have the worker do once more what follows from a callback that was given up.

    Example: flask callbacks retry cb_01KF3Z0000000000000000000
    """
    if not due.again(callback_id):
        raise click.ClickException(f"'{callback_id}' was not given up. flask callbacks list --state dead names those that were.")
    show(as_json, {"id": callback_id, "due": True}, lambda: [f"{callback_id} is due again"])


@callbacks.command("export")
@click.option("--format", "form", type=click.Choice(exports.FORMS), default="json", help="One JSON object, CSV row or curl command a line.")
@click.option("--replays", is_flag=True, help="Replays too; in JSON such a line has replay_of.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json, whatever that says.")
def export(form: str, replays: bool, as_json: bool) -> None:
    """Print every callback, oldest first, as it came.

    Example: flask callbacks export --format csv > callbacks.csv
    """
    settings, written_as = current_app.config["POKEA"], "json" if as_json else form
    if written_as == "csv":
        click.echo(exports.CSV_HEADER)
    for row in archive.every(replays):
        click.echo(exports.line_of(row, written_as, settings.privacy, local_address(settings)))
