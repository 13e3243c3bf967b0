"""flask openapi: every address, for programs."""

import json
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from routes.commands.output import talk
from routes.operations import openapi_of


@click.command("openapi")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@click.option("--json", "_as_json", is_flag=True, help="As always: it is JSON.")
@with_appcontext
def openapi(out: Path | None, _as_json: bool) -> None:
    """Print the OpenAPI document, the same as /openapi.json.

    Example: flask openapi --out openapi.json
    """
    text = json.dumps(openapi_of(current_app), ensure_ascii=False, indent=2)
    if out is None:
        click.echo(text)
        return
    try:
        out.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}") from error
    talk(f"wrote {out}")
