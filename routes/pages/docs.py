"""Every address on one page, from the schemas that check what comes there; and how webhooks are received."""

from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.settings import ROOT, Settings
from routes.operations import operations
from routes.pages import sampling, showing
from routes.pages.doors import is_open
from services.docs import api_docs, docs_page
from services.docs.docs_page import VERIFY
from services.docs.voice_docs import voice_actions
from services.replays import editing
from services.tunnel import local_address
from services.webhooks import events

bp = Blueprint("docs", __name__)
WEBHOOKS = ROOT / "docs" / "webhooks.md"


@bp.get("/docs")
def page() -> str:
    """A developer looks up what comes, what is asked, and what is answered."""
    settings = _settings()
    found = operations(current_app)
    return render_template(
        "docs.html", callbacks=docs_page.callbacks_told(found, settings, local_address(settings)), invokes=docs_page.invokes_told(found),
        answers=api_docs.INVOKED, actions=voice_actions(), groups=docs_page.groups_told(found), api=api_docs, events=events.MADE_HERE,
        verify=VERIFY, has_links=is_open(), address=local_address(settings),
    )  # fmt: skip


@bp.get("/docs/webhooks")
def webhooks() -> str:
    """A developer reads how webhooks are received, at length."""
    return render_template("docs_webhooks.html", text=WEBHOOKS.read_text(encoding="utf-8"))


@bp.post("/docs/sample")
def sample() -> str | BaseResponse:
    """A developer sends a sample to this app: an open page tells there what it was answered, else the first page shows it."""
    kind = sampling.kind_asked()
    sent = sampling.send(kind, local_address(_settings()), _changes(kind))
    if showing.is_part():
        return render_template("docs_sent.html", kind=kind, sent=sent)
    sampling.tell(kind, sent)
    return redirect(url_for("pages.live.page", sel=sent.id), 303)


def _changes(kind: str) -> dict[str, Any]:
    """Return the fields of a sample that a person changed; none where the form has no fields."""
    if "name" not in request.form:
        return {}
    given = editing.paired(request.form.getlist("name"), request.form.getlist("value"))
    return editing.changed(docs_page.shown_sample(kind, _settings()), given)


def _settings() -> Settings:
    return current_app.config["POKEA"]
