"""One message, or one call, to many: how far each campaign is, and all that a person may do with one."""

from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import Invalid
from app.schemas.bodies import clean
from routes.asked import cursor
from routes.pages import showing
from routes.pages.invocation import BY
from routes.pages.real import insist_on_word
from services import campaigns
from services.campaigns.controls import BY_HAND
from services.campaigns.reading import CAMPAIGN_STATES
from services.campaigns.rows import STATES
from services.reading.single import bring_up_to_date

bp = Blueprint("campaigns", __name__)
# Each row counts its recipients, who may be 50,000.
ROWS = 20
BATCHES = 20
# As a person reads the states, of campaigns and of recipients
WORDS = {
    "draft": "draft: nothing is sent yet", "running": "running", "paused": "paused", "cancelled": "cancelled",
    "unsettled": "all is sent, some of it unknown", "finished": "finished",
}  # fmt: skip
RECIPIENT_WORDS = {
    "created": "waiting", "accepted": "accepted", "refused": "refused", "unknown": "unknown", "skipped": "skipped",
    "cancelled": "cancelled",
}  # fmt: skip
REAL = "This is a live account: it sends for real, and costs money."


@bp.url_value_preprocessor
def _clean_id(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Take from an id what no database takes."""
    if values and "campaign_id" in values:
        values["campaign_id"] = clean(values["campaign_id"])


@bp.get("/dashboard/campaigns")
def page() -> str:
    """A person looks at all campaigns."""
    state = request.args.get("state") or None
    rows, following = campaigns.listed(state, cursor()[0], ROWS)
    return render_template("campaigns.html", rows=rows, next=following, state=state, states=CAMPAIGN_STATES, words=WORDS)


@bp.get("/dashboard/campaigns/<campaign_id>")
def one(campaign_id: str) -> str:
    """A person opens one campaign."""
    unknown, more = campaigns.batches(campaign_id, "unknown", None, BATCHES)
    return render_template("campaign.html", unknown=unknown, more=more, **_progress(campaign_id), **_outcomes(campaign_id))


@bp.get("/dashboard/campaigns/<campaign_id>/progress")
def progress(campaign_id: str) -> str:
    """An open page asks how far a campaign is."""
    return render_template("campaign_progress.html", **_progress(campaign_id))


@bp.get("/dashboard/campaigns/<campaign_id>/outcomes")
def outcomes(campaign_id: str) -> str:
    """An open page asks, now and then, what became of those who were accepted: many rows are looked at for it."""
    return render_template("campaign_outcomes.html", told=campaigns.one(campaign_id), **_outcomes(campaign_id))


@bp.get("/dashboard/campaigns/<campaign_id>/recipients")
def recipients(campaign_id: str) -> str:
    """A person looks up what became of each recipient."""
    state = request.args.get("state") or None
    rows, following = campaigns.recipients(campaign_id, state, request.args.get("after"))
    told = campaigns.one(campaign_id)
    return render_template(
        "campaign_recipients.html", rows=rows, next=following, told=told, state=state, states=STATES, words=RECIPIENT_WORDS
    )  # fmt: skip


@bp.post("/dashboard/campaigns/<campaign_id>/start")
def start(campaign_id: str) -> Response:
    """A person lets a draft go."""
    insist_on_word(REAL)
    campaigns.start(campaign_id)
    return _back(campaign_id, "Started: the worker sends it.")


@bp.post("/dashboard/campaigns/<campaign_id>/pause")
def pause(campaign_id: str) -> Response:
    """A person holds a campaign back."""
    campaigns.pause(campaign_id)
    return _back(campaign_id, "Paused: no further batch goes.")


@bp.post("/dashboard/campaigns/<campaign_id>/resume")
def resume(campaign_id: str) -> Response:
    """A person lets a paused campaign go on."""
    insist_on_word(REAL)
    campaigns.resume(campaign_id)
    return _back(campaign_id, "Running again, with those who were not called upon yet.")


@bp.post("/dashboard/campaigns/<campaign_id>/cancel")
def cancel(campaign_id: str) -> Response:
    """A person ends a campaign for good."""
    if request.form.get("sure") != "1":
        raise Invalid("A campaign that is cancelled never goes on: tick the box if you mean it. Nothing was done.")
    campaigns.cancel(campaign_id)
    return _back(campaign_id, "Cancelled: whoever still waited is not called upon.")


@bp.post("/dashboard/campaigns/<campaign_id>/batches/<int:number>/settle")
def settle(campaign_id: str, number: int) -> Response:
    """A person chooses what to do about recipients whose end nobody knows."""
    choice = request.form.get("choice", "")
    if choice == "send_again":
        insist_on_word(REAL)
    again = campaigns.settle(campaign_id, number, choice, BY, request.form.get("note", ""))
    return _back(campaign_id, f"Batch {number} is sent again as batch {again}." if again else f"Batch {number} counts as sent.")


def _back(campaign_id: str, said: str) -> Response:
    showing.say(said, "good")
    return redirect(url_for(".one", campaign_id=campaign_id), 303)


def _progress(campaign_id: str) -> dict[str, Any]:
    bring_up_to_date()
    told = campaigns.one(campaign_id)
    return {
        "told": told,
        "words": WORDS,
        "is_by_hand": told["paused_because"] == BY_HAND,
        "settings": current_app.config["POKEA"],
    }


def _outcomes(campaign_id: str) -> dict[str, Any]:
    told = campaigns.one(campaign_id)
    counts = told["totals"]
    return {
        "outcomes": campaigns.outcomes(campaign_id, told["channel"]) if counts["accepted"] else {},
        "most": campaigns.MOST_LOOKED_AT,
        "reasons": campaigns.reasons(campaign_id) if counts["refused"] else [],
    }
