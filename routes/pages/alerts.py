"""What a person should look at, and what was over before anybody did."""

from flask import Blueprint, render_template

from app.extensions import db
from services.upkeep import alerts

bp = Blueprint("alerts", __name__)


@bp.get("/dashboard/alerts")
def page() -> str:
    """A person asks what is wrong, or was."""
    with db.engine.connect() as connection:
        rows = alerts.listed(connection)
    return render_template("alerts.html", rows=rows)
