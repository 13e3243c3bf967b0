"""The account's balance, of which Africa's Talking is asked at most once a minute, by whichever process comes first."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic, sleep
from typing import Any

from flask import current_app

from app.errors import NotReady
from app.extensions import db, writing
from app.schemas.fields import Money
from services.account import ask_for_account
from services.reading.waiting import PLACES
from services.upkeep.marks import claim_mark, read_mark, write_mark

MARK = "balance"
EVERY = timedelta(minutes=1)
_PAUSE_S = 0.25
_BUSY = "Africa's Talking is being asked for the balance. Ask again in a few seconds."
_SOON_S = 5


@dataclass(frozen=True)
class Balance:
    """What is left. balance: as it was told, `KES 1234.5000`. problem: why what is told is not of now."""

    balance: str
    amount: Decimal | None
    currency: str | None
    asked_at: datetime
    problem: str | None = None

    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        amount = None if self.amount is None else f"{self.amount:f}"
        values = {**asdict(self), "amount": amount, "asked_at": self.asked_at.isoformat()}
        return values if self.problem else {name: value for name, value in values.items() if name != "problem"}


def current_balance(now: datetime | None = None) -> Balance:
    """Return the balance as it was told less than a minute ago, or the last that is known. Raises NotReady where none is known."""
    now = now or datetime.now(UTC)
    known = last_told()
    if known is None or now - datetime.fromisoformat(known["tried_at"]) >= EVERY:
        known = _ask(known, now) if _is_mine(now) else known or _await_other()
    if known is None or known.get("balance") is None:
        why = f": {known['problem']}" if known else ""
        raise NotReady(f"Africa's Talking did not tell the balance{why}. It is asked again in a minute.", retry_after_s=60)
    return _read(known)


def last_told() -> dict[str, Any] | None:
    """Return what the account told last, without asking: balance, problem, tried_at; None where nobody asked yet."""
    with db.engine.connect() as connection:
        return read_mark(connection, MARK)


def ask_now() -> None:
    """Ask for the account whoever did so just before: a person wants to know whether the key is good."""
    _ask(last_told(), datetime.now(UTC))


def _is_mine(now: datetime) -> bool:
    with writing() as connection:
        return claim_mark(connection, MARK, EVERY, now)


def _ask(known: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    account = ask_for_account(current_app.extensions["pokea.desk"].client)
    if account.balance is not None:
        value: dict[str, Any] = {"balance": account.balance, "asked_at": now.isoformat(), "problem": None}
    else:
        value = {"balance": None, "asked_at": now.isoformat(), **(known or {}), "problem": account.problem}
    value["tried_at"] = now.isoformat()
    with writing() as connection:
        write_mark(connection, MARK, value, now)
    return value


def _await_other() -> dict[str, Any] | None:
    """Return what another thread, which asks just now, is told; None where that takes too long. Raises NotReady where too many wait."""
    if not PLACES.acquire(blocking=False):
        raise NotReady(_BUSY, retry_after_s=_SOON_S)
    ends, known = monotonic() + current_app.config["POKEA"].at_timeout_s, None
    try:
        while known is None and monotonic() < ends:
            db.session.close()
            sleep(_PAUSE_S)
            with db.engine.connect() as connection:
                known = read_mark(connection, MARK)
        return known
    finally:
        PLACES.release()


def _read(known: dict[str, Any]) -> Balance:
    asked_at = datetime.fromisoformat(known["asked_at"])
    try:
        amount, currency = Money().read(known["balance"])
    except ValueError:
        amount, currency = None, None
    return Balance(known["balance"], amount, currency, asked_at, known["problem"])
