"""Commands that read or change rows: a database that does not answer is told in one line."""

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from app.errors import StorageUnavailable, first_line


class _NeedsDatabase(click.Command):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SQLAlchemyError, StorageUnavailable) as error:
            cause = error.__cause__ if isinstance(error, StorageUnavailable) and error.__cause__ else error
            raise click.ClickException(
                f"The database does not answer: {first_line(cause).rstrip('.')}. Try: flask doctor, flask db upgrade"
            ) from error


class DatabaseCommand(_NeedsDatabase):
    """One such command."""


class DatabaseGroup(_NeedsDatabase, AppGroup):
    """Several, under one name."""
