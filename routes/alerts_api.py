"""/api/v1/alerts: what a person should look at."""

from flask import Blueprint, Response

from app.extensions import db
from routes.api import listed, needs
from services.upkeep import alerts

bp = Blueprint("alerts", __name__)


@bp.get("/alerts")
@needs("read")
def list_alerts() -> Response:
    """A program asks what is wrong, and what was: raised alerts first."""
    with db.engine.connect() as connection:
        return listed(alerts.listed(connection), None)
