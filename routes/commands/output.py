"""How commands speak: data to standard output, as text or as one JSON document; talk to standard error."""

import getpass
import json
from collections.abc import Callable, Iterable
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from app.errors import StorageUnavailable, first_line

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class DatabaseGroup(AppGroup):
    """Commands that read or change rows: a database that does not answer is told in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (SQLAlchemyError, StorageUnavailable) as error:
            cause = error.__cause__ if isinstance(error, StorageUnavailable) and error.__cause__ else error
            raise click.ClickException(
                f"The database does not answer: {first_line(cause).rstrip('.')}. Try: flask doctor, flask db upgrade"
            ) from error


def show(wants_json: bool, data: Any, lines: Callable[[], Iterable[str]]) -> None:
    """Print data as JSON, or its lines for people."""
    if wants_json:
        click.echo(json.dumps(data, ensure_ascii=False))
    else:
        for line in lines():
            click.echo(line)


def person() -> str:
    """Return who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for who runs it
        return "command line"


def talk(line: str) -> None:
    """Say something that is not data."""
    click.echo(line, err=True)
