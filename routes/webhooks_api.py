"""/api/v1/webhooks and /api/v1/deliveries: who receives webhooks, and how each delivery went."""

from flask import Blueprint, Response, request

from app.errors import Forbidden, Invalid
from routes.api import body, insist_on_key, listed, moment, needs, page, success
from routes.webhooks_told import told, told_secret
from services.webhooks import endpoints, past_deliveries, redelivery

bp = Blueprint("webhooks", __name__)


def _insist_on_reader() -> bool:
    """Raise unless the key may read, or change webhooks; return whether it may only read."""
    try:
        insist_on_key("webhooks")
    except Forbidden:
        insist_on_key("read")
        return True
    return False


@bp.post("/webhooks")
@needs("webhooks")
def create() -> Response:
    """A developer makes an endpoint; the answer holds its secret, shown only now."""
    row = endpoints.make(body())
    return success({**told(row, None), **told_secret(row)}, 201)


@bp.get("/webhooks")
def list_all() -> Response:
    """A developer reads all endpoints."""
    only_reads = _insist_on_reader()
    after, limit = page()
    rows = endpoints.every(after, limit)
    waiting = past_deliveries.backlogs([row.id for row in rows])
    return listed([told(row, waiting[row.id], only_reads) for row in rows], rows[-1].id if len(rows) == limit else None)


@bp.get("/webhooks/<endpoint_id>")
def show(endpoint_id: str) -> Response:
    """A developer reads one endpoint."""
    only_reads = _insist_on_reader()
    row = endpoints.one(endpoint_id)
    return success(told(row, past_deliveries.backlogs([row.id])[row.id], only_reads))


@bp.patch("/webhooks/<endpoint_id>")
@needs("webhooks")
def change(endpoint_id: str) -> Response:
    """A developer changes url, events, active or format; the answer is the endpoint as it is now."""
    row = endpoints.change(endpoint_id, body())
    return success(told(row, past_deliveries.backlogs([row.id])[row.id]))


@bp.delete("/webhooks/<endpoint_id>")
@needs("webhooks")
def remove(endpoint_id: str) -> Response:
    """A developer removes an endpoint with its deliveries."""
    endpoints.remove(endpoint_id)
    return success({"webhookId": endpoint_id, "deleted": True})


@bp.post("/webhooks/<endpoint_id>/rotate-secret")
@needs("webhooks")
def rotate(endpoint_id: str) -> Response:
    """A developer asks for a new secret; the one before signs too until previousValidUntil."""
    row = endpoints.rotate(endpoint_id)
    return success({"webhookId": row.id, **told_secret(row)})


@bp.post("/webhooks/<endpoint_id>/ping")
@needs("webhooks")
def ping(endpoint_id: str) -> Response:
    """A developer tries an endpoint; the answer names the delivery on its way."""
    event_id, delivery_id = endpoints.ping(endpoint_id)
    return success({"webhookId": endpoint_id, "eventId": event_id, "deliveryId": delivery_id})


@bp.get("/webhooks/<endpoint_id>/deliveries")
def deliveries(endpoint_id: str) -> Response:
    """A developer reads how deliveries to one endpoint went, newest first."""
    _insist_on_reader()
    after, limit = page()
    state = request.args.get("state") or None
    if state and state not in past_deliveries.STATES:
        raise Invalid(f"'state' must be one of: {', '.join(past_deliveries.STATES)}")
    rows = past_deliveries.newest(limit, after, endpoint_id, state)
    return listed(rows, rows[-1]["id"] if len(rows) == limit else None)


@bp.post("/webhooks/<endpoint_id>/replay")
@needs("webhooks")
def replay(endpoint_id: str) -> Response:
    """A developer asks for all that happened since a time, again; the answer says how many deliveries are queued."""
    since = moment("since")
    if since is None:
        raise Invalid("Say since when: ?since=2h, or ?since=2026-03-04T10:30:00Z")
    return success({"webhookId": endpoint_id, "queued": redelivery.replay(endpoint_id, since)})


@bp.get("/deliveries/<delivery_id>")
def show_delivery(delivery_id: str) -> Response:
    """A developer reads one delivery with its attempts."""
    _insist_on_reader()
    return success(past_deliveries.one(delivery_id))


@bp.post("/deliveries/<delivery_id>/retry")
@needs("webhooks")
def retry(delivery_id: str) -> Response:
    """A developer sends one delivery again; the answer is the delivery, waiting."""
    redelivery.retry(delivery_id)
    return success(past_deliveries.one(delivery_id))
