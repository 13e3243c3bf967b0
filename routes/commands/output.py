"""How commands speak: data to standard output, as text or as one JSON document; talk to standard error."""

import getpass
import json
from collections.abc import Callable, Iterable
from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


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
