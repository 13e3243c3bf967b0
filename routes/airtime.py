"""Airtime: what Africa's Talking asks and tells about top-ups."""

from flask import Blueprint, current_app

from app.schemas import answers
from app.schemas.answers import Answer
from routes.decorators import receives
from routes.invokes import METHODS, invokes
from services import airtime
from services.inbox import Received
from services.invocations import Order, Placed
from services.validation import validate

bp = Blueprint("airtime", __name__)


@bp.post("/validation")
@receives("airtime.validation")
def validation(received: Received) -> Answer:
    """Africa's Talking asks whether a top-up is ours; anything but Validated stops it."""
    return validate(received, current_app.extensions["pokea.apps"])


@bp.post("/status")
@receives("airtime.status")
def status(received: Received) -> Answer:
    """Africa's Talking tells what became of a top-up."""
    return answers.OK


@bp.route("/invoke-send-airtime", methods=METHODS)
@invokes("airtime.send")
def invoke_send_airtime(order: Order) -> Placed:
    """A person tops up one phone."""
    return airtime.send(order)
