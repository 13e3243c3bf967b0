"""Reads invocations back, and tells them: in answers, lists and exports alike."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flask import current_app
from sqlalchemy import Connection, select

from app import masking
from app.errors import GatewayError
from app.extensions import db, writing
from app.models import Callback, Invocation, Recipient
from app.models.invocation import OPEN
from services.invocations import recipients_of
from services.settling import age_all, aged, settle_by_callbacks, settle_by_hand, told_by_callbacks
from services.spending import counting


class UnknownInvocation(GatewayError):
    """No invocation has this id."""

    status = 404


# Unknown ones that a list looks for callbacks of; the others when they are asked for by id.
MOST_LOOKED_UP = 100
Found = tuple[Invocation, list[Recipient]]


def newest(
    limit: int, kind: str | None = None, state: str | None = None, phone: str | None = None, reference: str | None = None
) -> list[Found]:
    """Return the newest invocations that match, newest first, as far as they are known now."""
    bring_up_to_date()
    query = select(Invocation.__table__).order_by(Invocation.id.desc()).limit(limit)
    for column, wanted in ((Invocation.kind, kind), (Invocation.state, state), (Invocation.reference, reference)):
        if wanted:
            query = query.where(column == wanted)
    if phone:
        query = query.where(Invocation.id.in_(select(Recipient.invocation_id).where(Recipient.phone == phone)))
    with db.engine.connect() as connection:
        rows = [Invocation(**row._mapping) for row in connection.execute(query)]
        return [(row, recipients_of(connection, row.id)) for row in rows]


def one(invocation_id: str) -> Found:
    """Return one invocation as far as it is known now. Raises UnknownInvocation."""
    with db.engine.connect() as connection:
        row = connection.execute(select(Invocation.__table__).where(Invocation.id == invocation_id)).one_or_none()
        if row is not None and row.state not in OPEN:
            return Invocation(**row._mapping), recipients_of(connection, invocation_id)
    with writing() as connection:
        invocation = _current(connection, invocation_id)
        return invocation, recipients_of(connection, invocation_id)


def stands_under(key: str, kind: str) -> bool:
    """Whether an order of this kind has this key."""
    with db.engine.connect() as connection:
        return connection.scalar(select(Invocation.id).where(Invocation.kind == kind, Invocation.idempotency_key == key)) is not None


def settle(invocation_id: str, state: str, by: str, note: str) -> Found:
    """Settle an unknown invocation as a person says. Raises UnknownInvocation, and Conflict for one that is not unknown."""
    # Nobody sends it again meanwhile.
    with counting() as connection:
        invocation = settle_by_hand(connection, _current(connection, invocation_id), state, by, note, datetime.now(UTC))
        return invocation, recipients_of(connection, invocation_id)


def callbacks_about(invocation_id: str) -> list[dict[str, Any]]:
    """Return the callbacks that name an id of this invocation's recipients, oldest first: what became of it."""
    ids = select(Recipient.provider_id).where(Recipient.invocation_id == invocation_id, Recipient.provider_id.is_not(None))
    query = select(Callback.id, Callback.kind, Callback.received_at, Callback.fields).where(Callback.reference.in_(ids))
    with db.engine.connect() as connection:
        return [
            {"id": row.id, "kind": row.kind, "received_at": row.received_at.isoformat(), "status": row.fields.get("status")}
            for row in connection.execute(query.order_by(Callback.id))
        ]


def told(invocation: Invocation, recipients: Sequence[Recipient]) -> dict[str, Any]:
    """Return what an answer tells of an invocation."""
    return {
        "id": invocation.id,
        "state": invocation.state,
        "recipients": [_recipient(recipient) for recipient in recipients],
    }


def shown(invocation: Invocation, recipients: Sequence[Recipient], hide_numbers: bool) -> dict[str, Any]:
    """Return all that is kept of an invocation, for reading; numbers masked when asked."""
    whole = {
        **told(invocation, recipients),
        "kind": invocation.kind,
        "reference": invocation.reference,
        "idempotency_key": invocation.idempotency_key,
        "asked_by": invocation.asked_by,
        "asked_at": invocation.asked_at.isoformat(),
        "called_at": invocation.called_at.isoformat(),
        "attempts": invocation.attempts,
        "ms": invocation.ms,
        "ordered": invocation.ordered,
        "answer_status": invocation.answer_status,
        "answer": invocation.answer,
        "problem": invocation.problem,
        "advice": invocation.advice,
        "settled": invocation.settled,
        "settled_at": invocation.settled_at.isoformat() if invocation.settled_at else None,
    }
    return masking.everything(whole) if hide_numbers else whole


def _recipient(recipient: Recipient) -> dict[str, Any]:
    cost = f"{recipient.cost_currency} {recipient.cost:.4f}" if recipient.cost is not None else None
    return {
        "phone": recipient.phone,
        "state": recipient.state,
        "status": recipient.status,
        "reason": recipient.reason,
        "advice": recipient.advice,
        "cost": cost,
    }


def bring_up_to_date() -> None:
    """Age and settle what is open. Callbacks have to be kept meanwhile, so the search only reads."""
    settings, now = current_app.config["POKEA"], datetime.now(UTC)
    unknown = select(Invocation.__table__).where(Invocation.state == "unknown").order_by(Invocation.id.desc()).limit(MOST_LOOKED_UP)
    with db.engine.connect() as connection:
        is_any_pending = connection.scalar(select(Invocation.id).where(Invocation.state == "pending").limit(1))
        found = [row.id for row in connection.execute(unknown) if told_by_callbacks(connection, Invocation(**row._mapping))]
    if is_any_pending:
        with writing() as connection:
            age_all(connection, settings, now)
    for invocation_id in found:
        with writing() as connection:
            _current(connection, invocation_id)


def _current(connection: Connection, invocation_id: str) -> Invocation:
    row = connection.execute(select(Invocation.__table__).where(Invocation.id == invocation_id)).one_or_none()
    if row is None:
        raise UnknownInvocation(f"No invocation '{invocation_id}'. flask invocations list names the newest.")
    now = datetime.now(UTC)
    invocation = aged(connection, Invocation(**row._mapping), current_app.config["POKEA"], now)
    return settle_by_callbacks(connection, invocation, now)
