"""Who receives webhooks: how each fares, and all that a person may do with one."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.errors import Invalid
from app.models import Endpoint
from app.schemas.bodies import clean
from app.schemas.endpoints import FORMATS
from routes.pages import showing
from routes.webhooks_told import told
from services.reading import deliveries
from services.webhooks import endpoints, past_deliveries
from services.webhooks.events import EVENTS

bp = Blueprint("webhooks", __name__)
ROWS = 50
ALL = "*"
FAMILIES = tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in EVENTS if "." in name))


@bp.app_template_filter("moment")
def read_stamp(text: str) -> datetime:
    """Return the time that an answer of ours writes as text."""
    return datetime.fromisoformat(text)


@bp.get("/dashboard/webhooks")
def page() -> str:
    """A person looks at all endpoints."""
    return _list_page({"chosen": [], "exact": "", "url": "", "format": FORMATS[0]})


@bp.post("/dashboard/webhooks")
def add() -> str | tuple[str, int]:
    """A person makes an endpoint: this answer, and no other, shows its secret."""
    try:
        row = endpoints.make(_asked())
    except Invalid as error:
        return _list_page(_typed(), error), error.status
    return render_template("webhook_secret.html", row=row, is_new=True)


@bp.get("/dashboard/webhooks/<endpoint_id>")
def one(endpoint_id: str) -> str:
    """A person opens the settings of one endpoint."""
    row = endpoints.one(endpoint_id)
    exact = " ".join(name for name in row.events if name not in (ALL, *FAMILIES))
    return _settings_page(row, {"chosen": row.events, "exact": exact, "url": _shown_url(row), "format": row.format})


@bp.post("/dashboard/webhooks/<endpoint_id>")
def change(endpoint_id: str) -> BaseResponse:
    """A person changes where an endpoint is, what it gets, or how."""
    asked = _asked()
    if asked["url"] == _shown_url(endpoints.one(endpoint_id)):
        del asked["url"]
    try:
        endpoints.change(endpoint_id, asked)
    except Invalid as error:
        return make_response(_settings_page(endpoints.one(endpoint_id), _typed(), error), error.status)
    showing.say("Changed. What waits is sent by the new settings.", "good")
    return redirect(url_for(".one", endpoint_id=endpoint_id), 303)


@bp.post("/dashboard/webhooks/<endpoint_id>/switch")
def switch(endpoint_id: str) -> BaseResponse:
    """A person turns an endpoint off, or on again."""
    is_active = request.form.get("active") == "1"
    endpoints.change(endpoint_id, {"active": is_active})
    showing.say("On: what waits is sent now." if is_active else "Off: nothing is sent to it, and callbacks are kept.", "good")
    return redirect(url_for(".one", endpoint_id=endpoint_id), 303)


@bp.post("/dashboard/webhooks/<endpoint_id>/remove")
def remove(endpoint_id: str) -> BaseResponse:
    """A person removes an endpoint with its deliveries."""
    if request.form.get("sure") != "1":
        raise Invalid("Removing an endpoint removes its deliveries and its secret: tick the box if you mean it. Nothing was done.")
    endpoints.remove(endpoint_id)
    showing.say("Removed, with its deliveries.", "good")
    return redirect(url_for(".page"), 303)


@bp.post("/dashboard/webhooks/<endpoint_id>/rotate")
def rotate(endpoint_id: str) -> str:
    """A person wants a new secret: this answer, and no other, shows it."""
    return render_template("webhook_secret.html", row=endpoints.rotate(endpoint_id), is_new=False)


@bp.post("/dashboard/webhooks/<endpoint_id>/ping")
def ping(endpoint_id: str) -> BaseResponse:
    """A person tries an endpoint, and sees the delivery."""
    _, delivery_id = endpoints.ping(endpoint_id)
    showing.say("A ping is on its way.", "good")
    return redirect(url_for("pages.deliveries.one", delivery_id=delivery_id), 303)


def _shown_url(row: Endpoint) -> str:
    """Return an endpoint's address as pages show it: its query may hold a secret. Sent back like that, it stays as it was."""
    return showing.number(str(told(row, None, hides_query=True)["url"]))


def _asked() -> dict[str, Any]:
    """Return what the form says, by the names of the API."""
    typed = _typed()
    return {"url": typed["url"], "events": [*typed["chosen"], *typed["exact"].replace(",", " ").split()], "format": typed["format"]}


def _typed() -> dict[str, Any]:
    form = request.form
    chosen = [clean(name) for name in form.getlist("events")]
    return {"chosen": chosen, **{name: clean(form.get(name, "")).strip() for name in ("exact", "url", "format")}}


def _list_page(form: dict[str, Any], error: Invalid | None = None) -> str:
    rows = endpoints.every(clean(request.args.get("after", "")), ROWS)
    ids = [row.id for row in rows]
    backlogs, health = past_deliveries.backlogs(ids), deliveries.health_of(ids, datetime.now(UTC))
    shown = [told(row, backlogs[row.id], hides_query=True) | {"health": health[row.id]} for row in rows]
    return render_template(
        "webhooks.html", rows=shown, next=ids[-1] if len(ids) == ROWS else None, **_form_values(form, error)
    )  # fmt: skip


def _settings_page(row: Endpoint, form: dict[str, Any], error: Invalid | None = None) -> str:
    shown = told(row, past_deliveries.backlogs([row.id])[row.id], hides_query=True)
    health = deliveries.health_of([row.id], datetime.now(UTC))[row.id]
    return render_template("webhook.html", row=row, shown=shown, health=health, **_form_values(form, error))


def _form_values(form: dict[str, Any], error: Invalid | None) -> dict[str, Any]:
    wrong = (error.fields or {"": [error.message]}) if error else {}
    return {"form": form, "wrong": wrong, "families": FAMILIES, "every": ALL, "formats": FORMATS, "names": EVENTS}
