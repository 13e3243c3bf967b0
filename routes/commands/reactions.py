"""flask reactions: what flows/ did about callbacks, and to do it again."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from app.errors import GatewayError
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, show, talk
from services.reactions import past_reactions
from services.reactions.reactions import again, run_one

reactions = DatabaseGroup("reactions", help="See what your reactions did, and run them again.")
Read = TypeVar("Read")


@reactions.command("list")
@click.option("--state", type=click.Choice(past_reactions.STATES), help="Only this state.")
@click.option("--name", help="Only this one of flows/.")
@click.option("--limit", default=20, type=click.IntRange(1, 1000), help="At most so many.")
@as_json
def list_reactions(state: str | None, name: str | None, limit: int, as_json: bool) -> None:
    """Print the newest reactions.

    Example: flask reactions list --state dead
    """
    rows = past_reactions.newest(limit, state, name)
    show(as_json, rows, lambda: [_line(row) for row in rows])
    if not rows:
        talk("No reaction is like that." if state or name else "No reactions. Cause one: flask trigger sms.incoming_message")


def _line(row: dict[str, Any]) -> str:
    time = row["created_at"][:19].replace("T", " ")
    why = (row["last_error"] or "").strip().splitlines()[-1:]
    did = [f"{entry['kind']} {entry['state']}" for entry in row["did"] or []]
    more = ", ".join(why if row["state"] != "done" and why else did)
    return f"{time}Z  {row['name']:<20} {row['kind'] or '-':<21} {row['phone']:<7} {row['state']:<8} {row['id']}  {more[:100]}".rstrip()


@reactions.command("show")
@click.argument("reaction_id")
@as_json
def show_reaction(reaction_id: str, as_json: bool) -> None:
    """Print one reaction: what it did, and the traceback of its last failure.

    Example: flask reactions show rct_01KF3Z0000000000000000000
    """
    row = _told(lambda: past_reactions.one(reaction_id))
    show(as_json, row, lambda: [_entry(name, value) for name, value in row.items() if value not in (None, [], "")])


def _entry(name: str, value: Any) -> str:
    if name == "last_error":
        return f"{name}\n{value}"
    return f"{name:<12} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


@reactions.command("run")
@click.argument("reaction_id")
@click.option("--now", "is_now", is_flag=True, help="Run it here, not in the worker.")
@as_json
def run_reaction(reaction_id: str, is_now: bool, as_json: bool) -> None:
    """Run a reaction again. What it sent before is not sent twice.

    Example: flask reactions run rct_01KF3Z0000000000000000000 --now
    """
    _told(lambda: again(reaction_id))
    if is_now:
        run_one(reaction_id)
    row = _told(lambda: past_reactions.one(reaction_id))
    waits = "" if is_now else ": the worker runs it"
    show(as_json, row, lambda: [f"{reaction_id} is {row['state']}{waits}"])
    if is_now and row["state"] != "done":
        raise click.ClickException(f"It did not end well: flask reactions show {reaction_id}")


def _told(read: Callable[[], Read]) -> Read:
    try:
        return read()
    except GatewayError as error:
        raise click.ClickException(error.message) from error
