"""The ledger of our calls to Africa's Talking: a row before each, how it ended, and never the same order twice."""

import json
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from ulid import ULID

from app.errors import Conflict, StorageUnavailable, first_line
from app.extensions import writing
from app.models import Invocation, Recipient
from app.models.invocation import OPEN
from app.schemas.invokes import INVOKES
from app.settings import Settings
from app.statuses import ACCEPTED
from services.ledger import fold_order
from services.opt_outs import opted_out
from services.outage import Outage
from services.outcome import Outcome, Result
from services.settling import aged, patience_s, settle_by_callbacks, settle_to_repeat
from services.slots import digest
from services.spend_switch import insist_on_leave
from services.spending import check_caps, counting, day_of

logger = logging.getLogger(__name__)
# Live, an identical order without a key is taken for a double click so long.
SAME_ORDER_S = 30
EVERYBODY_LEFT = "Everybody here opted out: nothing was sent. Add force=1 to send it anyway."
OPTED_OUT = Result("skipped", "OptedOut", "This person wants no more messages.", "Leave them in peace, or add force=1.")


@dataclass(frozen=True)
class Order:
    """What somebody wants done, once."""

    kind: str
    phones: list[str]
    # JSON values under the names of app/schemas/invokes.py; amounts are text
    details: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    reference: str | None = None
    # Meant, although it is like the one just before
    again: bool = False
    # For those who opted out, too
    force: bool = False
    asked_by: str = ""
    # Sent again because a person chose so, although nobody knows how this try of it ended
    after_attempt: int | None = None

    @property
    def amount(self) -> Decimal | None:
        """The money that it moves for each phone, in `currency`."""
        return Decimal(self.details["amount"]) if "amount" in self.details else None

    @property
    def currency(self) -> str | None:
        """ISO 4217."""
        return self.details.get("currency")

    def content(self) -> dict[str, Any]:
        """Return all that it says, as JSON: what makes two orders identical."""
        return {"phones": self.phones, **self.details, "force": self.force}

    def fingerprint(self) -> bytes:
        """Return the hash of what makes two orders identical."""
        content = {**self.content(), "reference": self.reference}
        if self.amount is not None:
            content["amount"] = str(self.amount.normalize())
        return digest(self.kind.encode(), json.dumps(content, sort_keys=True).encode())


@dataclass(frozen=True)
class Placed:
    """An order and what became of it."""

    invocation: Invocation
    recipients: list[Recipient]
    # This very order was placed before, and this is how that one ended
    is_repeated: bool = False
    retry_after: str | None = None
    # How it ended is in the ledger, too
    is_kept: bool = True


def opened(order: Order, settings: Settings, outage: Outage) -> Placed:
    """Commit the order as pending, or return the one that it repeats. Raises Conflict, NotReady, OverCap, Invalid, StorageUnavailable."""
    try:
        with outage.attempt(), counting() as connection:
            return _pending_or_known(connection, order, settings, datetime.now(UTC))
    except SQLAlchemyError as error:
        logger.error("%s not placed: %s", order.kind, first_line(error))
        raise StorageUnavailable from error


def _pending_or_known(connection: Connection, order: Order, settings: Settings, now: datetime) -> Placed:
    known = _same_order(connection, order, settings, now)
    if known is not None:
        known = settle_by_callbacks(connection, aged(connection, known, settings, now), now)
        if order.after_attempt is not None:
            known = settle_to_repeat(connection, known, order.after_attempt, order.asked_by, now)
        if known.fingerprint != order.fingerprint():
            raise Conflict(f"This idempotencyKey belongs to another order ({known.id}): nothing was sent. Take a new key.")
        if known.state == "pending":
            raise Conflict(
                f"This order is under way ({known.id}): nothing was sent twice. Ask again in 2 s; "
                f"if its process is gone, it is unknown {patience_s(settings):g} s after it began.",
                retry_after_s=2,
            )
        if known.state != "refused":
            return Placed(known, recipients_of(connection, known.id), is_repeated=True)
    insist_on_leave(connection)
    skipped = opted_out(connection, order.phones) if INVOKES[order.kind].is_message and not order.force else set()
    wanted = [phone for phone in order.phones if phone not in skipped]
    if not wanted:
        raise Conflict(
            EVERYBODY_LEFT,
            more={"recipients": [{"phone": phone, "state": "skipped", "status": "OptedOut"} for phone in order.phones]},
        )
    check_caps(connection, settings, now, wanted, order.amount, order.currency)
    return _begun(connection, order, known, skipped, now)


def _same_order(connection: Connection, order: Order, settings: Settings, now: datetime) -> Invocation | None:
    query = select(Invocation.__table__).where(Invocation.kind == order.kind)
    if order.key:
        return _first(connection, query.where(Invocation.idempotency_key == order.key))
    if not settings.is_live or order.again:
        return None
    since = Invocation.called_at > now - timedelta(seconds=SAME_ORDER_S)
    return _first(connection, query.where(Invocation.fingerprint == order.fingerprint(), since).order_by(Invocation.id.desc()).limit(1))


def _first(connection: Connection, query: Any) -> Invocation | None:
    row = connection.execute(query).one_or_none()
    return Invocation(**row._mapping) if row else None


def _begun(connection: Connection, order: Order, known: Invocation | None, skipped: set[str], now: datetime) -> Placed:
    values: dict[str, Any] = {
        "state": "pending", "called_at": now, "ms": None, "answer_status": None, "answer": None, "problem": None, "advice": None,
        "was_reached": None, "settled": None, "settled_at": None, "attempts": known.attempts + 1 if known else 1,
    }  # fmt: skip
    if known:
        values |= {name: getattr(known, name) for name in _LASTING}
        connection.execute(update(Invocation).where(Invocation.id == known.id).values(values))
        connection.execute(delete(Recipient).where(Recipient.invocation_id == known.id))
    else:
        values |= {
            "id": f"inv_{ULID()}", "kind": order.kind, "idempotency_key": order.key or uuid4().hex, "fingerprint": order.fingerprint(),
            "ordered": order.content(), "reference": order.reference, "asked_by": order.asked_by, "asked_at": now,
        }  # fmt: skip
        connection.execute(insert(Invocation), values)
    recipients = [_recipient(values["id"], position, phone, order, skipped, now) for position, phone in enumerate(order.phones)]
    connection.execute(insert(Recipient), recipients)
    return Placed(Invocation(**values), [Recipient(**recipient) for recipient in recipients])


_LASTING = ("id", "kind", "idempotency_key", "fingerprint", "ordered", "reference", "asked_by", "asked_at")


def _recipient(invocation_id: str, position: int, phone: str, order: Order, skipped: set[str], now: datetime) -> dict[str, Any]:
    result = OPTED_OUT if phone in skipped else Result("pending")
    return {
        "invocation_id": invocation_id, "position": position, "phone": phone, "state": result.state, "status": result.status,
        "reason": result.reason, "advice": result.advice, "cost": None, "cost_currency": None, "amount": order.amount,
        "currency": order.currency, "day": day_of(now), "provider_id": None, "validated_for": None,
    }  # fmt: skip


def closed(placed: Placed, outcome: Outcome, ms: int) -> Placed:
    """Commit how the call of a pending order ended, and return it so. ms: what the call took."""
    invocation = placed.invocation
    values = {
        "state": outcome.state, "ms": ms, "answer_status": outcome.answer_status, "answer": outcome.answer,
        "problem": outcome.problem, "advice": outcome.advice, "was_reached": outcome.was_reached,
    }  # fmt: skip
    for name, value in values.items():
        setattr(invocation, name, value)
    ended = [_ended(recipient, outcome.results[recipient.phone]) for recipient in placed.recipients if recipient.phone in outcome.results]
    try:
        with writing() as connection:
            # An answer is the truth even for one that was given up meanwhile, but not for a later try on the same row.
            still = (Invocation.attempts == invocation.attempts) & Invocation.state.in_(OPEN)
            is_kept = connection.execute(update(Invocation).where(Invocation.id == invocation.id, still).values(values)).rowcount == 1
            if is_kept:
                connection.execute(_END, ended)
                _add_to_ledger(connection, invocation, placed.recipients)
    except Exception as error:  # whatever it is: the call was made, and whoever asked is told how it ended
        # It stays pending, and becomes unknown by age.
        logger.error("%s %s is %s, but that was not kept: %s", invocation.kind, invocation.id, outcome.state, first_line(error))
        is_kept = False
    return replace(placed, retry_after=outcome.retry_after, is_kept=is_kept)


def _add_to_ledger(connection: Connection, invocation: Invocation, recipients: list[Recipient]) -> None:
    """Add what was taken to the ledger. Should that fail, how the order ended is kept all the same: it counts more."""
    if all(recipient.state != ACCEPTED for recipient in recipients):
        return
    for tries_left in (1, 0):
        try:
            with connection.begin_nested():
                fold_order(connection, invocation, recipients, datetime.now(UTC))
            return
        except Exception as error:  # whatever it is
            # Callbacks may be added at the same time, in another order: then one of both is stopped, and tries again.
            if not tries_left or not isinstance(error, OperationalError):
                logger.error("%s %s is not in the ledger: %s", invocation.kind, invocation.id, first_line(error))
                return


_ENDS = ("state", "status", "reason", "advice", "cost", "cost_currency", "provider_id")
_END = (
    update(Recipient)
    .where(Recipient.invocation_id == bindparam("whose"), Recipient.position == bindparam("which"))
    .values({name: bindparam(f"new_{name}") for name in _ENDS})
)


def _ended(recipient: Recipient, result: Result) -> dict[str, Any]:
    """Set what became of a recipient, and return it for _END."""
    cost, currency = result.cost or (None, None)
    changed = (result.state, result.status, result.reason, result.advice, cost, currency, result.provider_id)
    for name, value in zip(_ENDS, changed, strict=True):
        setattr(recipient, name, value)
    return {"whose": recipient.invocation_id, "which": recipient.position} | {
        f"new_{name}": value for name, value in zip(_ENDS, changed, strict=True)
    }


def recipients_of(connection: Connection, invocation_id: str) -> list[Recipient]:
    """Return the recipients of one invocation, in the order in which they were named."""
    query = select(Recipient.__table__).where(Recipient.invocation_id == invocation_id).order_by(Recipient.position)
    return [Recipient(**row._mapping) for row in connection.execute(query)]
