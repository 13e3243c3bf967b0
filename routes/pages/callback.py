"""One callback: all that is kept of it and what followed, and what a person may do with it."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.errors import Conflict, Invalid
from app.extensions import db
from app.models import Callback
from app.schemas.bodies import clean
from app.settings import Settings
from routes.pages import showing
from routes.pages.fixture import keep_fixture
from services import archive, due
from services.reading.signs import others_of_callback, sign_of_callback
from services.reading.single import bring_up_to_date
from services.reading.timeline import related, timeline
from services.replays import hiding, replaying
from services.replays.copies import FORMS, copy_of
from services.replays.replaying import UnknownCallback
from services.tunnel import local_address
from services.webhooks import redelivery

bp = Blueprint("callback", __name__)


@bp.get("/<callback_id>")
def page(callback_id: str) -> str:
    """A person opens one callback."""
    return showing.shown("callback.html", "callback_part.html", **values(callback_id))


def values(callback_id: str) -> dict[str, Any]:
    """Return what the templates of one callback need. Raises UnknownCallback."""
    row = _row(callback_id)
    if row.due_at is not None and (row.reference or row.phone):
        bring_up_to_date(row.reference, row.phone)
        row = _row(callback_id)
    with db.engine.connect() as connection:
        moments, others = timeline(connection, row), related(connection, row)
    hides = showing.hides_numbers()
    raw = hiding.masked_body(row)[0] if hides else showing.readable(bytes(row.raw_body))
    return {
        "row": row, "shown": archive.shown(row, hides), "moments": moments, "related": others, "raw": raw, "forms": FORMS,
        "sign": sign_of_callback(row), "others": others_of_callback(row), **_compared(row),
    }  # fmt: skip


def _row(callback_id: str) -> Callback:
    return Callback(**replaying.find(callback_id)._mapping)


def _compared(row: Callback) -> dict[str, Any]:
    """Return how the answer to a replay differs from the first one, None for what is no replay, or one of what is gone."""
    try:
        first = replaying.find(row.replay_of) if row.replay_of else None
    except UnknownCallback:
        first = None
    if first is None:
        return {"difference": None, "change": ""}
    return {"difference": replaying.difference_between(first, row), "change": replaying.change_between(first, row)}


@bp.get("/<callback_id>/copy")
def copy(callback_id: str) -> Response:
    """A person takes a callback elsewhere: ?as=curl, http, json or pytest; &masked=1 to show it to others."""
    form = request.args.get("as", "curl")
    if form not in FORMS:
        raise Invalid(f"'as' must be one of {', '.join(FORMS)}")
    is_masked = showing.hides_numbers() or request.args.get("masked") == "1"
    text = copy_of(_row(callback_id), form, is_masked, local_address(_settings()))
    return Response(text.encode("utf-8", "surrogateescape"), mimetype="text/plain")


@bp.post("/<callback_id>/pin")
def pin(callback_id: str) -> BaseResponse:
    """A person keeps a callback for good, or lets it go."""
    replaying.pin(callback_id, None if request.form.get("off") else datetime.now(UTC))
    return _back(callback_id)


@bp.post("/<callback_id>/again")
def again(callback_id: str) -> BaseResponse:
    """A person has what follows from a callback, and was given up, done once more."""
    is_due = due.again(clean(callback_id))
    showing.say("It is due again." if is_due else "It was not given up, so there is nothing to do again.", "good" if is_due else "bad")
    return _back(callback_id)


@bp.post("/<callback_id>/forward")
def forward(callback_id: str) -> BaseResponse:
    """A person has all webhooks of a callback sent once more."""
    with db.engine.connect() as connection:
        wanted = [moment.id for moment in timeline(connection, _row(callback_id)) if moment.what == "webhook"]
    problems = []
    for delivery_id in wanted:
        try:
            redelivery.retry(delivery_id)
        except Conflict as refused:
            problems.append(f"{delivery_id}: {refused.message}")
    sent = len(wanted) - len(problems)
    showing.say(" ".join([f"{sent} webhook{'' if sent == 1 else 's'} due now.", *problems]), "good" if sent else "bad")
    return _back(callback_id)


@bp.post("/<callback_id>/fixture")
def fixture(callback_id: str) -> BaseResponse:
    """A person keeps a callback under a name, as a file beside the tests."""
    keep_fixture([_row(callback_id)])
    return _back(callback_id)


def _back(callback_id: str) -> BaseResponse:
    return redirect(url_for(".page", callback_id=callback_id), 303)


def _settings() -> Settings:
    return current_app.config["POKEA"]
