"""Messages, out and in: what reports and answers to orders say of each, and the events of its end."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from app.models import Callback, Invocation, Message, Recipient
from app.schemas.fields import Amount
from services.ledger import costs
from services.ledger.readings import amount_of, key_of, larger, named, phone_between, phone_of, text_of, whole
from services.ledger.rows import Row, changed, held, insert, new_id
from services.ledger.states import MESSAGES
from services.webhooks import events

# The answer to an order says no more than that it went on its way; of its words these say that it left.
_LEFT = ("sent", "success")
_DELIVERED = ("Success", "Delivered")
_FROM_SENT_ON = [word for step in MESSAGES.steps[1:] for word in step]


def _new(direction: str, state: str, since: datetime, now: datetime) -> Row:
    return {"id": new_id("msg", since), "direction": direction, "state": state, "created_at": since, "updated_at": now}


def report(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add a delivery report, and publish the end of the message if this is the first to tell of one.

    A report of a failure may come before that of the delivery: then both are published, message.delivered last. After a
    delivery nothing is published.
    """
    provider_id, word = key_of(data["id"]), named(data["status"])
    if provider_id is None or word is None:
        return
    row = held(connection, Message, {"provider_id": provider_id}, _new("out", "Queued", callback.received_at, now))
    if row["direction"] == "in":
        return
    phone = phone_of(data.get("phone_number"))
    values = MESSAGES.risen(row, word, named(data.get("failure_reason"))) | {
        "phone": row["phone"] if row["invocation_id"] else phone_between(row["phone"], phone),
        "network_code": larger(row["network_code"], named(data.get("network_code"))),
        "retry_count": larger(row["retry_count"], whole(data.get("retry_count"))),
        "created_at": min(row["created_at"], callback.received_at),
    }
    if values["reason"] and row["reason"]:
        values["reason"] = _last_reason(connection, provider_id, values["state"]) or values["reason"]
    told = changed(connection, Message, row, values, now)
    if _is_news(row["state"], told["state"]):
        _publish_end(connection, told, now)


def _is_news(before: str, state: str) -> bool:
    if not MESSAGES.is_end(before):
        return MESSAGES.is_end(state)
    return state in _DELIVERED and before not in _DELIVERED


def _last_reason(connection: Connection, provider_id: str, state: str) -> str | None:
    """Return the reason of several: that of the last try."""
    query = select(Callback.fields).where(
        Callback.reference == provider_id, Callback.kind == "sms.delivery_report", Callback.state != "refused", Callback.has_effects
    )
    found = [
        (str(fields.get("retryCount") or "").rjust(20), reason)
        for fields in connection.scalars(query)
        if MESSAGES.spelled(str(fields.get("status"))) == state and (reason := named(fields.get("failureReason")))
    ]
    return max(found)[1] if found else None


def _publish_end(connection: Connection, row: Row, now: datetime) -> None:
    name = "message.delivered" if row["state"] in _DELIVERED else "message.failed"
    data = {
        "messageId": row["provider_id"], "phoneNumber": row["phone"], "status": row["state"], "reason": row["reason"],
        "reference": row["reference"], "invocationId": row["invocation_id"], "cost": text_of(row["cost"], row["currency"]),
    }  # fmt: skip
    events.publish(connection, name, data, now, row["phone"], row["provider_id"])


def incoming(connection: Connection, callback: Callback, data: dict[str, Any], now: datetime) -> None:
    """Add a message that came in. One that differs from the first of its id only adds what that one left out."""
    provider_id = key_of(data["id"])
    if provider_id is None:
        return
    row = held(connection, Message, {"provider_id": provider_id}, _new("in", "received", callback.received_at, now))
    cost = amount_of(data.get("cost"))
    told = {
        "phone": phone_of(data["sender"]), "own": key_of(data["to"]), "text": data["text"], "link_id": named(data.get("link_id")),
        "network_code": named(data.get("network_code")),
    }  # fmt: skip
    is_first = callback.state == "accepted"
    values = {name: value for name, value in told.items() if value is not None and (is_first or row[name] is None)}
    if cost and (is_first or row["cost"] is None):
        values |= {"cost": cost.value, "currency": cost.currency}
    values |= {"direction": "in", "state": "received", "reason": None, "conflicts": None}
    values["created_at"] = min(row["created_at"], callback.received_at)
    row = changed(connection, Message, row, values, now)
    if row["cost"]:
        costs.put_one(connection, "sms", f"in:{provider_id}", row["created_at"], row["phone"], row["cost"], row["currency"])


def sent(connection: Connection, invocation: Invocation, recipients: Sequence[Recipient], now: datetime) -> None:
    """Add the messages of an order that were taken, all at once: there may be thousands."""
    rows = [_ordered(invocation, recipient, now) for recipient in recipients]
    statement = insert(connection, Message)
    new, known = statement.excluded, Message.__table__.c
    told = ("phone", "own", "text", "link_id", "cost", "currency", "invocation_id", "reference", "updated_at")
    # Reports that came before the answer say more than it. Spelled out: many rows at once take no list of values.
    is_behind = and_(new.state == "Sent", *(known.state != word for word in _FROM_SENT_ON))
    set_ = {name: new[name] for name in told} | {
        "state": case((is_behind, new.state), else_=known.state),
        "reason": case((is_behind, None), else_=known.reason),
        "created_at": func.least(known.created_at, new.created_at)
        if connection.dialect.name == "postgresql"
        else func.min(known.created_at, new.created_at),
    }
    connection.execute(statement.on_conflict_do_update(index_elements=["provider_id"], set_=set_), rows)
    paid = [recipient for recipient in recipients if recipient.cost]
    costs.put(connection, [_cost(invocation, recipient) for recipient in paid])


def _ordered(invocation: Invocation, recipient: Recipient, now: datetime) -> Row:
    ordered = invocation.ordered
    state = "Sent" if str(recipient.status).lower() in _LEFT else "Queued"
    return _new("out", state, invocation.called_at, now) | {
        "provider_id": recipient.provider_id, "phone": recipient.phone, "own": ordered.get("sender") or ordered.get("sender_id"),
        "text": ordered.get("message"), "link_id": ordered.get("link_id"), "cost": recipient.cost, "currency": recipient.cost_currency,
        "invocation_id": invocation.id, "reference": invocation.reference,
    }  # fmt: skip


def _cost(invocation: Invocation, recipient: Recipient) -> Row:
    cost = Amount(recipient.cost or Decimal(0), recipient.cost_currency)
    return costs.cost_row("sms", str(recipient.provider_id), invocation.called_at, recipient.phone, cost)
