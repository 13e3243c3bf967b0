"""flask send: the same orders as the invoke addresses, from a terminal."""

import json
from collections.abc import Callable
from typing import Any

import click
from flask import current_app

from app.errors import GatewayError, StorageUnavailable
from app.models import Recipient
from app.settings import Settings
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, show
from routes.orders import read_order
from routes.telling import tell, tell_preview, tell_real
from services import airtime, payments, sim_swap, sms, voice
from services.invocations import Order, Placed

send = DatabaseGroup(
    "send",
    help="Call Africa's Talking as the invoke addresses do. Exits with 0 when it took it, 1 when nothing was sent, 3 when nobody knows.",
)
EXITS = {"refused": 1, "unknown": 3}


def _common(command: Callable) -> Callable:
    for option in (
        as_json,
        click.option("--yes", is_flag=True, help="Do not ask in live mode."),
        click.option("--preview", is_flag=True, help="Say what it would be; send nothing."),
        click.option("--again", is_flag=True, help="Send although it is like the order just before."),
        click.option("--reference", help="A name of your own, to find it by."),
        click.option("--key", help="Idempotency key: with the same one it is never sent twice."),
    ):
        command = option(command)
    return command


@send.command("sms")
@click.argument("phone")
@click.argument("message")
@click.option("--from", "sender", help="Sender; AT_SENDER_ID, else your account's usual one.")
@click.option("--enqueue", is_flag=True, help="Africa's Talking may send it later.")
@click.option("--premium", is_flag=True, help="From the short code, as an answer.")
@click.option("--link-id", help="The linkId of the message that it answers (with --premium).")
@click.option("--keyword", help="The keyword of a subscription (with --premium).")
@click.option("--force", is_flag=True, help="To those who opted out, too.")
@_common
def send_sms(premium: bool, sender: str | None, link_id: str | None, **asked: Any) -> None:
    """Send one message to one number, or several by comma.

    Example: flask send sms +254711000017 "Hello from Pokea"
    """
    if not premium and (link_id or asked["keyword"]):
        raise click.UsageError("--link-id and --keyword go with --premium.")
    if premium and (sender or asked["enqueue"]):
        raise click.UsageError("--from and --enqueue do not go with --premium, which sends from AT_SHORTCODE.")
    _send(
        "sms.premium" if premium else "sms.bulk",
        sms.send_premium if premium else sms.send_bulk,
        asked | {"senderId": sender, "linkId": link_id},
    )


@send.command("call")
@click.argument("phone")
@_common
def send_call(**asked: Any) -> None:
    """Call one number, or several by comma, from AT_VOICE_NUMBER.

    Example: flask send call +254711000017
    """
    _send("voice.call", voice.call, asked)


@send.command("airtime")
@click.argument("phone")
@click.argument("amount")
@click.option("--currency", default="KES", show_default=True)
@_common
def send_airtime(**asked: Any) -> None:
    """Top up one phone.

    Example: flask send airtime +254711000017 10 --currency KES
    """
    _send("airtime.send", airtime.send, asked)


@send.command("sim-swap")
@click.argument("phone")
@_common
def send_sim_swap(**asked: Any) -> None:
    """Ask when a SIM card was swapped; a callback brings the date.

    Example: flask send sim-swap +254711000017
    """
    _send("sim_swap.check", sim_swap.check, asked)


@send.command("checkout")
@click.argument("phone")
@click.argument("amount")
@click.option("--currency", default="KES", show_default=True)
@click.option("--product", "productName", required=True, help="Name of your payment product.")
@click.option("--metadata", help='JSON object of texts, as {"order": "1042"}.')
@_common
def send_checkout(**asked: Any) -> None:
    """Ask one person to pay.

    Example: flask send checkout +254711000017 100 --product duka
    """
    _send("payments.checkout", payments.checkout, asked)


def _send(kind: str, place: Callable[[Order], Placed], asked: dict[str, Any]) -> None:
    wants_json, yes, key = asked.pop("as_json"), asked.pop("yes"), asked.pop("key")
    settings: Settings = current_app.config["POKEA"]
    parameters = {name: value for name, value in {**asked, "idempotencyKey": key}.items() if value is not None}
    try:
        order, wants_preview = read_order(kind, parameters, settings, "command line")
        if wants_preview:
            before = tell_preview(order)
            show(wants_json, before, lambda: [f"{name:<15} {_text(value)}" for name, value in before["preview"].items()])
            return
        if settings.is_live and not yes:
            _confirm(order, settings)
        placed = place(order)
    except StorageUnavailable:
        raise
    except GatewayError as error:
        raise click.ClickException(_in_terminal(error.message)) from error
    _, body = tell(placed, order)
    show(wants_json, body, lambda: _lines(placed, body))
    if placed.invocation.state != "accepted":
        raise SystemExit(EXITS[placed.invocation.state])


def _in_terminal(sentence: str) -> str:
    """Return a sentence with the names of options in place of those of parameters."""
    for parameter, option in (("force=1", "--force"), ("again=1", "--again"), ("idempotencyKey", "--key")):
        sentence = sentence.replace(parameter, option)
    return sentence


def _confirm(order: Order, settings: Settings) -> None:
    click.confirm(f"{tell_real(order, settings)}. Continue?", abort=True, err=True)


def _lines(placed: Placed, body: dict[str, Any]) -> list[str]:
    # What is said of a single one is said below.
    lines = [_line(recipient, tells_why=len(placed.recipients) > 1) for recipient in placed.recipients]
    said = [_in_terminal(str(body[name])) for name in ("error", "message", "advice") if name in body]
    return [*lines, *said, f"{placed.invocation.id} {placed.invocation.state}"]


def _line(recipient: Recipient, tells_why: bool) -> str:
    cost = f"{recipient.cost_currency} {recipient.cost:.4f}" if recipient.cost is not None else ""
    why = f"{recipient.reason or ''} {recipient.advice or ''}" if tells_why and recipient.state != "accepted" else ""
    return f"{recipient.phone:<15} {recipient.state:<8} {recipient.status or '':<16} {cost} {why}".rstrip()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
