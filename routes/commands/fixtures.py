"""flask fixtures: callbacks kept under names, as files beside the tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import current_app

from app.errors import GatewayError
from app.models import Callback
from app.settings import Settings
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, show, talk
from services.archive import one
from services.reading.single import session_with_steps
from services.replays import fixtures as kept

Result = TypeVar("Result")
fixtures = DatabaseGroup("fixtures", help="Callbacks and sessions kept under names: flask trigger @NAME posts one.")


def folder() -> Path:
    """Return where fixtures are kept."""
    settings: Settings = current_app.config["POKEA"]
    return settings.fixtures_dir


@fixtures.command("save")
@click.argument("name")
@click.argument("kept_id", metavar="CALLBACK_ID | SESSION_ID")
@click.option("--force", is_flag=True, help="Replace one of this name.")
@as_json
def save(name: str, kept_id: str, force: bool, as_json: bool) -> None:
    """Keep a callback, or all of a session, under a name, without secrets, and under PRIVACY without numbers.

    Example: flask fixtures save balance-menu cb_01KF3Z0000000000000000000
    """
    rows = _callbacks(kept_id)
    path = told(lambda: kept.save(current_app.config["POKEA"], name, rows, force))
    show(as_json, {"name": name, "file": str(path)}, lambda: [f"saved '{name}'"])
    talk(f"Post it with: flask trigger @{name}")


def _callbacks(kept_id: str) -> list[Callback]:
    if not kept_id.startswith("cb_"):
        return told(lambda: kept.whole(session_with_steps(kept_id)[1]))
    row = one(kept_id)
    if row is None:
        raise click.ClickException(f"No callback '{kept_id}'. flask callbacks list names the newest.")
    return [row]


@fixtures.command("list")
@as_json
def list_fixtures(as_json: bool) -> None:
    """Print the fixtures that there are.

    Example: flask fixtures list
    """
    rows = [_row(name) for name in kept.names(folder())]
    show(as_json, rows, lambda: map(_line, rows))
    if not rows:
        talk("No fixtures. Keep a callback: flask fixtures save NAME CALLBACK_ID")


def _row(name: str) -> dict[str, Any]:
    try:
        steps = kept.load(folder(), name)
    except GatewayError as error:
        return {"name": name, "kind": "cannot be read", "steps": 0, "answer_status": "", "answer": error.message}
    last = steps[-1]
    return {"name": name, "kind": steps[0].kind, "steps": len(steps), "answer_status": last.answer_status, "answer": last.answer}


def _line(row: dict[str, Any]) -> str:
    kind = f"{row['kind']}, {row['steps']} steps" if row["steps"] > 1 else row["kind"]
    return f"@{row['name']:<30} {kind:<26} {row['answer_status']} {row['answer'][:40]!r}"


def told(ask: Callable[[], Result]) -> Result:
    """Return what is asked for; what stands in the way is told in one line."""
    try:
        return ask()
    except GatewayError as error:
        raise click.ClickException(error.message) from error
