"""flask sign: Sign a body as webhooks are signed."""

from datetime import UTC, datetime
from typing import BinaryIO, TextIO

import click
from flask import current_app
from flask.cli import with_appcontext
from ulid import ULID

from app.errors import Invalid
from app.models import Endpoint
from routes.api import read_moment
from routes.commands.output import as_json, show
from services.webhooks.signing import headers_for
from services.webhooks.webhook_body import JSON_TYPE


@click.command("sign")
@with_appcontext
@click.argument("body", type=click.File("rb"), metavar="FILE")
@click.option("--secret", help="whsec_…; others on this machine may see it: --secret-file is better.")
@click.option("--secret-file", type=click.File("r"), help="A file that holds the secret.")
@click.option("--id", "event_id", help="The webhook-id; a fresh one unless given.")
@click.option("--at", help="When it was signed: a time, seconds since 1970, or how long ago, as 10m. Now unless given.")
@click.option("--content-type", default=JSON_TYPE, help="What the body is.")
@as_json
def sign(
    body: BinaryIO, secret: str | None, secret_file: TextIO | None, event_id: str | None, at: str | None, content_type: str, as_json: bool
) -> None:
    """Print the headers that a receiver would get with the bytes of FILE (- for standard input).

    Example: flask sign --secret-file secret.txt body.json > headers.txt && curl -H @headers.txt --data-binary @body.json URL
    """
    if (secret is None) == (secret_file is None):
        raise click.UsageError("Give the secret of the receiver: --secret-file FILE, or --secret whsec_…")
    shown = (secret or "" if secret_file is None else secret_file.read()).strip()
    signer = Endpoint(secret=shown, previous_secret=None, previous_until=None)
    name = current_app.config["POKEA"].webhook_signature_header
    try:
        headers = headers_for(signer, event_id or f"evt_{ULID()}", body.read(), content_type, _moment(at), name)
    except ValueError as error:
        raise click.UsageError("A secret is whsec_ and base64, as it was shown when the webhook was made.") from error
    show(as_json, headers, lambda: [f"{name}: {value}" for name, value in headers.items()])


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        return read_moment(text, "at")
    except (Invalid, OverflowError, ValueError, OSError) as error:
        raise click.UsageError("--at must be a time, as 2026-03-04T10:30:00Z, or 10m for ten minutes ago.") from error
