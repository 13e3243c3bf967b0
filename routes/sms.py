"""SMS: what Africa's Talking posts about messages."""

from flask import Blueprint

from app.schemas import answers
from app.schemas.answers import Answer
from routes.decorators import receives
from routes.invokes import METHODS, invokes
from services import sms
from services.inbox import Received
from services.invocations import Order, Placed

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


@bp.route("/invoke-bulk-sms", methods=METHODS)
@invokes("sms.bulk")
def invoke_bulk_sms(order: Order) -> Placed:
    """A person sends one message to one or many phones."""
    return sms.send_bulk(order)


@bp.route("/invoke-two-way-sms", methods=METHODS)
@bp.route("/invoke-twoway-sms", methods=METHODS)
@invokes("sms.premium")
def invoke_twoway_sms(order: Order) -> Placed:
    """A person answers from the short code."""
    return sms.send_premium(order)
