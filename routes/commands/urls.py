"""flask urls: every address to paste into Africa's Talking's dashboard."""

import click
from flask import current_app
from flask.cli import with_appcontext

from app.schemas.callbacks import KINDS
from routes.addresses import callback_addresses
from routes.commands.output import as_json, show, talk
from services.tunnel import local_address, public_address, token_query

OTHER = "other spelling"


@click.command("urls")
@as_json
@with_appcontext
def urls(as_json: bool) -> None:
    """Print every callback address, under the name of its field in Africa's Talking's dashboard.

    Example: flask urls
    """
    settings = current_app.config["POKEA"]
    base = public_address(settings).url or local_address(settings)
    query = token_query(settings)
    rows = [
        {
            "kind": one.kind,
            "field": OTHER if one.is_other_spelling else KINDS[one.kind].at_field,
            "path": one.path,
            "url": f"{base}{one.path}{query}",
        }
        for one in sorted(callback_addresses(current_app), key=lambda one: one.is_other_spelling)
    ]
    show(as_json, {"base": base, "addresses": rows}, lambda: [_line(row) for row in rows])
    talk(f"{len(rows)} addresses for {base}")
    if base == local_address(settings):
        talk(f"Africa's Talking cannot reach this machine yet. Start a tunnel: ngrok http {settings.port}, or set PUBLIC_URL.")


def _line(row: dict[str, str]) -> str:
    field = f"({row['kind']}, also)" if row["field"] == OTHER else row["field"]
    return f"{field:<34} {row['url']}"
