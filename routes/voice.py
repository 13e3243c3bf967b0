"""Voice: what Africa's Talking asks and tells about calls."""

from typing import Any

from flask import Blueprint, current_app

from app.schemas import answers
from app.schemas.answers import Answer
from routes.decorators import receives
from routes.invokes import METHODS, invokes
from services import voice
from services.inbox import Received
from services.invocations import Order, Placed
from services.voice_xml import respond

bp = Blueprint("voice", __name__)


def _instructions_or_event(fields: dict[str, Any]) -> str:
    # With no events address set, the last notification of a call comes here: isActive=0
    has_ended = str(fields.get("isActive", "")).strip().lower() in ("0", "false")
    return "voice.event" if has_ended else "voice.instructions"


@bp.post("/instruct")
@receives(_instructions_or_event)
def instructions(received: Received) -> Answer:
    """A call asks what to do next; the answer is XML, an empty one when the call is over."""
    return Answer(respond()) if received.kind == "voice.event" else current_app.extensions["pokea.apps"].voice(received)


@bp.post("/events")
@receives("voice.event")
def event(received: Received) -> Answer:
    """Africa's Talking tells how a call goes; the answer is not read."""
    return answers.OK


@bp.route("/invoke-call", methods=METHODS)
@invokes("voice.call")
def invoke_call(order: Order) -> Placed:
    """A person has one or many phones called."""
    return voice.call(order)
