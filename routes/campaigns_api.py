"""/api/v1/campaigns: one message, or one call, to many."""

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.errors import GatewayError, Invalid
from app.schemas.bodies import clean
from routes.api import body, listed, needs, page, success
from services import campaigns

bp = Blueprint("campaigns", __name__)
# Lists of recipients are longer than callbacks.
MOST_BYTES = 16 * 1024 * 1024
TOO_LARGE = "The recipients are more than 16 MB: make several campaigns."
RECIPIENTS = "recipients"


@bp.url_value_preprocessor
def _clean_id(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Take from an id what no database takes."""
    if values and "campaign_id" in values:
        values["campaign_id"] = clean(values["campaign_id"])


class TooLarge(GatewayError):
    """A list of recipients is longer than is taken."""

    status = 413


@bp.post("/campaigns")
@needs("campaigns")
def create() -> Response:
    """A program makes a campaign, of JSON or of a CSV; the answer tells what it would be. The same key again makes no other."""
    request.max_content_length = request.max_form_memory_size = MOST_BYTES
    try:
        parameters, recipients = _asked()
    except RequestEntityTooLarge as error:
        raise TooLarge(TOO_LARGE) from error
    asked = campaigns.read_asked(_with_key(parameters))
    before = campaigns.made_before(asked, recipients)
    campaign_id = before or campaigns.create(asked, recipients)
    if asked.starts:
        campaigns.start_once(campaign_id)
    told = campaigns.one(campaign_id)
    return success(told, repeated=True) if before else success(told, 201)


def _with_key(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with the key of the header that other services take it from."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return parameters
    if parameters.get("idempotencyKey") not in (None, key):
        raise Invalid("'idempotencyKey' and the header Idempotency-Key differ: no campaign was made. Give one of them.")
    return {**parameters, "idempotencyKey": key}


def _asked() -> tuple[dict[str, Any], list[campaigns.Listed]]:
    """Return the parameters of a campaign and its recipients, however they came."""
    media = request.mimetype
    if media == "text/csv":
        return request.args.to_dict(), campaigns.from_csv(request.get_data(cache=False))
    if media in ("multipart/form-data", "application/x-www-form-urlencoded"):
        parameters = request.form.to_dict()
        text = parameters.pop(RECIPIENTS, "")
        file = request.files.get(RECIPIENTS)
        if file is None and not text:
            raise Invalid("Missing 'recipients': a CSV file with a column 'phone'")
        return parameters, campaigns.from_csv(file.read() if file else text.encode())
    parameters = body()
    if RECIPIENTS not in parameters:
        raise Invalid("Missing 'recipients': a list of phone numbers, or of objects with 'phone' and columns")
    return parameters, campaigns.from_list(parameters.pop(RECIPIENTS))


@bp.get("/campaigns")
@needs("campaigns")
def list_campaigns() -> Response:
    """A program lists campaigns, newest first."""
    return listed(*campaigns.listed(request.args.get("state"), *page()))


@bp.get("/campaigns/<campaign_id>")
@needs("campaigns")
def show(campaign_id: str) -> Response:
    """A program asks how far a campaign is."""
    return success(campaigns.one(campaign_id))


@bp.get("/campaigns/<campaign_id>/recipients")
@needs("campaigns")
def list_recipients(campaign_id: str) -> Response:
    """A program lists what became of each recipient."""
    return listed(*campaigns.recipients(campaign_id, request.args.get("state"), *page()))


@bp.get("/campaigns/<campaign_id>/batches")
@needs("campaigns")
def list_batches(campaign_id: str) -> Response:
    """A program lists the batches of a campaign."""
    return listed(*campaigns.batches(campaign_id, request.args.get("state"), *page()))


@bp.post("/campaigns/<campaign_id>/start")
@needs("campaigns")
def start(campaign_id: str) -> Response:
    """A program lets a draft go."""
    campaigns.start(campaign_id)
    return success(campaigns.one(campaign_id))


@bp.post("/campaigns/<campaign_id>/pause")
@needs("campaigns")
def pause(campaign_id: str) -> Response:
    """A program holds a campaign back."""
    campaigns.pause(campaign_id)
    return success(campaigns.one(campaign_id))


@bp.post("/campaigns/<campaign_id>/resume")
@needs("campaigns")
def resume(campaign_id: str) -> Response:
    """A program lets a paused campaign go on."""
    campaigns.resume(campaign_id)
    return success(campaigns.one(campaign_id))


@bp.post("/campaigns/<campaign_id>/cancel")
@needs("campaigns")
def cancel(campaign_id: str) -> Response:
    """A program ends a campaign for good."""
    campaigns.cancel(campaign_id)
    return success(campaigns.one(campaign_id))


@bp.post("/campaigns/<campaign_id>/batches/<number>/settle")
@needs("campaigns")
def settle(campaign_id: str, number: str) -> Response:
    """A person chooses, through a program, what to do about recipients whose end nobody knows."""
    asked = body()
    for name in ("choice", "by"):
        if not isinstance(asked.get(name), str):
            raise Invalid(f"Missing '{name}': " + ("treat_as_sent or send_again" if name == "choice" else "the name of who chooses"))
    which = _number(number)
    again = campaigns.settle(campaign_id, which, asked["choice"], asked["by"], str(asked.get("note") or ""))
    return success({"campaign": campaigns.one(campaign_id), "batch": which, "sent_again_as": again})


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise campaigns.UnknownBatch("Batches have whole numbers from 1 on. See /api/v1/campaigns/<id>/batches.")
    return int(text)
