"""flask login-link: a way into the dashboard that is good once."""

from datetime import UTC, datetime

import click
from flask import current_app
from flask.cli import with_appcontext

from routes.commands.database import DatabaseCommand
from routes.commands.output import as_json, show
from routes.logins import NO_PASSWORD, has_no_way_in
from services import login_links
from services.tunnel import local_address, public_address


@click.command("login-link", cls=DatabaseCommand)
@as_json
@with_appcontext
def login_link(as_json: bool) -> None:
    """Print a link that opens the dashboard once, within a quarter of an hour.

    Example: flask login-link
    """
    if has_no_way_in():
        raise click.ClickException(NO_PASSWORD)
    settings = current_app.config["POKEA"]
    link = f"{public_address(settings).url or local_address(settings)}/login?code={login_links.make(datetime.now(UTC))}"
    show(as_json, {"link": link}, lambda: [link])
