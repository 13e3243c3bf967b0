"""flask trigger: a realistic callback, or a named fixture, into this app or to another address."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from difflib import get_close_matches
from functools import partial
from secrets import token_hex
from typing import Any

import click
import requests
from flask import current_app
from flask.cli import with_appcontext

from app.schemas.callbacks import KINDS
from app.settings import Settings
from routes.addresses import path_of
from routes.commands.fixtures import folder, told
from routes.commands.output import as_json, show, talk
from routes.commands.real import insist_on_word
from services.inbox import ALIKE_FOR
from services.replays import fixtures
from services.replays.editing import edited, typed
from services.replays.fixtures import Fixture
from services.samples import Sent, make_sample, new_ids, post_body, post_sample
from services.tunnel import is_own, local_address, token_query


@dataclass(frozen=True)
class Wanted:
    """One callback that is to be posted. expected: the fixture whose answer it should get. has_ids: it can be given others.

    is_step: of a session.
    """

    name: str
    post: Callable[[], Sent]
    has_ids: bool
    expected: Fixture | None = None
    is_step: bool = False


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
@click.option("--new", "is_new", is_flag=True, help="Give a callback that was kept other ids, so that it is no repeat.")
@click.option("--to", default="", metavar="URL", help="Post to this address instead of this app.")
@click.option("--yes", is_flag=True, help="Do not ask in live mode.")
@with_appcontext
def trigger(
    kind: str | None, wants_list: bool, changes: dict[str, str], count: int, twice: bool, is_new: bool, to: str, yes: bool, as_json: bool
) -> None:
    """Post a realistic callback of KIND, or the fixture that was kept as NAME: of a session every callback, as a new session.

    Example: flask trigger sms.incoming_message --set text=STOP
    """
    if wants_list:
        rows = [{"kind": name, "purpose": row.purpose} for name, row in KINDS.items()]
        show(as_json, rows, lambda: [f"{row['kind']:<22} {row['purpose']}" for row in rows])
        return
    if kind is None:
        raise click.UsageError("Which kind? flask trigger --list names them.")
    settings: Settings = current_app.config["POKEA"]
    if kind.startswith("@"):
        wanted = _fixture(kind.removeprefix("@"), changes, to, settings, count, is_new)
    else:
        wanted = [_sample(kind, changes, to, settings) for _ in range(count)]
    if not to or is_own(to, settings):
        insist_on_word("what follows from this is real: replies, reactions, webhooks.", yes)
    sent = [(one, _posted(one, to or local_address(settings))) for one in wanted for _ in range(2 if twice else 1)]
    show(as_json, {"kind": kind, "sent": [asdict(one) for _, one in sent]}, lambda: [_line(*one) for one in sent])
    # What was posted a second time was meant to be a repeat.
    _tell_known(kind, sent[:: 2 if twice else 1], is_new)
    _judge(sent)


def _sample(kind: str, changes: dict[str, str], to: str, settings: Settings) -> Wanted:
    url = to or f"{local_address(settings)}{path_of(current_app, kind)}{token_query(settings)}"
    fields = make_sample(kind, settings, changes, lambda: token_hex(16))
    return Wanted(kind, partial(post_sample, kind, url, fields, settings), has_ids=False)


def _fixture(name: str, changes: dict[str, str], to: str, settings: Settings, count: int, is_new: bool) -> list[Wanted]:
    """Return the callbacks of a fixture, so many times: of a session, as another session each time."""
    steps = told(lambda: fixtures.load(folder(), name))
    has_new_ids = is_new or count > 1 or len(steps) > 1
    going = _for_one_address(steps) if to else steps
    return [one for _ in range(count) for one in _steps(going, changes, to, settings, has_new_ids)]


def _for_one_address(steps: list[Fixture]) -> list[Fixture]:
    """Return the steps of the first one's kind, and say what is left out: one address would take the others for more of the same."""
    first = steps[0].kind
    if others := Counter(step.kind for step in steps if step.kind != first):
        left = ", ".join(f"{count} {kind}" for kind, count in others.items())
        talk(f"Only {first} is posted to another address. Left out: {left}.")
    return [step for step in steps if step.kind == first]


def _steps(steps: list[Fixture], changes: dict[str, str], to: str, settings: Settings, has_new_ids: bool) -> list[Wanted]:
    """Return the callbacks of a fixture. Of several, each gets the changes of those fields that it has, and all the same new id."""
    new_id, is_session, wanted = token_hex(16), len(steps) > 1, []
    for step in steps:
        ids = new_ids(step.kind, step.fields, lambda: new_id)
        own = {name: text for name, text in changes.items() if not is_session or name in step.fields}
        values = (ids if has_new_ids else {}) | {name: typed(step.fields.get(name), text) for name, text in own.items()}
        has_ids = any(value for field, value in ids.items() if field not in changes)
        name = f"@{step.name} {step.kind}" if is_session else f"@{step.name}"
        wanted.append(Wanted(name, _step(step, values, to, settings), has_ids, None if changes else step, is_session))
    return wanted


def _step(fixture: Fixture, wanted: dict[str, Any], to: str, settings: Settings) -> Callable[[], Sent]:
    body, content_type = edited(fixture, wanted) if wanted else (fixture.raw_body, fixture.content_type)
    # All fields stand in an edited body.
    query = "&".join(part for part in ("" if wanted else fixture.query, token_query(settings).removeprefix("?")) if part)
    url = to or f"{local_address(settings)}{fixture.path}{'?' if query else ''}{query}"
    return partial(post_body, url, body, content_type, settings)


def _posted(wanted: Wanted, to: str) -> Sent:
    try:
        return wanted.post()
    except requests.RequestException as error:
        where = to.partition("?")[0]
        how = "Start the app with make run, say where it runs (export PORT=…), or name another with --to."
        raise click.ClickException(f"Nothing took {wanted.name} at {where} ({type(error).__name__}). {how}") from error


def _tell_known(kind: str, sent: list[tuple[Wanted, Sent]], is_new: bool) -> None:
    """Say which callbacks Pokea had already, or has another of the same id of, and how they become new ones."""
    said = {"repeat": "Pokea had this already: a repeat of", "differing": "Pokea has another of this id. Kept beside it, as"}
    for state, begin in said.items():
        found = {answered.id: wanted for wanted, answered in sent if answered.state == state}
        if found:
            acted = "not acted on again" if state == "repeat" else "not acted on"
            talk(f"{begin} {', '.join(map(str, found))}, {acted}. {_how_it_is_new(kind, list(found.values()), state, is_new)}")


def _how_it_is_new(kind: str, known: list[Wanted], state: str, is_new: bool) -> str:
    if any(wanted.is_step and wanted.has_ids for wanted in known):
        return "Steps of a session that --set makes alike are one callback."
    if not is_new and any(wanted.has_ids for wanted in known):
        return f"With ids of its own it is new: flask trigger {kind} --new"
    if state == "differing":
        return "Another id makes it new (--set)."
    return f"Other fields make it new (--set), or, where it has no id, {ALIKE_FOR // timedelta(minutes=1)} minutes."


def _judge(sent: list[tuple[Wanted, Sent]]) -> None:
    """Fail where an answer is an error that was not expected, and tell of one that is not as it was kept."""
    kept = [(one.expected, answered) for one, answered in sent if one.expected]
    others = (one for one, answered in kept if (answered.status, answered.answer) != (one.answer_status, one.answer))
    for line in dict.fromkeys(f"Not the answer that was kept: {one.answer_status} {one.answer.strip()[:100]!r}" for one in others):
        talk(line)
    if any(answered.status >= 400 and (one.expected is None or answered.status != one.expected.answer_status) for one, answered in sent):
        raise SystemExit(1)


def _line(wanted: Wanted, sent: Sent) -> str:
    answer = sent.answer.strip().replace("\n", " | ")
    kept = {"repeat": ", a repeat", "differing": ", differs from an earlier one", "refused": ", refused"}.get(sent.state or "", "")
    return f"{wanted.name} → {sent.status} {answer[:100]} in {sent.ms} ms ({sent.id or 'no id'}{kept})"
