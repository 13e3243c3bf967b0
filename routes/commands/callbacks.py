"""flask callbacks: list, show and export what was kept."""

import csv
import io
import json
import shlex
from typing import Any

import click
from flask import current_app

from app import masking
from app.models import Callback
from app.schemas.callbacks import KINDS
from routes.commands.output import DatabaseGroup, as_json, show, talk
from services import archive
from services.tunnel import local_address

callbacks = DatabaseGroup("callbacks", help="Read what Africa's Talking posted.")
# A spreadsheet runs a cell that begins so.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _privacy() -> bool:
    return bool(current_app.config["POKEA"].privacy)


@callbacks.command("list")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Only this kind.")
@click.option("--state", type=click.Choice(["accepted", "differing", "refused"]), help="Only this state.")
@click.option("--phone", help="Only this number, as it was sent.")
@click.option("--limit", default=20, type=click.IntRange(1, 1000), help="At most so many.")
@as_json
def list_callbacks(kind: str | None, state: str | None, phone: str | None, limit: int, as_json: bool) -> None:
    """Print the newest callbacks.

    Example: flask callbacks list --kind sms.incoming_message
    """
    rows = [archive.shown(row, _privacy()) for row in archive.newest(limit, kind, state, phone)]
    show(as_json, rows, lambda: [_line(row) for row in rows])
    if not rows:
        talk("No callbacks. Make one: flask trigger sms.incoming_message")


def _line(row: dict[str, Any]) -> str:
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


@callbacks.command("export")
@click.option(
    "--format", "form", type=click.Choice(["json", "csv", "curl"]), default="json", help="One JSON object, CSV row or curl command a line."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json, whatever that says.")
def export(form: str, as_json: bool) -> None:
    """Print every callback, oldest first, as it came.

    Example: flask callbacks export --format csv > callbacks.csv
    """
    write = {"json": _json_line, "csv": _csv_line, "curl": _curl_line}["json" if as_json else form]
    if form == "csv" and not as_json:
        click.echo("id,kind,received_at,state,repeats,fields,raw_body,raw_encoding")
    for row in archive.every():
        click.echo(write(row))


def _json_line(row: Callback) -> str:
    return json.dumps(archive.exported(row, _privacy()), ensure_ascii=False)


def _csv_line(row: Callback) -> str:
    line = io.StringIO()
    values = archive.exported(row, _privacy())
    cells = [
        values["id"],
        values["kind"],
        values["received_at"],
        values["state"],
        values["repeats"],
        json.dumps(values["fields"], ensure_ascii=False),
    ]
    csv.writer(line).writerow([_safe(str(cell)) for cell in (*cells, values["raw_body"], values.get("raw_encoding", ""))])
    return line.getvalue().rstrip("\r\n")


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _curl_line(row: Callback) -> str:
    body = row.raw_body.decode("utf-8", "surrogateescape")
    url = local_address(current_app.config["POKEA"]) + row.path + (f"?{row.query}" if row.query else "")
    words = ["curl", "-X", "POST", url, "-H", f"Content-Type: {row.content_type}", "--data-raw", body]
    return " ".join(shlex.quote(masking.numbers_in(masking.raw(word)) if _privacy() else word) for word in words)
