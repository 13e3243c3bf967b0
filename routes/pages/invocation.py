"""One order to Africa's Talking: to whom, how it ended, what followed; and the choice of a person where nobody knows how it ended."""

from typing import Any

from flask import Blueprint, current_app, redirect, request, url_for
from werkzeug.wrappers import Response

from app.errors import Invalid
from app.schemas.bodies import clean
from app.settings import Settings
from app.statuses import ACCEPTED, REFUSED, UNKNOWN
from routes.pages import showing
from routes.pages.real import insist_on_word
from services import past_invocations
from services.reading.signs import sign_of_invocation
from services.sending_again import choice_of, send_again

bp = Blueprint("invocation", __name__)
BY = "a person on the dashboard"
_SENT_AGAIN = {
    ACCEPTED: "Sent again, and taken.", REFUSED: "Sent again, and refused.", UNKNOWN: "Sent again, and its end is not known either.",
}  # fmt: skip


@bp.get("/<invocation_id>")
def page(invocation_id: str) -> str:
    """A person opens one order."""
    return showing.shown("invocation.html", "invocation_part.html", **values(invocation_id))


def values(invocation_id: str) -> dict[str, Any]:
    """Return what the templates of one order need. Raises UnknownInvocation."""
    row, recipients = past_invocations.one(clean(invocation_id))
    told = past_invocations.shown(row, recipients, showing.hides_numbers())
    states = [recipient.state for recipient in recipients]
    choice = choice_of(row, states, _settings().is_live, showing.hides_numbers()) if row.state == UNKNOWN else None
    return {
        "row": row, "shown": told, "sign": sign_of_invocation(row.state), "about": past_invocations.callbacks_about(row.id),
        "choice": choice,
    }  # fmt: skip


@bp.post("/<invocation_id>/settle")
def settle(invocation_id: str) -> Response:
    """A person knows what became of an order that nobody knew the end of."""
    state = request.form.get("state", "")
    if state not in (ACCEPTED, REFUSED):
        raise Invalid(f"'state' must be {ACCEPTED} or {REFUSED}")
    past_invocations.settle(clean(invocation_id), state, BY, clean(request.form.get("note", ""))[:200])
    showing.say(f"Settled as {state}.", "good")
    return redirect(url_for(".page", invocation_id=invocation_id), 303)


@bp.post("/<invocation_id>/again")
def again(invocation_id: str) -> Response:
    """A person has an order that nobody knows the end of placed once more; live, they type a word."""
    attempt = request.form.get("attempt", "")
    if not (attempt.isascii() and attempt.isdigit() and len(attempt) < 7):
        raise Invalid("'attempt' must be the number of tries that you saw: open the order and choose again. Nothing was sent.")
    insist_on_word("This account is live: the order would be sent for real.")
    ended = send_again(clean(invocation_id), int(attempt), BY).invocation
    showing.say(f"{_SENT_AGAIN[ended.state]} {ended.problem or ''}".strip(), "good" if ended.state == ACCEPTED else "bad")
    return redirect(url_for(".page", invocation_id=ended.id), 303)


def _settings() -> Settings:
    settings: Settings = current_app.config["POKEA"]
    return settings
