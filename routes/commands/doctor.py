"""flask doctor: what would keep this app from working."""

import click
from flask import current_app
from flask.cli import with_appcontext

from routes.commands.output import as_json, show
from routes.health import instance_name
from services.upkeep.doctor import examine

MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}


@click.command("doctor")
@as_json
@with_appcontext
def doctor(as_json: bool) -> None:
    """Look at settings, account, database, clock, disk, port and tunnel, and say what to do.

    Example: flask doctor
    """
    findings = examine(current_app.config["POKEA"], instance_name(), current_app.extensions["pokea.desk"].client)
    count = {state: sum(one.state == state for one in findings) for state in MARKS}
    lines = [f"{MARKS[one.state]} {one.name:<11} {one.message}" for one in findings]
    summary = f"{count['ok']} ok, {count['warning']} warning{'' if count['warning'] == 1 else 's'}, {count['failed']} failed"
    data = {"ok": count["ok"], "warnings": count["warning"], "failed": count["failed"], "checks": [one._asdict() for one in findings]}
    show(as_json, data, lambda: [*lines, summary])
    raise SystemExit(1 if count["failed"] else 0)
