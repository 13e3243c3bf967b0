"""Payments: what Africa's Talking asks and tells about money."""

from flask import Blueprint, current_app

from app.schemas import answers
from app.schemas.answers import Answer
from routes.decorators import receives
from routes.invokes import METHODS, invokes
from services import payments
from services.inbox import Received
from services.invocations import Order, Placed
from services.validation import validate

bp = Blueprint("payments", __name__)


@bp.post("/notification")
@receives("payments.notification")
def notification(received: Received) -> Answer:
    """Africa's Talking tells what became of a payment."""
    return answers.OK


@bp.post("/validation")
@receives("payments.validation")
def validation(received: Received) -> Answer:
    """Africa's Talking asks whether a payment is expected; anything but Validated stops it."""
    return validate(received, current_app.extensions["pokea.apps"])


@bp.route("/invoke-mobile-checkout", methods=METHODS)
@invokes("payments.checkout")
def invoke_mobile_checkout(order: Order) -> Placed:
    """A person asks another one to pay; callbacks tell what came of it."""
    return payments.checkout(order)
