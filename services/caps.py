"""The caps as a person reads them: what each is, whether it is set, and what of it is used today."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from app.models import Invocation, Recipient
from app.settings import Settings
from services.spending import of_today, sends_of_today, spent_today


@dataclass(frozen=True)
class Cap:
    """One cap. most: None where it is not set; then nothing is counted for it. used: None where it is for each order alone.

    currency: None for a number of recipients. phone: whose use it is, where it is one number's: of whoever used most.
    """

    name: str
    meaning: str
    most: Decimal | int | None
    used: Decimal | int | None = None
    currency: str | None = None
    phone: str | None = None

    @property
    def share(self) -> float:
        """What of it is used, from 0 to 1."""
        return 1.0 if not self.most else min(1.0, float(self.used or 0) / float(self.most))

    def told(self) -> dict[str, Any]:
        """Return it as JSON values; amounts as text."""
        sums = {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in (("most", self.most), ("used", self.used))}
        return {"name": self.name, "meaning": self.meaning, **sums, "currency": self.currency, "phone": self.phone}


def caps(connection: Connection, settings: Settings, now: datetime) -> list[Cap]:
    """Return every cap, with what of today's is used."""
    daily, order, number = settings.spend_cap_daily, settings.spend_cap_order, settings.spend_cap_number
    sends, airtime, currency = settings.sends_per_day, settings.airtime_daily_cap, settings.spend_currency
    spent = spent_today(connection, now, currency) if daily is not None else None
    sent = sends_of_today(connection, now) if sends is not None else None
    by_number = of_today(now, currency, None)
    validated = [Invocation.kind == "airtime.send", Recipient.validated_for.is_not(None)]
    phone, most = _greatest(connection, by_number) if number is not None else (None, None)
    topped_up, of_airtime = _greatest(connection, [*by_number, *validated]) if airtime is not None else (None, None)
    return [
        Cap("SPEND_CAP_DAILY", "airtime and checkouts of one day", daily, spent, currency),
        Cap("SPEND_CAP_ORDER", "airtime or checkout of one order", order, None, currency),
        Cap("SPEND_CAP_NUMBER", "airtime and checkouts of one day for one number", number, most, currency, phone),
        Cap("SENDS_PER_DAY", "recipients of one day, of everything", sends, sent),
        Cap("AIRTIME_DAILY_CAP", "airtime that is validated in one day for one number", airtime, of_airtime, currency, topped_up),
    ]


def is_without_caps(settings: Settings) -> bool:
    """Whether nothing bounds what orders may cost in a day."""
    return settings.spend_cap_daily is None and settings.sends_per_day is None


def _greatest(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> tuple[str | None, Decimal]:
    """Return the number for which most was ordered, and how much."""
    joined = Recipient.__table__.join(Invocation.__table__, Invocation.id == Recipient.invocation_id)
    amount = func.sum(Recipient.amount)
    query = select(Recipient.phone, amount).select_from(joined).where(*conditions)
    row = connection.execute(query.group_by(Recipient.phone).order_by(amount.desc(), Recipient.phone).limit(1)).one_or_none()
    return (row[0], row[1]) if row and row[1] is not None else (None, Decimal(0))
