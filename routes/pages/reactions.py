"""What the functions of flows/ did about callbacks, and running one again."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import Invalid
from app.schemas.bodies import clean
from routes.asked import cursor
from routes.pages import showing
from routes.pages.real import insist_on_word
from services.reactions import past_reactions, reactions
from services.reading.single import bring_up_to_date

bp = Blueprint("reactions", __name__)
# As a person reads the states
WORDS = {"waiting": "waiting", "done": "done", "dead": "given up"}


@bp.get("/dashboard/reactions")
def page() -> str:
    """A person looks at the newest reactions."""
    state = request.args.get("state") or None
    if state and state not in past_reactions.STATES:
        raise Invalid(f"'state' must be one of: {', '.join(past_reactions.STATES)}")
    bring_up_to_date()
    after, limit = cursor()
    rows, following = past_reactions.page_of(limit, after, state)
    return render_template("reactions.html", rows=rows, next=following, state=state, words=WORDS)


@bp.post("/dashboard/reactions/<reaction_id>/again")
def again(reaction_id: str) -> Response:
    """A person has a reaction run again; what it sent before is not sent twice."""
    insist_on_word("This is a live account: the reaction may send for real.")
    reactions.again(clean(reaction_id))
    showing.say("It is due again: the worker runs it.", "good")
    return redirect(url_for(".page"), 303)
