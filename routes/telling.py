"""How an order ended, told: the same to who asked over HTTP and to who asked in a terminal."""

from datetime import UTC, datetime
from typing import Any

from app.schemas.invokes import INVOKES
from app.settings import Settings
from services.invocations import Order, Placed
from services.past_invocations import told
from services.preview import preview


def tell(placed: Placed, order: Order) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and body of an order that was placed: 200, 202 where nobody knows, 502 and 503 where it was refused."""
    invocation, row = placed.invocation, INVOKES[placed.invocation.kind]
    body: dict[str, Any] = {"response": invocation.answer, "invocation": told(invocation, placed.recipients)}
    if placed.is_repeated:
        body |= {"repeated": True, "advice": _repeated(placed, order)}
    if not placed.is_kept:
        body |= {"kept": False, "advice": "The database did not take this outcome: the invocation will be shown as unknown."}
    if invocation.state == "refused":
        return 502 if invocation.was_reached else 503, {"error": invocation.problem, **body}
    if invocation.state == "unknown":
        return 202, {"message": _unknown(placed, row.thing), **body}
    return 200, {"message": _told_later(placed) or row.message.format(to=_to(placed)), **body}


def tell_preview(order: Order) -> dict[str, Any]:
    """Return what an order would be. Raises StorageUnavailable."""
    return {"message": "Preview: nothing was sent.", "preview": preview(order)}


def tell_real(order: Order, settings: Settings) -> str:
    """Return what a live order does, for the person who has to confirm it."""
    to = order.phones[0] if len(order.phones) == 1 else f"{len(order.phones)} numbers"
    what = INVOKES[order.kind].real + (f" of {order.amount} {order.currency}" if order.amount is not None else "")
    return f"LIVE account '{settings.at_username}': this sends {what} to {to}"


def _repeated(placed: Placed, order: Order) -> str:
    ago_s = round((datetime.now(UTC) - placed.invocation.called_at).total_seconds())
    if placed.invocation.state == "unknown":
        return f"Same order {ago_s} s ago: not sent twice, because nobody knows whether it was sent."
    how = "Take another idempotencyKey" if order.key else "Add again=1"
    return f"Same order {ago_s} s ago: not sent twice. {how} to send it anyway."


def _told_later(placed: Placed) -> str | None:
    """Return what a callback told of an order whose answer was lost: that it was taken says nothing of how it went."""
    if not placed.invocation.settled:
        return None
    statuses = ", ".join(sorted({recipient.status for recipient in placed.recipients if recipient.status}))
    return f"Africa's Talking took this order, as was learned later{f': {statuses}' if statuses else ''}."


def _unknown(placed: Placed, thing: str) -> str:
    invocation = placed.invocation
    return (
        f"{invocation.problem} The {thing} may have been sent: do not repeat it. "
        f"Its state is kept as 'unknown' ({invocation.id}); a callback, or flask invocations settle, ends it."
    )


def _to(placed: Placed) -> str:
    if len(placed.recipients) == 1:
        return placed.recipients[0].phone
    accepted = sum(recipient.state == "accepted" for recipient in placed.recipients)
    return f"{accepted} of {len(placed.recipients)} recipients"
