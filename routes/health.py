"""Whether this process lives, whether it can do its work, and what it counts."""

from datetime import UTC, datetime
from hashlib import sha256

from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from app.deadline import within
from app.extensions import db
from routes.api import insist_on_key
from routes.doors import is_at_this_machine
from services.upkeep import metrics
from services.upkeep.backlog import workers_seen
from services.upkeep.gauges import gauges
from services.upkeep.schema import migrations_behind, told

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
    return jsonify(status="ready", database="ok", worker=_worker()), 200


def _worker() -> dict[str, float | int | None]:
    """Return when a worker was last seen and how many live: told, but without one callbacks are kept all the same."""
    try:
        with within(1), db.engine.connect() as connection:
            seen = workers_seen(connection, datetime.now(UTC))
    except SQLAlchemyError:
        return {"seen_s_ago": None, "count": 0}
    return {"seen_s_ago": None if seen.seen_s_ago is None else round(seen.seen_s_ago, 1), "count": seen.count}


@bp.get("/metrics")
def show_metrics() -> Response:
    """Prometheus asks what was counted, from this machine itself or with a key that may read."""
    if not is_at_this_machine(request):
        insist_on_key("read")
    body, content_type = metrics.exposition(gauges(datetime.now(UTC)))
    return Response(body, content_type=content_type)
