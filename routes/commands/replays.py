"""flask callbacks replay, edit-replay and pin: a callback once more, in this process, and for good."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import with_appcontext

from app.errors import GatewayError, StorageUnavailable
from app.schemas.bodies import Unreadable, read_json
from routes.commands.output import as_json, show
from routes.commands.real import insist_on_word
from routes.replays import answer_again, pinned, shown
from services.replays import editing, replaying
from services.replays.replaying import Replayed, Wish


def _pairs(_context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    if wrong := next((pair for pair in pairs if "=" not in pair), None):
        raise click.UsageError(f"--set takes name=value, for example --set text=1, not '{wrong}'.")
    return dict(pair.split("=", 1) for pair in pairs)


def _common(command: Callable) -> Callable:
    for option in (
        as_json,
        click.option("--yes", is_flag=True, help="Do not ask in live mode."),
        click.option("--to", default="", metavar="URL", help="Post it to this address instead of answering it here."),
        click.option("--effects", is_flag=True, help="With all that follows from a new one: webhooks, reactions, sends."),
        click.argument("callback_id"),
    ):
        command = option(command)
    return command


@click.command("replay")
@click.option("--set", "changes", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="Change or add a field.")
@_common
@with_appcontext
def replay(callback_id: str, changes: dict[str, str], **asked: Any) -> None:
    """Answer a callback once more and show what is different; nothing is sent unless --effects says so.

    Example: flask callbacks replay cb_01KF3Z0000000000000000000 --set text=1*2
    """
    kept = _told(lambda: replaying.find(callback_id)).fields
    _replay(callback_id, {name: editing.typed(kept.get(name), text) for name, text in changes.items()}, **asked)


@click.command("edit-replay")
@_common
@with_appcontext
def edit_replay(callback_id: str, **asked: Any) -> None:
    """Open the fields of a callback in $EDITOR, as JSON, and answer what you save.

    Example: flask callbacks edit-replay cb_01KF3Z0000000000000000000
    """
    kept = _told(lambda: replaying.find(callback_id)).fields
    text = click.edit(json.dumps(kept, ensure_ascii=False, indent=2) + "\n", extension=".json")
    if text is None:
        raise click.ClickException("Nothing was saved: not replayed.")
    try:
        fields = read_json(text)
    except Unreadable as error:
        raise click.ClickException("That is no JSON: not replayed.") from error
    if not isinstance(fields, dict):
        raise click.ClickException("The fields must be one JSON object: not replayed.")
    changed = {name: value for name, value in fields.items() if name not in kept or kept[name] != value}
    _replay(callback_id, dict.fromkeys(kept.keys() - fields.keys()) | changed, **asked)


@click.command("pin")
@click.argument("callback_id")
@click.option("--off", is_flag=True, help="Let it go in its time.")
@as_json
@with_appcontext
def pin(callback_id: str, off: bool, as_json: bool) -> None:
    """Keep a callback however old it gets.

    Example: flask callbacks pin cb_01KF3Z0000000000000000000
    """
    since = _told(lambda: replaying.pin(callback_id, None if off else datetime.now(UTC)))
    show(as_json, pinned(callback_id, since), lambda: [f"{callback_id} {'is not pinned' if off else 'is pinned'}"])


def _replay(callback_id: str, changes: dict[str, Any], effects: bool, to: str, yes: bool, as_json: bool) -> None:
    if effects and to:
        raise click.UsageError("--effects does not go with --to: another address has no effects here.")
    if effects:
        insist_on_word("this may send messages and move money again.", yes)
    wish = Wish(changes or None, effects, to, may_reach_private=True)
    replayed: Replayed = _told(lambda: answer_again(callback_id, wish))
    told = shown(replayed.told())
    show(as_json, told, lambda: [*told["difference"], _line(told)])
    if told["problem"]:
        raise click.ClickException(f"{told['to']} gave no answer: {told['problem']}")


def _line(told: dict[str, Any]) -> str:
    status = told["answer"]["status"] if told["answer"] else "no answer"
    return f"{told['replay_of']} replayed as {told['id']} → {status} in {told['ms']} ms"


def _told(do: Callable[[], Any]) -> Any:
    try:
        return do()
    except StorageUnavailable:
        raise
    except GatewayError as error:
        raise click.ClickException(error.message) from error
