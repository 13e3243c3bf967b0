"""The caps on money and on sends, counted in the transaction that makes an order's row."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, func, select, text

from app import masking
from app.errors import GatewayError, Invalid
from app.extensions import PATIENCE_S, writing
from app.models import Recipient
from app.settings import Settings

# Any number that nobody else in this database locks
_LOCK = 7305451
# What was refused cost nothing; what is unknown may have.
COUNTED = Recipient.state.in_(["pending", "accepted", "unknown"])


class OverCap(GatewayError):
    """An order would go over a cap: nothing was sent."""

    status = 429


@contextmanager
def counting(patience_s: float = PATIENCE_S) -> Iterator[Connection]:
    """Give a transaction of `writing()` in which nobody else counts: SQLite has one writer, PostgreSQL is told to wait."""
    with writing(patience_s) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        yield connection


def day_of(moment: datetime) -> str:
    """Return the UTC day that a moment's caps are counted for."""
    return moment.astimezone(UTC).date().isoformat()


def check_caps(
    connection: Connection, settings: Settings, now: datetime, phones: list[str], amount: Decimal | None, currency: str | None
) -> None:
    """Raise OverCap if an order now would exceed a cap, Invalid if its currency cannot be counted.

    connection: of `counting()`. amount: for each phone, None for orders that move no money.
    """
    if settings.sends_per_day is not None:
        _check_sends(connection, settings.sends_per_day, now, len(phones))
    if amount is None or not any(
        cap is not None for cap in (settings.spend_cap_order, settings.spend_cap_daily, settings.spend_cap_number)
    ):
        return
    if currency != settings.spend_currency:
        raise Invalid(f"'currency' must be {settings.spend_currency}: the caps are counted in SPEND_CURRENCY. Nothing was sent.")
    total = amount * len(phones)
    _check("SPEND_CAP_ORDER", settings.spend_cap_order, Decimal(0), total, currency, now)
    _check("SPEND_CAP_DAILY", settings.spend_cap_daily, spent_today(connection, now, currency), total, currency, now)
    for phone in phones:
        spent = spent_today(connection, now, currency, phone)
        _check("SPEND_CAP_NUMBER", settings.spend_cap_number, spent, amount, currency, now, f" for {masking.number(phone)}")


def spent_today(connection: Connection, now: datetime, currency: str, phone: str | None = None) -> Decimal:
    """Return the money that orders of this UTC day moved, or may have, for one number where one is named."""
    return connection.scalar(select(func.sum(Recipient.amount)).where(*of_today(now, currency, phone))) or Decimal(0)


def sends_of_today(connection: Connection, now: datetime) -> int:
    """Return how many recipients the orders of this UTC day have."""
    return connection.scalar(select(func.count()).select_from(Recipient).where(Recipient.day == day_of(now), COUNTED)) or 0


def of_today(now: datetime, currency: str, phone: str | None) -> list[ColumnElement[bool]]:
    """Return the conditions for recipients whose money counts for this UTC day."""
    conditions = [Recipient.day == day_of(now), Recipient.currency == currency, COUNTED]
    return conditions if phone is None else [*conditions, Recipient.phone == phone]


def _check(name: str, cap: Decimal | None, spent: Decimal, more: Decimal, currency: str, now: datetime, about: str = "") -> None:
    if cap is not None and spent + more > cap:
        so_far = f" and {_text(spent)} {currency} were ordered today{about}" if spent else ""
        raise OverCap(
            f"{name} is {_text(cap)} {currency}{so_far}: this order of {_text(more)} {currency} was not sent.",
            retry_after_s=_until_tomorrow_s(now),
        )


def _check_sends(connection: Connection, cap: int, now: datetime, more: int) -> None:
    sent = sends_of_today(connection, now)
    if sent + more > cap:
        raise OverCap(
            f"SENDS_PER_DAY is {cap} and {sent} were ordered today: this order for {more} was not sent.",
            retry_after_s=_until_tomorrow_s(now),
        )


def _text(amount: Decimal) -> str:
    return f"{amount:f}".rstrip("0").rstrip(".") if amount % 1 else str(int(amount))


def _until_tomorrow_s(now: datetime) -> int:
    tomorrow = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    return max(1, round((tomorrow - now).total_seconds()))
