"""flask pull-messages: Fetch messages that came in."""

from dataclasses import asdict

import click
from flask.cli import with_appcontext

from routes.commands.database import DatabaseCommand
from routes.commands.output import as_json, show
from services.upkeep.pulling import MOST_PAGES, NotPulled, pull


@click.command("pull-messages", cls=DatabaseCommand)
@click.option("--once", is_flag=True, help="Ask Africa's Talking once, for one page, instead of until there are no more.")
@as_json
@with_appcontext
def pull_messages(once: bool, as_json: bool) -> None:
    """Fetch messages that came in while this app could not be reached, and keep those that nobody posted.

    Example: flask pull-messages
    """
    try:
        pulled = pull(1 if once else MOST_PAGES)
    except NotPulled as error:
        raise click.ClickException(error.message) from error
    plural = "" if pulled.messages == 1 else "s"
    show(as_json, asdict(pulled), lambda: [f"{pulled.messages:,} message{plural}, {pulled.new:,} of them new"])
