"""flask prune: Remove what is old."""

import sys
from datetime import UTC, datetime

import click
from flask import current_app
from flask.cli import with_appcontext

from routes.commands.database import DatabaseCommand
from routes.commands.output import as_json, show, talk
from services.upkeep.retention import NOTHING, how_many
from services.upkeep.retention import prune as remove_old


@click.command("prune", cls=DatabaseCommand)
@click.option("--days", type=click.IntRange(1, 36_500), help="Keep so many days; RETENTION_DAYS where it is not given.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@with_appcontext
def prune(days: int | None, yes: bool, as_json: bool) -> None:
    """Remove old callbacks, deliveries and events; never money, pinned ones, or what still has to be done.

    Example: flask prune --days 30
    """
    kept_days = days or current_app.config["POKEA"].retention_days
    if not kept_days:
        talk("RETENTION_DAYS is 0: everything is kept. Say how much to keep with --days.")
        show(as_json, NOTHING, lambda: ["0 callbacks removed"])
        return
    if not yes:
        click.confirm(f"Remove what is older than {kept_days} day{'' if kept_days == 1 else 's'}?", abort=True, err=True)
    now = datetime.now(UTC)
    total = how_many(kept_days, now) if sys.stderr.isatty() else 0
    with click.progressbar(length=total, label="Looking", file=sys.stderr, hidden=not total) as bar:
        removed = remove_old(kept_days, now, bar.update)
    others = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in removed.items() if count and name != "callbacks")
    if others:
        talk(f"Also removed: {others}")
    show(as_json, removed, lambda: [f"{removed['callbacks']:,} callback{'' if removed['callbacks'] == 1 else 's'} removed"])
