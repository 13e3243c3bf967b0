"""Whether this process lives, and whether it can do its work."""

from hashlib import sha256

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from services.schema import migrations_behind, told

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> Response:
    """A supervisor asks whether the process answers."""
    return jsonify(status="ok", instance=instance_name())


def instance_name() -> str:
    """Return a name that tells this app from another one, and tells nothing else."""
    return sha256(f"instance {current_app.secret_key!s}".encode()).hexdigest()[:12]


@bp.get("/readyz")
def readyz() -> tuple[Response, int]:
    """A load balancer asks whether callbacks can be kept: 200, or 503 with what is wrong."""
    try:
        behind = migrations_behind()
    except SQLAlchemyError as error:
        return jsonify(status="not ready", database=f"out of reach ({type(error).__name__})"), 503
    if behind:
        return jsonify(status="not ready", database=f"{told(behind)}: run flask db upgrade"), 503
    return jsonify(status="ready", database="ok"), 200
