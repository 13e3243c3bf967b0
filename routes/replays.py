"""A callback once more: answered here by the view of its address, or posted to another one; /api/v1/callbacks/<id>/replay and /pin."""

from datetime import UTC, datetime
from time import monotonic
from typing import Any

from flask import Blueprint, Response, current_app
from sqlalchemy import Row
from werkzeug.exceptions import HTTPException

from app import masking
from app.errors import Invalid
from app.schemas.bodies import read_query
from app.schemas.callbacks import KINDS
from app.settings import Settings
from routes.addresses import path_of
from routes.api import body, needs, success
from routes.decorators import check_shape, read_fields
from services import inbox
from services.inbox import Received
from services.replays import editing, replaying
from services.replays.replaying import Replayed, Wish
from services.tunnel import local_address

bp = Blueprint("replays", __name__)
CONFIRMATION = "send"


@bp.post("/callbacks/<callback_id>/replay")
@needs("replay")
def replay(callback_id: str) -> Response:
    """A developer wants to see a callback answered again."""
    replayed = answer_again(callback_id, wish_of(body(), _settings()))
    return success(shown(replayed.told()), 201)


@bp.put("/callbacks/<callback_id>/pin")
@needs("replay")
def pin(callback_id: str) -> Response:
    """A person wants a callback kept for good."""
    return success(pinned(callback_id, replaying.pin(callback_id, datetime.now(UTC))))


@bp.delete("/callbacks/<callback_id>/pin")
@needs("replay")
def unpin(callback_id: str) -> Response:
    """A person lets a callback go in its time."""
    return success(pinned(callback_id, replaying.pin(callback_id, None)))


def answer_again(callback_id: str, wish: Wish) -> Replayed:
    """Replay a kept callback as a new row, and return what came of it.

    Raises UnknownCallback, Invalid for an address that must not be reached, StorageUnavailable when the row was not kept.
    """
    first, started = replaying.find(callback_id), monotonic()
    view = _view(first)
    received = _received(first, wish, view.kind_of, started)
    answer = replaying.ask(received, wish, first.answer_type) if wish.to else view.answer_to(received)
    kept = inbox.keep(received, answer, current_app.extensions["pokea.outage"])
    return Replayed(kept.id, first, kept.state, received.errors, answer, round(1000 * (monotonic() - started)), wish)


def shown(told: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of a replay, with numbers masked where PRIVACY asks for it."""
    return masking.everything(told) if _settings().privacy else told


def pinned(callback_id: str, since: datetime | None) -> dict[str, Any]:
    """Return what is told of a pin: since when, None where there is none."""
    return {"id": callback_id, "pinned_at": since.isoformat() if since else None}


def wish_of(asked: dict[str, Any], settings: Settings) -> Wish:
    """Return what is asked for, by the names of the API: to, fields, effects, confirm. Raises Invalid."""
    to, changes, has_effects = asked.get("to") or "", asked.get("fields"), asked.get("effects", False)
    if not isinstance(to, str):
        raise Invalid("'to' must be an address, as https://example.com/callbacks")
    if changes is not None and not isinstance(changes, dict):
        raise Invalid('\'fields\' must be an object, as {"text": "1*2"}; null takes a field away.')
    if not isinstance(has_effects, bool):
        raise Invalid("'effects' must be true or false")
    if to and has_effects:
        raise Invalid("A replay to another address has no effects here: leave out 'effects' or 'to'.")
    if has_effects and settings.is_live and asked.get("confirm") != CONFIRMATION:
        raise Invalid(f'In live mode a replay with effects may send again: add "confirm": "{CONFIRMATION}".')
    return Wish(changes, has_effects, to, settings.webhooks_allow_private)


def _settings() -> Settings:
    return current_app.config["POKEA"]


def _view(first: Row) -> Any:
    """Return the view of the address that a callback came to; of its kind's usual one where it came otherwise."""
    routes = current_app.url_map.bind("")
    try:
        endpoint, _ = routes.match(first.path, method="POST")
        view = current_app.view_functions[endpoint]
    except HTTPException:
        view = None
    if not hasattr(view, "answer_to"):
        endpoint, _ = routes.match(path_of(current_app, first.kind), method="POST")
        view = current_app.view_functions[endpoint]
    return view


def _received(first: Row, wish: Wish, kind_of: Any, started: float) -> Received:
    raw, content_type, query, checks = bytes(first.raw_body), first.content_type, first.query, first.checks
    edits = []
    if wish.changes or wish.body is not None:
        # What was proven was another body.
        checks, edits = {}, [f"edited replay of {first.id}"]
    if wish.changes:
        (raw, content_type), query = editing.edited(first, wish.changes), ""
    elif wish.body is not None:
        raw = wish.body
    kind, read, errors = read_fields(kind_of, raw, content_type, read_query(query))
    source = replaying.ELSEWHERE if wish.to else "replay"
    received = Received(
        kind, KINDS[kind], first.path, raw, content_type, first.headers, query, source, checks, datetime.now(UTC), started,
        _base_url(first), fields=read.fields, errors=errors, flags=[*read.flags, *edits], via="replay", replay_of=first.id,
        has_effects=wish.has_effects,
    )  # fmt: skip
    # The secret of its address was not kept: where the first answer hides one, this one hides the same.
    received.token = masking.MASK if masking.MASK in first.answer else ""
    check_shape(received)
    return received


def _base_url(first: Row) -> str:
    """Return where the callback came to, as far as its headers tell."""
    host = first.headers.get("Host")
    if not host:
        return local_address(_settings())
    is_secure = _settings().trusted_proxies and first.headers.get("X-Forwarded-Proto") == "https"
    return f"{'https' if is_secure else 'http'}://{host}"
