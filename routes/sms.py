"""SMS: what Africa's Talking posts about messages."""

from flask import Blueprint

from app.schemas import answers
from app.schemas.answers import Answer
from routes.decorators import receives
from services.inbox import Received

bp = Blueprint("sms", __name__)


@bp.post("/delivery")
@bp.post("/delivery-reports")
@receives("sms.delivery_report")
def delivery_report(received: Received) -> Answer:
    """Africa's Talking tells what became of a message; OK ends its retries."""
    return answers.OK


@bp.post("/twoway")
@receives("sms.incoming_message")
def incoming_message(received: Received) -> Answer:
    """Africa's Talking brings a message from a person; GOOD ends its retries."""
    return answers.GOOD


@bp.post("/opt-out")
@receives("sms.opt_out")
def opt_out(received: Received) -> Answer:
    """Africa's Talking tells who wants no more bulk messages."""
    return answers.OK


@bp.post("/subscription")
@receives("sms.subscription")
def subscription(received: Received) -> Answer:
    """Africa's Talking tells who subscribed, or left."""
    return answers.OK
