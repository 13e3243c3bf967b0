"""How each webhook went, to one endpoint or to all, and sending again what did not arrive."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.errors import Invalid
from app.schemas.bodies import clean
from routes.api import read_moment
from routes.asked import cursor
from routes.pages import showing
from routes.webhooks_told import told
from services.reading import deliveries
from services.reading.single import bring_up_to_date
from services.webhooks import endpoints, past_deliveries, redelivery
from services.webhooks.courier import USER_AGENT
from services.webhooks.retrying import PAUSES_S
from services.webhooks.signing import content_of

bp = Blueprint("deliveries", __name__)
# As a person reads the states
WORDS = {"waiting": "waiting", "delivered": "delivered", "dead": "given up"}
SPANS = {"1h": "the last hour", "2h": "the last 2 h", "24h": "the last 24 h", "3d": "the last 3 days", "7d": "the last 7 days"}
MOST_TRIES = len(PAUSES_S) + 1
# Of an answer so much is shown.
MOST_SHOWN = 4096


@bp.get("/dashboard/deliveries")
def page() -> str:
    """A person looks at the newest deliveries to all endpoints."""
    return render_template("deliveries.html", **_listed(None))


@bp.get("/dashboard/webhooks/<endpoint_id>/deliveries")
def of_endpoint(endpoint_id: str) -> str:
    """A person looks at the newest deliveries to one endpoint."""
    row = endpoints.one(endpoint_id)
    shown = told(row, past_deliveries.backlogs([row.id])[row.id], hides_query=True)
    return render_template("webhook_deliveries.html", row=row, shown=shown, spans=SPANS, **_listed(endpoint_id))


@bp.post("/dashboard/webhooks/<endpoint_id>/recover")
def recover(endpoint_id: str) -> BaseResponse:
    """A person wants all sent again that did not arrive since a time."""
    return _resent(endpoint_id, redelivery.recover(_since(), endpoints.one(endpoint_id).id))


@bp.post("/dashboard/webhooks/<endpoint_id>/replay")
def replay(endpoint_id: str) -> BaseResponse:
    """A person wants all sent again that happened since a time, what arrived too."""
    return _resent(endpoint_id, redelivery.replay(endpoint_id, _since()))


@bp.get("/dashboard/deliveries/<delivery_id>")
def one(delivery_id: str) -> str:
    """A person opens one delivery, or an open page asks how it stands."""
    shown = past_deliveries.one(delivery_id)
    to = deliveries.receivers([shown["webhookId"]])[shown["webhookId"]]
    values = {"shown": shown, "to": to, "words": WORDS, "most_tries": MOST_TRIES, "readable": _readable}
    if showing.is_part():
        return render_template("delivery_part.html", **values)
    return render_template("delivery.html", **values, **_sent(delivery_id, shown))


@bp.post("/dashboard/deliveries/<delivery_id>/resend")
def resend(delivery_id: str) -> BaseResponse:
    """A person wants one delivery tried now."""
    redelivery.retry(delivery_id)
    showing.say("It is tried now.", "good")
    return redirect(url_for(".one", delivery_id=delivery_id), 303)


def _listed(endpoint_id: str | None) -> dict[str, Any]:
    state = request.args.get("state") or None
    if state and state not in past_deliveries.STATES:
        raise Invalid(f"'state' must be one of: {', '.join(past_deliveries.STATES)}")
    bring_up_to_date()
    after, limit = cursor()
    rows, following = deliveries.page_of(after, limit, endpoint_id, state)
    to = deliveries.receivers(row["webhookId"] for row in rows)
    return {"rows": rows, "next": following, "to": to, "state": state, "words": WORDS, "most_tries": MOST_TRIES}


def _since() -> datetime:
    return read_moment(request.form.get("since", ""), "since")


def _resent(endpoint_id: str, count: int) -> BaseResponse:
    showing.say("1 delivery is due now." if count == 1 else f"{count} deliveries are due now.", "good")
    return redirect(url_for(".of_endpoint", endpoint_id=endpoint_id), 303)


def _sent(delivery_id: str, shown: dict[str, Any]) -> dict[str, Any]:
    """Return what went out, or will: body, headers, and what was signed; never a secret, nor a signature that one made."""
    parcel = deliveries.parcel_of(delivery_id)
    if parcel is None:
        return {"body": None}
    last = shown["attempts"][-1]["at"] if shown["attempts"] else None
    timestamp = int((datetime.fromisoformat(last) if last else datetime.now(UTC)).timestamp())
    headers = {
        "Content-Type": parcel.content_type,
        "User-Agent": USER_AGENT,
        "webhook-id": shown["eventId"],
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1,… (not kept: made anew for each try)",
        current_app.config["POKEA"].webhook_signature_header: "sha256=… (of the body alone, not kept either)",
    }
    signed = content_of(shown["eventId"], timestamp, parcel.body)
    return {
        "body": showing.readable(parcel.body), "headers": headers, "signed": showing.readable(signed), "was_tried": last is not None,
        "hides": showing.hides_numbers(),
    }  # fmt: skip


def _readable(answer: str | None) -> str:
    return clean(showing.readable((answer or "").encode()[:MOST_SHOWN]))
