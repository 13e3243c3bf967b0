"""flask trigger: a realistic callback, or a named fixture, into this app or to another address."""

from collections.abc import Callable
from dataclasses import asdict
from difflib import get_close_matches
from functools import partial
from secrets import token_hex

import click
import requests
from flask import current_app
from flask.cli import with_appcontext

from app.config import Settings
from app.schemas.callbacks import KINDS
from routes.addresses import path_of
from routes.commands.fixtures import folder, told
from routes.commands.output import as_json, show, talk
from services import fixtures
from services.editing import edited, typed
from services.fixtures import Fixture
from services.samples import Sent, make_sample, new_ids, post_body, post_sample
from services.tunnel import local_address, token_query

Post = Callable[[], Sent]


def _kind(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    if name is not None and not name.startswith("@") and name not in KINDS:
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
@click.argument("kind", required=False, callback=_kind, metavar="KIND | @NAME")
@click.option("--set", "changes", multiple=True, callback=_changes, metavar="NAME=VALUE", help="Change or add a field.")
@click.option("--count", default=1, type=click.IntRange(1, 10_000), help="Post so many, each with ids of its own.")
@click.option("--twice", is_flag=True, help="Post each a second time, as Africa's Talking may.")
@click.option("--to", "to", metavar="URL", help="Post to this address instead of this app.")
@with_appcontext
def trigger(kind: str | None, wants_list: bool, changes: dict[str, str], count: int, twice: bool, to: str | None, as_json: bool) -> None:
    """Post a realistic callback of KIND, or the fixture that was kept as NAME.

    Example: flask trigger sms.incoming_message --set text=STOP
    """
    if wants_list:
        rows = [{"kind": name, "purpose": row.purpose} for name, row in KINDS.items()]
        show(as_json, rows, lambda: [f"{row['kind']:<22} {row['purpose']}" for row in rows])
        return
    if kind is None:
        raise click.UsageError("Which kind? flask trigger --list names them.")
    settings, expected = current_app.config["POKEA"], None
    if kind.startswith("@"):
        fixture = told(lambda: fixtures.load(folder(), kind.removeprefix("@")))
        expected = None if changes else fixture
        posts = [_fixture(fixture, changes, to, settings, has_new_ids=count > 1) for _ in range(count)]
    else:
        posts = [_sample(kind, changes, to, settings) for _ in range(count)]
    sent = [_posted(kind, post, to or local_address(settings)) for post in posts for _ in range(2 if twice else 1)]
    show(as_json, {"kind": kind, "sent": [asdict(one) for one in sent]}, lambda: [_line(kind, one) for one in sent])
    _judge(sent, expected)


def _sample(kind: str, changes: dict[str, str], to: str | None, settings: Settings) -> Post:
    url = to or f"{local_address(settings)}{path_of(current_app, kind)}{token_query(settings)}"
    fields = make_sample(kind, settings, changes, lambda: token_hex(16))
    return partial(post_sample, kind, url, fields, settings)


def _fixture(fixture: Fixture, changes: dict[str, str], to: str | None, settings: Settings, has_new_ids: bool) -> Post:
    ids = new_ids(fixture.kind, fixture.fields, lambda: token_hex(16)) if has_new_ids else {}
    wanted = ids | {name: typed(fixture.fields.get(name), text) for name, text in changes.items()}
    body, content_type = edited(fixture, wanted) if wanted else (fixture.raw_body, fixture.content_type)
    # All fields stand in an edited body.
    query = "&".join(part for part in ("" if wanted else fixture.query, token_query(settings).removeprefix("?")) if part)
    url = to or f"{local_address(settings)}{fixture.path}{'?' if query else ''}{query}"
    return partial(post_body, url, body, content_type, settings)


def _posted(kind: str, post: Post, to: str) -> Sent:
    try:
        return post()
    except requests.RequestException as error:
        where = to.partition("?")[0]
        raise click.ClickException(
            f"Nothing took {kind} at {where} ({type(error).__name__}). Start the app with make run, or name another with --to."
        ) from error


def _judge(sent: list[Sent], expected: Fixture | None) -> None:
    """Fail where an answer is an error that was not expected, and tell of one that is not as it was kept."""
    if expected and any((one.status, one.answer) != (expected.answer_status, expected.answer) for one in sent):
        talk(f"Not the answer that was kept: {expected.answer_status} {expected.answer.strip()[:100]!r}")
    if any(one.status >= 400 and (expected is None or one.status != expected.answer_status) for one in sent):
        raise SystemExit(1)


def _line(kind: str, sent: Sent) -> str:
    answer = sent.answer.strip().replace("\n", " | ")
    return f"{kind} → {sent.status} {answer[:100]} in {sent.ms} ms ({sent.id or 'no id'})"
