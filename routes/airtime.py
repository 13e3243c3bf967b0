"""Airtime: what Africa's Talking asks and tells about top-ups."""

from flask import Blueprint, current_app

from app.schemas import answers
from app.schemas.answers import Answer
from routes.decorators import receives
from services.inbox import Received
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
