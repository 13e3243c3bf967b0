"""flask fixtures: callbacks kept under names, as files beside the tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import current_app

from app.config import Settings
from app.errors import GatewayError
from routes.commands.output import DatabaseGroup, as_json, show, talk
from services import fixtures as kept
from services.archive import one

Result = TypeVar("Result")
fixtures = DatabaseGroup("fixtures", help="Callbacks kept under names: flask trigger @NAME posts one.")


def folder() -> Path:
    """Return where fixtures are kept."""
    settings: Settings = current_app.config["POKEA"]
    return settings.fixtures_dir


@fixtures.command("save")
@click.argument("name")
@click.argument("callback_id")
@click.option("--force", is_flag=True, help="Replace one of this name.")
@as_json
def save(name: str, callback_id: str, force: bool, as_json: bool) -> None:
    """Keep a callback under a name, without secrets, and under PRIVACY without numbers.

    Example: flask fixtures save balance-menu cb_01KF3Z0000000000000000000
    """
    row = one(callback_id)
    if row is None:
        raise click.ClickException(f"No callback '{callback_id}'. flask callbacks list names the newest.")
    path = told(lambda: kept.save(folder(), name, row, current_app.config["POKEA"].privacy, force))
    show(as_json, {"name": name, "file": str(path)}, lambda: [f"saved '{name}'"])
    talk(f"Post it with: flask trigger @{name}")


@fixtures.command("list")
@as_json
def list_fixtures(as_json: bool) -> None:
    """Print the fixtures that there are.

    Example: flask fixtures list
    """
    rows = [_row(name) for name in kept.names(folder())]
    show(as_json, rows, lambda: [f"@{row['name']:<30} {row['kind']:<22} {row['answer_status']} {row['answer'][:40]!r}" for row in rows])
    if not rows:
        talk("No fixtures. Keep a callback: flask fixtures save NAME CALLBACK_ID")


def _row(name: str) -> dict[str, Any]:
    try:
        fixture = kept.load(folder(), name)
    except GatewayError as error:
        return {"name": name, "kind": "cannot be read", "answer_status": "", "answer": error.message}
    return {"name": name, "kind": fixture.kind, "answer_status": fixture.answer_status, "answer": fixture.answer}


def told(ask: Callable[[], Result]) -> Result:
    """Return what is asked for; what stands in the way is told in one line."""
    try:
        return ask()
    except GatewayError as error:
        raise click.ClickException(error.message) from error
