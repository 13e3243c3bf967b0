"""flask opt-outs: who wants no more messages, entered and undone by hand."""

from typing import Any

import click
from flask import current_app
from marshmallow import ValidationError

from app import masking
from app.extensions import db
from app.schemas.orders import read_phone
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, person, show, talk
from services.opt_outs import bring_back, enter
from services.reading import single
from services.reading.filters import Filters
from services.reading.lists import page_of
from services.reading.tables import LISTS

opt_outs = DatabaseGroup("opt-outs", help="Who wants no more messages.")
NAME = "optouts"


@opt_outs.command("list")
@click.option("--state", type=click.Choice(LISTS[NAME].states), help="out: wants no more; in: came back.")
@click.option("--phone", help="Only this number, as +254711000017.")
@click.option("--limit", default=20, type=click.IntRange(1, 1000), help="At most so many.")
@as_json
def list_opt_outs(state: str | None, phone: str | None, limit: int, as_json: bool) -> None:
    """Print the newest opt-outs, and who came back.

    Example: flask opt-outs list --state out
    """
    filters = Filters(state=state, phone=phone and _phone(phone))
    single.bring_up_to_date(phone=filters.phone)
    settings = current_app.config["POKEA"]
    with db.engine.connect() as connection:
        page = page_of(connection, NAME, filters, None, limit, settings.default_country)
        rows = [LISTS[NAME].tell(connection, row, settings.privacy) for _, row in page.rows]
    rows = masking.everything(rows) if settings.privacy else rows
    show(as_json, rows, lambda: [_line(row) for row in rows])
    if not rows:
        talk("No opt-out is like that." if state or phone else "Nobody opted out.")


def _line(row: dict[str, Any]) -> str:
    time = row["updated_at"][:19].replace("T", " ")
    return f"{time}Z  {row['phone']:<14} {row['state']:<3} {row['sender'] or 'every sender':<15} by {row['by']}"


@opt_outs.command("add")
@click.argument("phone")
@click.option("--sender", default="", help="Of whom no more messages are wanted; every sender if left out.")
@as_json
def add(phone: str, sender: str, as_json: bool) -> None:
    """Send no more messages to a number.

    Whichever sender is named: a message goes to this number only with force=1.

    Example: flask opt-outs add +254711000017
    """
    number = _phone(phone)
    enter(number, sender, person())
    show(as_json, {"phone": number, "sender": sender, "state": "out"}, lambda: [f"{number} gets no more messages"])


@opt_outs.command("remove")
@click.argument("phone")
@as_json
def remove(phone: str, as_json: bool) -> None:
    """Send messages to a number again, of every sender. Only for people who asked for that.

    Example: flask opt-outs remove +254711000017
    """
    number = _phone(phone)
    if not bring_back(number, person()):
        talk(f"{number} had not opted out.")
    show(as_json, {"phone": number, "state": "in"}, lambda: [f"{number} gets messages again"])


def _phone(text: str) -> str:
    try:
        return read_phone(text, current_app.config["POKEA"].default_country)
    except ValidationError as error:
        raise click.ClickException(str(error.messages[0])) from error
