"""What things cost: one row for each thing, whatever tells of it and however often."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete

from app.models import Cost
from app.schemas.fields import Amount
from services.ledger.readings import NO_CURRENCY, day_of
from services.ledger.rows import insert


def cost_row(product: str, name: str, since: datetime, phone: str | None, cost: Amount) -> dict[str, Any]:
    """Return the row of what one thing cost. name: tells it from others of its product. since: when it is first known."""
    return {
        "source": f"{product}:{name}", "product": product, "day": day_of(since), "phone": phone, "amount": cost.value,
        "currency": cost.currency or NO_CURRENCY,
    }  # fmt: skip


def put(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write what things cost, in place of what was known of each."""
    if rows:
        statement = insert(connection, Cost)
        new = {name: statement.excluded[name] for name in rows[0] if name != "source"}
        connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=new), list(rows))


def put_one(
    connection: Connection, product: str, name: str, since: datetime, phone: str | None, amount: Decimal | None, currency: str | None
) -> None:
    """Write what one thing cost; without an amount, that it cost nothing."""
    if amount is None:
        connection.execute(delete(Cost).where(Cost.source == f"{product}:{name}"))
    else:
        put(connection, [cost_row(product, name, since, phone, Amount(amount, currency))])
