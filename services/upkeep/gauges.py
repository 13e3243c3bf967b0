"""What the database says of this app at this moment, as gauges for Prometheus."""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.deadline import within
from app.extensions import db
from app.models import Alert, Endpoint, Invocation
from services.upkeep import alerts
from services.upkeep.backlog import MOST_COUNTED, backlog, workers_seen
from services.upkeep.looks import is_unknown

# The scraper waits no longer for the database than that.
PATIENCE_S = 2.0
Samples = list[tuple[list[str], float]]


def gauges(now: datetime) -> list[Any]:
    """Return the families of all gauges; where the database is out of reach, of that alone."""
    try:
        with within(PATIENCE_S), db.engine.connect() as connection:
            return [_family("database_up", "Whether the database answers.", [], [([], 1)]), *_from(connection, now)]
    except SQLAlchemyError:
        return [_family("database_up", "Whether the database answers.", [], [([], 0)])]


def _from(connection: Connection, now: datetime) -> Iterable[Any]:
    queues = backlog(connection, now)
    seen_s_ago = workers_seen(connection, now).seen_s_ago
    yield _family("queue_depth", "Work that is due.", ["queue"], [([one.name], one.depth) for one in queues])
    yield _family("queue_oldest_seconds", "Age of the oldest work that is due.", ["queue"], [([one.name], one.oldest_s) for one in queues])
    yield _family("dead", "Work that was given up.", ["queue"], [([one.name], one.dead) for one in queues])
    yield _family("endpoints", "Receivers of webhooks.", ["state"], _endpoints(connection))
    yield _family("invocations_unknown", "Calls to Africa's Talking whose end is not known.", [], [([], _unknown(connection))])
    yield _family(
        "worker_seen_seconds", "Time since a worker was seen; +Inf: never.", [], [([], math.inf if seen_s_ago is None else seen_s_ago)]
    )
    raised = set(connection.scalars(select(Alert.name).where(Alert.cleared_at.is_(None))))
    yield _family("alert", "1 while an alert is raised.", ["name"], [([name], float(name in raised)) for name in alerts.NAMES])


def _family(name: str, meaning: str, labels: list[str], samples: Samples) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"pokea_{name}", meaning, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _endpoints(connection: Connection) -> Samples:
    count = {"active": 0, "failing": 0, "off": 0}
    for is_active, failing_since in connection.execute(select(Endpoint.is_active, Endpoint.failing_since)):
        count["off" if not is_active else "failing" if failing_since else "active"] += 1
    return [([state], number) for state, number in count.items()]


def _unknown(connection: Connection) -> int:
    rows = select(Invocation.id).where(is_unknown()).limit(MOST_COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(rows)).scalar_one()
