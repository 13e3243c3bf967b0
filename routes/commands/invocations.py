"""flask invocations: list, show and settle the calls that were made to Africa's Talking."""

import json
from typing import Any

import click
from flask import current_app
from marshmallow import ValidationError

from app.errors import GatewayError
from app.schemas.invokes import INVOKES
from app.schemas.orders import read_phone
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, person, show, talk
from services import past_invocations

invocations = DatabaseGroup("invocations", help="Read, and settle, the calls made to Africa's Talking.")
STATES = ("pending", "accepted", "refused", "unknown")


def _shown(found: past_invocations.Found) -> dict[str, Any]:
    return past_invocations.shown(*found, hide_numbers=bool(current_app.config["POKEA"].privacy))


@invocations.command("list")
@click.option("--kind", type=click.Choice(list(INVOKES)), help="Only this kind.")
@click.option("--state", type=click.Choice(STATES), help="Only this state.")
@click.option("--phone", help="Only orders for this number, as +254711000017.")
@click.option("--reference", help="Only orders with this reference.")
@click.option("--limit", default=20, type=click.IntRange(1, 1000), help="At most so many.")
@as_json
def list_invocations(kind: str | None, state: str | None, phone: str | None, reference: str | None, limit: int, as_json: bool) -> None:
    """Print the newest invocations.

    Example: flask invocations list --state unknown
    """
    rows = [_shown(found) for found in past_invocations.newest(limit, kind, state, phone and _phone(phone), reference)]
    show(as_json, rows, lambda: [_line(row) for row in rows])
    if not rows and not (kind or state or phone or reference):
        talk("No invocations. Make one: flask send sms +254711000017 Hello")
    elif not rows:
        talk("No invocation is like that.")


def _phone(text: str) -> str:
    try:
        return read_phone(text, current_app.config["POKEA"].default_country)
    except ValidationError as error:
        raise click.ClickException(str(error.messages[0])) from error


def _line(row: dict[str, Any]) -> str:
    time = row["asked_at"][:19].replace("T", " ")
    recipients = row["recipients"]
    about = recipients[0]["phone"] if len(recipients) == 1 else f"{len(recipients)} phones"
    ms = "" if row["ms"] is None else f"{row['ms']} ms"
    more = "".join(f"  {said}" for said in (row["reference"], (row["problem"] or "")[:80]) if said)
    return f"{time}Z  {row['kind']:<17} {about:<14} {row['state']:<8} {row['answer_status'] or '-':>3} {ms:>8}  {row['id']}{more}"


@invocations.command("show")
@click.argument("invocation_id")
@as_json
def show_invocation(invocation_id: str, as_json: bool) -> None:
    """Print all that is kept of one invocation.

    Example: flask invocations show inv_01KF3Z0000000000000000000
    """
    row = _told(lambda: past_invocations.one(invocation_id)) | {"callbacks": past_invocations.callbacks_about(invocation_id)}
    show(as_json, row, lambda: [f"{name:<16} {_text(value)}" for name, value in row.items() if value not in (None, [], {})])


@invocations.command("settle")
@click.argument("invocation_id")
@click.option("--as", "state", required=True, type=click.Choice(["sent", "not-sent"]), help="What you know of it.")
@click.option("--note", default="", help="How you know.")
@as_json
def settle(invocation_id: str, state: str, note: str, as_json: bool) -> None:
    """Say how an unknown invocation ended, from Africa's Talking's own records.

    One that was not sent may be ordered again with the same key.

    Example: flask invocations settle inv_01KF3Z0000000000000000000 --as sent --note "seen in the dashboard"
    """
    meant = {"sent": "accepted", "not-sent": "refused"}[state]
    row = _told(lambda: past_invocations.settle(invocation_id, meant, person(), note))
    show(as_json, row, lambda: [f"{invocation_id} is {row['state']}"])


def _told(read: Any) -> dict[str, Any]:
    try:
        return _shown(read())
    except GatewayError as error:
        raise click.ClickException(error.message) from error


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
