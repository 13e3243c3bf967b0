"""A campaign as a person writes it: a form, and the draft that comes of it. Nothing is sent here."""

from typing import Any

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import GatewayError, Invalid, StorageUnavailable
from app.schemas.bodies import clean
from services import campaigns

bp = Blueprint("campaign_making", __name__)
FIELDS = ("name", "channel", "message", "sender", "send_at", "quiet_hours", "rate")
# What is typed is shown again where something is wrong; a list that was pasted up to so many characters.
MOST_SHOWN_AGAIN = 200_000


@bp.get("/dashboard/campaigns/new")
def form() -> str:
    """A person begins a campaign."""
    return _page({"channel": "sms"}, "", None)


@bp.post("/dashboard/campaigns/new")
def create() -> Response:
    """A person wants to see what a campaign would be: it is kept as a draft, and nothing goes."""
    typed = {name: clean(request.form.get(name, "")).strip() for name in FIELDS}
    pasted = request.form.get("recipients", "")
    try:
        asked = campaigns.read_asked({name: text for name, text in typed.items() if text})
        campaign_id = campaigns.create(asked, _recipients(pasted))
    except StorageUnavailable:
        raise
    except GatewayError as error:
        return make_response(_page(typed, pasted, error), error.status)
    return redirect(url_for("pages.campaigns.one", campaign_id=campaign_id), 303)


def _recipients(pasted: str) -> list[campaigns.Listed]:
    file = request.files.get("file")
    raw = file.read() if file and file.filename else b""
    if raw and pasted.strip():
        raise Invalid("Give the recipients once: as a file, or pasted.")
    if not raw and not pasted.strip():
        raise Invalid("Nobody to send to: paste numbers, one a line, or a CSV with a column 'phone', or choose a file.")
    return campaigns.from_csv(raw) if raw else campaigns.from_text(pasted)


def _page(typed: dict[str, Any], pasted: str, error: GatewayError | None) -> str:
    shown = pasted if len(pasted) <= MOST_SHOWN_AGAIN else ""
    rate = current_app.config["POKEA"].campaign_rate
    return render_template("campaign_new.html", typed=typed, pasted=shown, error=error, wrong=(error and error.fields) or {}, rate=rate)
