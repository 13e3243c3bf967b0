"""What things cost as a person reads it: a table for each currency, of products and days."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from services.reading.costs import PRODUCTS, USUALLY, costs
from services.reading.filters import Filters

MOST_DAYS = 92
MOST_CURRENCIES = 6
# Money that is passed on to somebody; the rest is what Africa's Talking took for its service.
PASSED_ON = ("airtime",)
_MOST_SUMS = 20_000
# 31 days, today included
_USUALLY = USUALLY - timedelta(days=1)


@dataclass(frozen=True)
class CostTable:
    """One currency. days: from the first to the last that was asked for. sums: by product, then by day; no entry where it is nothing."""

    currency: str
    days: list[date]
    sums: dict[str, dict[date, Decimal]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def of_product(self, product: str) -> Decimal:
        """Return what a product cost."""
        return sum(self.sums[product].values(), Decimal(0))

    def of_day(self, day: date) -> Decimal:
        """Return what one day cost."""
        return sum((by_day.get(day, Decimal(0)) for by_day in self.sums.values()), Decimal(0))

    @property
    def spent_days(self) -> list[date]:
        """The days that cost something, newest first."""
        return [day for day in reversed(self.days) if any(day in by_day for by_day in self.sums.values())]

    @property
    def total(self) -> Decimal:
        """Everything."""
        return sum(map(self.of_product, self.sums), Decimal(0))

    @property
    def fees(self) -> Decimal:
        """Everything but what was passed on."""
        return sum((self.of_product(product) for product in self.sums if product not in PASSED_ON), Decimal(0))


def cost_tables(connection: Connection, since: datetime | None, now: datetime) -> list[CostTable]:
    """Return a table for each currency that something was paid in, most things first. since: the last 31 days where it is None."""
    since = begin_of(since, now)
    days = days_between(since, now)
    tables: dict[str, CostTable] = {}
    counts: dict[str, int] = defaultdict(int)
    rows = costs(connection, Filters(since=since), "product,day", _MOST_SUMS, now)
    # In the order in which products are named, so that bars and rows have it, too
    for row in sorted(rows, key=lambda one: PRODUCTS.index(one["product"])):
        day = date.fromisoformat(row["day"])
        if day in days:
            table = tables.setdefault(row["currency"], CostTable(row["currency"], days))
            table.sums.setdefault(row["product"], {})[day] = Decimal(row["amount"])
            table.counts[row["product"]] = table.counts.get(row["product"], 0) + row["count"]
            counts[row["currency"]] += row["count"]
    # What was free is often told without a currency.
    costly = [currency for currency, table in tables.items() if any(any(by_day.values()) for by_day in table.sums.values())]
    return [tables[currency] for currency in sorted(costly, key=lambda one: (-counts[one], one))]


def begin_of(since: datetime | None, now: datetime) -> datetime:
    """Return the time from which on costs are shown: 31 days with today where none is asked for, and no more than MOST_DAYS."""
    return min(max(since or now - _USUALLY, now - timedelta(days=MOST_DAYS - 1)), now)


def days_between(since: datetime, until: datetime) -> list[date]:
    """Return every UTC day from one time to another."""
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
