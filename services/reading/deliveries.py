"""Deliveries page by page, what went out for one of them, and how their receivers fare."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from app.extensions import db
from app.models import Delivery, Endpoint
from app.schemas.bodies import clean
from services.reading.filters import first_id
from services.reading.paging import Stream, read
from services.upkeep.backlog import literally
from services.webhooks.deliveries import Parcel, packed
from services.webhooks.endpoints import found
from services.webhooks.past_deliveries import found_delivery, told_all

# Of each endpoint so many of its newest deliveries are looked at for its health.
MOST_LOOKED_AT = 500
LATELY = timedelta(hours=24)


@dataclass(frozen=True)
class Health:
    """How an endpoint fared lately. tried: deliveries that were tried at least once. median_ms: of those that it took."""

    tried: int
    delivered: int
    median_ms: int | None

    @property
    def percent(self) -> float | None:
        """The share of what was tried that arrived, None where nothing was tried."""
        return 100 * self.delivered / self.tried if self.tried else None


def page_of(
    after: str | None, limit: int, endpoint_id: str | None = None, state: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page of deliveries with their attempts, newest first, and the id after which the next one begins, None at the end.

    For a state that no index helps with some rows are looked at for one page: then it may be short, and the next goes on from there.
    Raises UnknownEndpoint.
    """
    query = select(Delivery.__table__)
    tried: tuple[ColumnElement[bool], ...] = ()
    if state == "dead":
        query = query.where(literally(Delivery.state, state))
        if endpoint_id:
            # Few are dead, and they have an index: so not by the one of endpoints.
            query = query.where(Delivery.endpoint_id.concat("") == clean(endpoint_id))
    else:
        query = query.where(Delivery.endpoint_id == clean(endpoint_id)) if endpoint_id else query
        tried = (Delivery.state == state,) if state else ()
    with db.engine.connect() as connection:
        if endpoint_id:
            found(connection, endpoint_id)
        page = read(connection, Stream(query, Delivery.__table__.c.id, tried), after, limit)
        return told_all(connection, [Delivery(**row._mapping) for _, row in page.rows]), page.next


def receivers(endpoint_ids: Iterable[str]) -> dict[str, Endpoint]:
    """Return these endpoints, that of ALERT_URL too, by their ids."""
    query = select(Endpoint.__table__).where(Endpoint.id.in_(set(endpoint_ids)))
    with db.engine.connect() as connection:
        return {row.id: Endpoint(**row._mapping) for row in connection.execute(query)}


def parcel_of(delivery_id: str) -> Parcel | None:
    """Return what goes out for a delivery, None where what it tells of is no longer kept. Raises UnknownDelivery."""
    with db.engine.connect() as connection:
        delivery = found_delivery(connection, delivery_id)
        row = connection.execute(select(Endpoint.__table__).where(Endpoint.id == delivery.endpoint_id)).one()
        return next(iter(packed(connection, Endpoint(**row._mapping), [delivery])), None)


def health_of(endpoint_ids: Sequence[str], now: datetime) -> dict[str, Health]:
    """Return how each endpoint fared within LATELY, as its MOST_LOOKED_AT newest deliveries tell."""
    with db.engine.connect() as connection:
        return {endpoint_id: _health(connection, endpoint_id, now - LATELY) for endpoint_id in endpoint_ids}


def _health(connection: Connection, endpoint_id: str, since: datetime) -> Health:
    ours = (Delivery.endpoint_id == endpoint_id, Delivery.id >= first_id("dlv_", since))
    query = select(Delivery.state, Delivery.ms, Delivery.attempts).where(*ours).order_by(Delivery.id.desc()).limit(MOST_LOOKED_AT)
    rows = connection.execute(query).all()
    times = [row.ms for row in rows if row.state == "delivered" and row.ms is not None]
    delivered = sum(row.state == "delivered" for row in rows)
    return Health(sum(row.attempts > 0 for row in rows), delivered, round(median(times)) if times else None)
