"""SIM swap: what Africa's Talking answers to a check, later."""

from flask import Blueprint

from app.schemas import answers
from app.schemas.answers import Answer
from routes.decorators import receives
from routes.invokes import METHODS, invokes
from services import sim_swap
from services.inbox import Received
from services.invocations import Order, Placed

bp = Blueprint("sim_swap", __name__)


@bp.post("/status")
@receives("sim_swap.status")
def status(received: Received) -> Answer:
    """Africa's Talking tells when a SIM card was last swapped."""
    return answers.OK


@bp.route("/invoke-check-simswap", methods=METHODS)
@invokes("sim_swap.check")
def invoke_check_simswap(order: Order) -> Placed:
    """A person asks when a SIM card was swapped; a callback brings the date."""
    return sim_swap.check(order)
