"""USSD: what a person dialled and typed, and how it ended."""

from flask import Blueprint, Response, current_app

from app.schemas import answers
from app.schemas.answers import Answer
from routes.decorators import receives
from services.inbox import Received

bp = Blueprint("ussd", __name__)


@bp.get("")
def welcome() -> Response:
    """Anybody asks whether USSD is here."""
    return Response("Welcome to the USSD service", mimetype="text/plain")


@bp.post("/session")
@receives("ussd.session")
def session(received: Received) -> Answer:
    """A person waits for the next screen: CON goes on, END ends."""
    return current_app.extensions["pokea.apps"].ussd(received)


@bp.post("/status")
@receives("ussd.session_end")
def session_end(received: Received) -> Answer:
    """Africa's Talking tells how a session ended."""
    return answers.OK
