"""A single command that reads or changes rows, as DatabaseGroup is for several."""

from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from app.errors import StorageUnavailable, first_line


class DatabaseCommand(click.Command):
    """A database that does not answer is told in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (SQLAlchemyError, StorageUnavailable) as error:
            cause = error.__cause__ if isinstance(error, StorageUnavailable) and error.__cause__ else error
            raise click.ClickException(
                f"The database does not answer: {first_line(cause).rstrip('.')}. Try: flask doctor, flask db upgrade"
            ) from error
