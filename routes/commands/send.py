"""flask send: the same orders as the invoke addresses, from a terminal."""

import json
from collections.abc import Callable
from typing import Any

import click
from flask import current_app

from app.config import Settings
from app.errors import GatewayError
from app.schemas.invokes import INVOKES
from routes.commands.output import DatabaseGroup, as_json, show
from routes.orders import read_order
from services import airtime, payments, sim_swap, sms, voice
from services.invocations import Order, Placed
from services.past_invocations import told
from services.preview import preview

send = DatabaseGroup("send", help="Call Africa's Talking as the invoke addresses do.")


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
            before = preview(order)
            show(wants_json, before, lambda: [f"{name:<15} {_text(value)}" for name, value in before.items()])
            return
        if settings.is_live and not yes:
            _confirm(order, settings)
        placed = place(order)
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    _tell(placed, wants_json)


def _confirm(order: Order, settings: Settings) -> None:
    to = order.phones[0] if len(order.phones) == 1 else f"{len(order.phones)} numbers"
    what = INVOKES[order.kind].real + (f" of {order.amount} {order.currency}" if order.amount is not None else "")
    click.confirm(f"LIVE account '{settings.at_username}': this sends {what} to {to}. Continue?", abort=True, err=True)


def _tell(placed: Placed, wants_json: bool) -> None:
    invocation = placed.invocation
    data = {"response": invocation.answer, "invocation": told(invocation, placed.recipients), "problem": invocation.problem}
    if placed.is_repeated:
        data["repeated"] = True
    show(wants_json, data, lambda: _lines(placed))
    if invocation.state != "accepted":
        raise SystemExit(1)


def _lines(placed: Placed) -> list[str]:
    invocation, row = placed.invocation, INVOKES[placed.invocation.kind]
    lines = []
    for recipient in placed.recipients:
        cost = f"{recipient.cost_currency} {recipient.cost:.4f}" if recipient.cost is not None else ""
        why = f"{recipient.reason or ''} {recipient.advice or ''}".strip() if recipient.state != "accepted" else ""
        lines.append(f"{recipient.phone:<15} {recipient.state:<8} {recipient.status or '':<16} {cost} {why}".rstrip())
    if invocation.state == "unknown":
        lines.append(f"The {row.thing} may have been sent: do not repeat it.")
    repeated = "  (placed before: not sent twice)" if placed.is_repeated else ""
    return [*lines, *([invocation.problem] if invocation.problem else []), f"{invocation.id} {invocation.state}{repeated}"]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
