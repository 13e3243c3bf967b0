"""flask trigger: a realistic callback into this app, or to another address."""

from collections.abc import Callable
from dataclasses import asdict
from difflib import get_close_matches
from secrets import token_hex

import click
import requests
from flask import current_app
from flask.cli import with_appcontext

from app.schemas.callbacks import KINDS
from routes.addresses import path_of
from routes.commands.output import as_json, show
from services.samples import Sent, make_sample, post_sample
from services.tunnel import local_address, token_query


def _kind(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    if name is not None and name not in KINDS:
        near = get_close_matches(name, KINDS, n=1)
        hint = f"Did you mean {near[0]}?" if near else "flask trigger --list names them."
        raise click.UsageError(f"No such kind '{name}'. {hint}")
    return name


def _changes(_context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    if wrong := next((pair for pair in pairs if "=" not in pair), None):
        raise click.UsageError(f"--set takes name=value, for example --set text=1, not '{wrong}'.")
    return dict(pair.split("=", 1) for pair in pairs)


@click.command("trigger")
@as_json
@click.option("--list", "wants_list", is_flag=True, help="Name every kind.")
@click.argument("kind", required=False, callback=_kind)
@click.option("--set", "changes", multiple=True, callback=_changes, metavar="NAME=VALUE", help="Change or add a field.")
@click.option("--count", default=1, type=click.IntRange(1, 10_000), help="Post so many, each with ids of its own.")
@click.option("--twice", is_flag=True, help="Post each a second time, as Africa's Talking may.")
@click.option("--to", "to", metavar="URL", help="Post to this address instead of this app.")
@with_appcontext
def trigger(kind: str | None, wants_list: bool, changes: dict[str, str], count: int, twice: bool, to: str | None, as_json: bool) -> None:
    """Post a realistic callback of KIND.

    Example: flask trigger sms.incoming_message --set text=STOP
    """
    if wants_list:
        rows = [{"kind": name, "purpose": row.purpose} for name, row in KINDS.items()]
        show(as_json, rows, lambda: [f"{row['kind']:<22} {row['purpose']}" for row in rows])
        return
    if kind is None:
        raise click.UsageError("Which kind? flask trigger --list names them.")
    settings = current_app.config["POKEA"]
    query = token_query(settings)
    url = to or f"{local_address(settings)}{path_of(current_app, kind)}{query}"
    sent: list[Sent] = []
    for _ in range(count):
        fields = make_sample(kind, settings, changes, lambda: token_hex(16))
        sent += [_post(kind, url, lambda fields=fields: post_sample(kind, url, fields, settings)) for _ in range(2 if twice else 1)]  # type: ignore[misc]
    show(as_json, {"kind": kind, "sent": [asdict(one) for one in sent]}, lambda: [_line(kind, one) for one in sent])
    if any(one.status >= 400 for one in sent):
        raise SystemExit(1)


def _post(kind: str, url: str, post: Callable[[], Sent]) -> Sent:
    try:
        return post()
    except requests.RequestException as error:
        where = url.partition("?")[0]
        raise click.ClickException(
            f"Nothing took {kind} at {where} ({type(error).__name__}). Start the app with make run, or name another with --to."
        ) from error


def _line(kind: str, sent: Sent) -> str:
    answer = sent.answer.strip().replace("\n", " | ")
    return f"{kind} → {sent.status} {answer[:100]} in {sent.ms} ms ({sent.id or 'no id'})"
