"""One message as people read it: how far it came, in words, and why no further. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.statuses import ACCEPTED, REFUSED, UNKNOWN, is_failure, meaning_of

# How far a message came with each word of Africa's Talking; another word is told as it is.
_WAY = {
    "Queued": ("queued",),
    "Sent": ("queued", "sent"),
    "Submitted": ("queued", "sent"),
    "Buffered": ("queued", "sent", "waiting for the phone"),
    "Success": ("queued", "sent", "delivered"),
    "Delivered": ("queued", "sent", "delivered"),
    "Failed": ("queued", "sent", "failed"),
    "Rejected": ("queued", "rejected"),
    "Expired": ("queued", "sent", "expired"),
    "AbsentSubscriber": ("queued", "sent", "phone not reached"),
    "received": ("received",),
}
_DELIVERED = ("Success", "Delivered", "received")
# What is told of a number that an order named and that got no message, as far as anybody knows
_TRIED = {
    "pending": ("under way", "calm"),
    ACCEPTED: ("accepted", "calm"),
    REFUSED: ("refused", "bad"),
    UNKNOWN: ("may have been sent", "bad"),
    "skipped": ("blocked, not sent", "warn"),
}


@dataclass(frozen=True)
class Entry:
    """One message, or a try to send one. id: of the message, or of the order and the number's place in it, `inv_….0`."""

    id: str
    at: datetime
    phone: str | None
    # Our own end: sender name, short code or number
    own: str | None
    text: str | None
    is_ours: bool
    # How far it came, one word after the other, and what that means: good, bad, warn or calm
    steps: tuple[str, ...]
    tone: str
    # Africa's Talking's word
    status: str | None = None
    # Why it came no further, with the code, and what to do
    why: str = ""
    advice: str = ""
    cost: Decimal | None = None
    currency: str | None = None
    retries: int | None = None
    # All ends that reports told of, where they are several
    conflicts: tuple[str, ...] = ()
    link_id: str | None = None
    is_premium: bool = False
    provider_id: str | None = None
    invocation_id: str | None = None
    # The last callback that told of it
    callback_id: str | None = None
    told_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody knows yet if it was sent."""
        return self.steps in (("under way",), ("may have been sent",))


def entry_of_message(row: Any) -> Entry:
    """Return a message of the ledger. row: with its columns."""
    is_ours, has_failed = row.direction == "out", is_failure("delivery", row.state)
    why, advice = _why(row.state, row.reason) if has_failed or row.reason else ("", "")
    return Entry(
        row.id, row.created_at, row.phone, row.own, row.text, is_ours, _WAY.get(row.state, ("queued", row.state)),
        "bad" if has_failed else "good" if row.state in _DELIVERED else "calm",
        row.state if is_ours else None, why, advice, row.cost, row.currency, row.retry_count, tuple(row.conflicts or ()), row.link_id,
        bool(row.link_id), row.provider_id, row.invocation_id,
    )  # fmt: skip


def entry_of_try(row: Any, order: Any) -> Entry:
    """Return what became of a number that an order named and the ledger lacks. row, order: with a recipient's and its order's columns."""
    word, tone = _TRIED[row.state]
    is_told = row.status and row.state != "skipped"
    why = f"{row.reason or ''} ({row.status})" if is_told else row.reason if row.state == "skipped" else order.problem or row.reason
    return Entry(
        f"{order.id}.{row.position}", order.called_at, row.phone, order.ordered.get("sender") or order.ordered.get("sender_id"),
        order.ordered.get("message"), True, (word,), tone, None, (why or "").strip(), "" if row.state == "skipped" else row.advice or "",
        row.cost, row.cost_currency, link_id=order.ordered.get("link_id"), is_premium=order.kind == "sms.premium", invocation_id=order.id,
    )  # fmt: skip


def _why(state: str, reason: str | None) -> tuple[str, str]:
    """Return why a message came no further, in words with the code, and what to do."""
    general = meaning_of("delivery", state)
    exact = (meaning_of("failure", reason) or meaning_of("sms", reason)) if reason else None
    meaning = exact or general
    words, advice = (meaning.reason, meaning.advice) if meaning else ("", "")
    if reason and not exact:
        advice = "Ask Africa's Talking what this reason means."
    return f"{words} ({reason or state})".strip(), advice
