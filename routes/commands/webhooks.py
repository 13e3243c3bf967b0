"""flask webhooks: who receives webhooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from app.errors import GatewayError
from app.models import Endpoint
from app.schemas.endpoints import FORMATS
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, show, talk
from routes.webhooks_told import told, told_secret
from services.webhooks import endpoints, past_deliveries

webhooks = DatabaseGroup("webhooks", help="Receivers of webhooks.")


@contextmanager
def explained() -> Iterator[None]:
    """End a command with our sentence, and what is wrong with each field."""
    try:
        yield
    except GatewayError as error:
        reasons = [reason for reasons in (error.fields or {}).values() for reason in reasons if reason != error.message]
        raise click.ClickException("\n".join([error.message, *reasons])) from error


@webhooks.command("add")
@click.argument("url")
@click.option("--event", "events", multiple=True, required=True, help="A name, or a family as sms.*; may be given several times.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="json", help="original: Africa's Talking's own bytes.")
@as_json
def add(url: str, events: tuple[str, ...], form: str, as_json: bool) -> None:
    """Make a receiver and print its secret: it is shown only now.

    Example: flask webhooks add https://example.com/hooks --event 'sms.*'
    """
    with explained():
        row = endpoints.make({"url": url, "events": list(events), "format": form})
    show(as_json, {**told(row, None), **told_secret(row)}, lambda: [row.id, f"secret shown once: {row.secret}"])
    talk(f"Try it: flask webhooks test {row.id}")


@webhooks.command("list")
@as_json
def list_webhooks(as_json: bool) -> None:
    """Print every receiver, the values in the queries of their addresses masked.

    Example: flask webhooks list
    """
    rows = endpoints.every()
    waiting = past_deliveries.backlogs([row.id for row in rows])
    shown = [told(row, waiting[row.id], hides_query=True) for row in rows]
    show(as_json, shown, lambda: [_line(row) for row in shown])
    if not rows:
        talk("No webhooks. Make one: flask webhooks add https://example.com/hooks --event 'sms.*'")


def _line(row: dict[str, Any]) -> str:
    return f"{row['webhookId']}  {_state(row):<32} {row['url']}  {','.join(row['events'])}"


def _state(row: dict[str, Any]) -> str:
    waiting = f" ({row['waiting']} waiting)" if row["waiting"] else ""
    if not row["active"]:
        return f"off{waiting}"
    since = f"failing since {row['failingSince'][11:16]}Z" if row["failingSince"] else "on"
    return since + waiting


@webhooks.command("show")
@click.argument("webhook_id")
@as_json
def show_webhook(webhook_id: str, as_json: bool) -> None:
    """Print one receiver, without its secret.

    Example: flask webhooks show webhook_01KF3Z0000000000000000000
    """
    with explained():
        _tell(endpoints.one(webhook_id), as_json)


def _tell(row: Endpoint, wants_json: bool) -> None:
    shown = told(row, past_deliveries.backlogs([row.id])[row.id])
    show(wants_json, shown, lambda: [f"{name:<14} {_text(value)}" for name, value in shown.items() if value is not None])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


@webhooks.command("test")
@click.argument("webhook_id")
@as_json
def test(webhook_id: str, as_json: bool) -> None:
    """Send a ping to one receiver; flask worker delivers it.

    Example: flask webhooks test webhook_01KF3Z0000000000000000000
    """
    with explained():
        event_id, delivery_id = endpoints.ping(webhook_id)
    show(as_json, {"webhookId": webhook_id, "eventId": event_id, "deliveryId": delivery_id}, lambda: [f"ping on its way: {delivery_id}"])
    talk(f"How it went: flask deliveries show {delivery_id}")


@webhooks.command("rotate")
@click.argument("webhook_id")
@as_json
def rotate(webhook_id: str, as_json: bool) -> None:
    """Print a new secret, shown only now; the one before signs too for 24 hours.

    Example: flask webhooks rotate webhook_01KF3Z0000000000000000000
    """
    with explained():
        row = endpoints.rotate(webhook_id)
    secret = told_secret(row)
    show(as_json, {"webhookId": row.id, **secret}, lambda: [f"secret shown once: {row.secret}"])
    talk(f"The one before signs too until {secret['previousValidUntil']}.")


@webhooks.command("disable")
@click.argument("webhook_id")
@as_json
def disable(webhook_id: str, as_json: bool) -> None:
    """Turn a receiver off: nothing is sent to it, and callbacks are kept.

    Example: flask webhooks disable webhook_01KF3Z0000000000000000000
    """
    _turn(webhook_id, False, as_json)


@webhooks.command("enable")
@click.argument("webhook_id")
@as_json
def enable(webhook_id: str, as_json: bool) -> None:
    """Turn a receiver on again: what waits for it is sent now.

    Example: flask webhooks enable webhook_01KF3Z0000000000000000000
    """
    _turn(webhook_id, True, as_json)
    talk(f"Send what happened meanwhile: flask deliveries recover --since 2h --all --endpoint {webhook_id}")


def _turn(webhook_id: str, is_active: bool, wants_json: bool) -> None:
    with explained():
        _tell(endpoints.change(webhook_id, {"active": is_active}), wants_json)


@webhooks.command("remove")
@click.argument("webhook_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def remove(webhook_id: str, yes: bool, as_json: bool) -> None:
    """Remove a receiver, its deliveries and its secret.

    Example: flask webhooks remove webhook_01KF3Z0000000000000000000
    """
    with explained():
        row = endpoints.one(webhook_id)
        if not yes:
            waiting = past_deliveries.backlogs([row.id])[row.id].waiting
            click.confirm(f"Remove the webhook to {row.url} and its deliveries ({waiting} waiting)?", abort=True, err=True)
        endpoints.remove(webhook_id)
    show(as_json, {"webhookId": webhook_id, "deleted": True}, lambda: [f"{webhook_id} removed"])
