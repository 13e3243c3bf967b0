"""The /api/v1 spellings of callback addresses: same kinds, answers in the form that programs written for them expect."""

import json
import re
from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from werkzeug.exceptions import MethodNotAllowed

from app import masking
from app.schemas.answers import JSON, Answer
from app.schemas.bodies import clean
from routes.api import needs
from routes.decorators import Spelling, receives
from services.inbox import Received
from services.reading import single

bp = Blueprint("v1", __name__)
_REPLY = re.compile(r"\s*(YES|NO)-(\S{1,64})\s*", re.IGNORECASE)


def _refused(received: Received) -> Answer:
    reasons = "; ".join(f"{name}: {' '.join(map(str, why))}" for name, why in (received.errors or {}).items())
    return _json({"status": "webhook_error", "error": reasons}, 400)


def _not_kept() -> Answer:
    return _json(
        {"status": "webhook_error", "error": "The database does not answer in time: nothing was kept. Try again."},
        503,
        {"Retry-After": "5"},
    )


V1 = Spelling(_refused, _not_kept)


@bp.post("/voice/webhook")
@receives("voice.recording", V1)
def recording(received: Received) -> Answer:
    """A gateway tells of a recording."""
    return _json({"status": "webhook_processed", "session_id": received.data["session_id"]})


@bp.get("/voice/recordings/<recording_id>")
@needs("read")
def one_recording(recording_id: str) -> Response:
    """One recording, by its id or its call's; not wrapped, as programs written for this address expect."""
    told = single.recording(clean(recording_id))
    names = ("recording_id", "status", "duration", "recording_url", "recording_available", "participants", "created_at", "processed_at")
    shown = {name: told[name] for name in names}
    return jsonify(masking.everything(shown) if current_app.config["POKEA"].privacy else shown)


def _message_or_report(fields: dict[str, Any]) -> str:
    is_message = any(name in fields for name in ("text", "from", "linkId"))
    return "sms.incoming_message" if is_message or "status" not in fields else "sms.delivery_report"


@bp.post("/sms/webhook")
@receives(_message_or_report, V1)
def message(received: Received) -> Answer:
    """A gateway brings a message or a delivery report; YES-<ref> and NO-<ref> are told as what they mean."""
    reply = _REPLY.fullmatch(received.data.get("text") or "")
    if reply is None:
        return _json({"status": "webhook_received"})
    action = "confirm" if reply.group(1).upper() == "YES" else "reject"
    return _json({"status": "webhook_received", "action": action, "contract_id": reply.group(2), "phone_number": received.data["sender"]})


@bp.post("/payments/webhook")
@receives("payments.notification", V1)
def payment(received: Received) -> Answer:
    """A gateway tells what became of a payment."""
    return _json({"status": "webhook_processed", "transaction_id": received.data["transaction_id"]})


@bp.post("/ussd")
@receives("ussd.session")
def session(received: Received) -> Answer:
    """A person waits for the next screen, as at /api/ussd/session."""
    return current_app.extensions["pokea.apps"].ussd(received)


@bp.get("/payments/webhook")
def payment_webhook_takes_post() -> Response:
    """A person opens the address of a callback, which is not a payment's."""
    raise MethodNotAllowed(["POST"])


def _json(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(json.dumps(body, ensure_ascii=False, separators=(",", ":")), JSON, status, headers=headers or {})
