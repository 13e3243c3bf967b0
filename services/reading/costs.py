"""What things cost, added up: by product, day, number."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from app.errors import Invalid
from app.models import Cost
from services.reading.filters import Filters, spellings

FILTERS = ("kind", "phone", "since", "until")
PRODUCTS = ("sms", "voice", "ussd", "airtime", "sim_swap", "payments")
_GROUPS = {"product": Cost.product, "day": Cost.day, "number": Cost.phone}
USUALLY = timedelta(days=31)


def costs(connection: Connection, filters: Filters, by: str, limit: int, now: datetime, default_country: str = "") -> list[dict[str, Any]]:
    """Return sums, one for each group and currency, newest day and greatest sum first. Raises Invalid.

    by: some of product, day, number, by comma. Days are UTC days; without `since` the last 31. kind: a product.
    """
    groups = list(dict.fromkeys(by.split(",")))
    if not set(groups) <= _GROUPS.keys():
        raise Invalid(f"'by' must be some of {', '.join(_GROUPS)}, by comma, not '{by[:40]}'")
    if filters.kind is not None and filters.kind not in PRODUCTS:
        raise Invalid(f"'kind' must be one of {', '.join(PRODUCTS)}, not '{filters.kind[:40]}'")
    columns = [_GROUPS[name] for name in groups]
    amount, count = func.sum(Cost.amount), func.count()
    newest = [Cost.day.desc()] if "day" in groups else []
    query = select(*columns, Cost.currency, amount.label("amount"), count.label("count")).where(
        Cost.day >= _day(filters.since or now - USUALLY)
    )
    if filters.until:
        # The day in which it ends counts, unless it ends just as that day begins.
        query = query.where(Cost.day <= _day(filters.until - timedelta(microseconds=1)))
    if filters.kind:
        query = query.where(Cost.product == filters.kind)
    if filters.phone:
        query = query.where(Cost.phone.in_(spellings(filters.phone, default_country)))
    query = query.group_by(*columns, Cost.currency).order_by(*newest, amount.desc(), *columns).limit(limit)
    return [_told(row._mapping) for row in connection.execute(query)]


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def _told(row: Any) -> dict[str, Any]:
    return {**row, "amount": f"{row['amount']:.4f}"}
