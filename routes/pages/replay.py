"""A callback once more, as a person asks for it on its page: as it came or edited, here or at another address."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, redirect, request, url_for
from werkzeug.wrappers import Response

from app.errors import Invalid
from app.models import Callback
from app.schemas.bodies import clean
from app.settings import Settings
from routes import replays
from routes.pages import showing
from services import archive, form_keys
from services.replays import editing, replaying
from services.replays.replaying import Wish

bp = Blueprint("replay", __name__)
PLACES = ("here", "effects", "url")


@bp.post("/<callback_id>/replay")
def replay(callback_id: str) -> Response:
    """A person wants a callback answered again: here without effects, as it was, or by another address."""
    form = request.form
    where = form.get("where", PLACES[0])
    if where not in PLACES:
        raise Invalid(f"'where' must be one of {', '.join(PLACES)}")
    wish = {"effects": where == "effects", "to": form.get("to", "").strip() if where == "url" else "", "confirm": _word()}
    if where == "url" and not wish["to"]:
        raise Invalid("Name the address that it is to be posted to, as https://example.com/callbacks")
    return _replayed(callback_id, replays.wish_of(wish, _settings()))


@bp.get("/<callback_id>/edit")
def edit(callback_id: str) -> str:
    """A person wants to change a callback before it is answered again."""
    row = _row(callback_id)
    texts = {name: editing.as_text(value) for name, value in _seen(row).items()}
    return showing.shown("callback_edit.html", "callback_edit_part.html", row=row, raw=_body_to_edit(row), texts=texts)


@bp.post("/<callback_id>/edit")
def replay_edited(callback_id: str) -> Response:
    """A person changed fields, or the body itself, and wants to see the answer."""
    form, row = request.form, _row(callback_id)
    wish = replays.wish_of({"effects": form.get("where") == "effects", "confirm": _word()}, _settings())
    if form.get("by") != "body":
        seen = _seen(row)
        own = dict(zip(seen, row.fields, strict=True))
        given = {own.get(name, name): text for name, text in editing.paired(form.getlist("name"), form.getlist("value")).items()}
        as_shown = dict(zip(row.fields, seen.values(), strict=True))
        return _replayed(callback_id, replace(wish, changes=editing.changed(row.fields, given, as_shown)))
    before = _body_to_edit(row)
    if before is None:
        raise Invalid("Parts of this body are masked, so it cannot be edited whole: change its fields.")
    text = editing.with_line_ends_of(before, form.get("body", ""))
    return _replayed(callback_id, wish if text == before else replace(wish, body=text.encode(errors="replace")))


def _seen(row: Callback) -> dict[str, Any]:
    """Return the fields as a person sees them, in their order: secrets and PINs masked, numbers where PRIVACY asks for it."""
    shown: dict[str, Any] = archive.shown(row, showing.hides_numbers())["fields"]
    return shown


def _body_to_edit(row: Callback) -> str | None:
    """Return a body as text to edit, None where a part of it is not to be seen. What is no text stands as �."""
    is_open = _seen(row) == row.fields and not showing.hides_numbers()
    return clean(bytes(row.raw_body).decode("utf-8", "replace")) if is_open else None


def _replayed(callback_id: str, wish: Wish) -> Response:
    key, now = request.form.get("key", ""), datetime.now(UTC)
    if wish.has_effects and (before := form_keys.take(key, now)):
        return redirect(url_for("pages.callback.page", callback_id=before), 303)
    replayed = replays.answer_again(callback_id, wish)
    if wish.has_effects:
        form_keys.made_of(key, replayed.id, now)
    told = replayed.told()
    same = "the same" if told["is_same"] else "not the same"
    said = told["problem"] or f"answered {told['answer']['status']} in {told['ms']} ms, {same}"
    showing.say(f"Replayed as {replayed.id}: {said}.", "bad" if told["problem"] else "good")
    return redirect(url_for("pages.callback.page", callback_id=replayed.id), 303)


def _row(callback_id: str) -> Callback:
    return Callback(**replaying.find(callback_id)._mapping)


def _word() -> str:
    return request.form.get("confirm", "").strip()


def _settings() -> Settings:
    return current_app.config["POKEA"]
