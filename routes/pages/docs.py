"""Every address on one page, from the schemas that check what comes there; and how webhooks are received."""

from flask import Blueprint, current_app, render_template

from app.config import ROOT, Settings
from routes.operations import operations
from routes.pages.doors import is_open
from services import api_docs, docs_page, events
from services.docs_page import VERIFY
from services.tunnel import local_address
from services.voice_docs import voice_actions

bp = Blueprint("docs", __name__)
WEBHOOKS = ROOT / "docs" / "webhooks.md"


@bp.get("/docs")
def page() -> str:
    """A developer looks up what comes, what is asked, and what is answered."""
    settings: Settings = current_app.config["POKEA"]
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
