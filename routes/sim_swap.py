"""SIM swap: what Africa's Talking answers to a check, later."""

from flask import Blueprint

from app.schemas import answers
from app.schemas.answers import Answer
from routes.decorators import receives
from services.inbox import Received

bp = Blueprint("sim_swap", __name__)


@bp.post("/status")
@receives("sim_swap.status")
def status(received: Received) -> Answer:
    """Africa's Talking tells when a SIM card was last swapped."""
    return answers.OK
