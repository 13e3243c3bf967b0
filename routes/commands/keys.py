"""flask keys: make, list and revoke API keys."""

from typing import Any

import click

from app.errors import GatewayError
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, show, talk
from services.keys import SCOPES, all_keys, create_key, revoke_key

keys = DatabaseGroup("keys", help="API keys, shown once.")


@keys.command("create")
@click.option("--name", required=True, help="Whose key it is.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it may do; all when none is named.")
@as_json
def create(name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a key and print it: it is shown only now.

    Example: flask keys create --name dashboard --scope read
    """
    key_id, key = create_key(name, scopes)
    show(as_json, {"key": key, "id": key_id, "name": name, "scopes": list(scopes or SCOPES)}, lambda: [key])
    talk(f"Send it as a header: Authorization: Bearer {key[:7]}…   Revoke it with: flask keys revoke {key_id}")


@keys.command("list")
@as_json
def list_keys(as_json: bool) -> None:
    """Print every key, by its first letters.

    Example: flask keys list
    """
    rows = [
        {
            "id": key.id,
            "name": key.name,
            "prefix": key.prefix,
            "scopes": key.scopes,
            "created_at": key.created_at.isoformat(),
            "revoked": key.revoked_at is not None,
        }
        for key in all_keys()
    ]
    show(as_json, rows, lambda: [_line(row) for row in rows])
    if not rows:
        talk("No keys. Make one: flask keys create --name NAME")


def _line(row: dict[str, Any]) -> str:
    return f"{row['id']}  {row['prefix']}…  {'revoked' if row['revoked'] else 'in use':<8} {row['name']}  {','.join(row['scopes'])}"


@keys.command("revoke")
@click.argument("key_id")
@as_json
def revoke(key_id: str, as_json: bool) -> None:
    """Make a key worthless at once.

    Example: flask keys revoke key_01KF3Z0000000000000000000
    """
    try:
        revoke_key(key_id)
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    show(as_json, {"id": key_id, "revoked": True}, lambda: [f"{key_id} revoked"])
