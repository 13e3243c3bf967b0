"""What an order's end means for the batch that it was, and for its campaign. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.errors import Conflict, GatewayError
from app.models import Recipient
from services.desk import Busy
from services.invocations import Placed

# Seconds after which is asked again for what is under way, or was not reached
SOON_S = 5
NOT_REACHED_S = 10
# Africa's Talking's "too many requests"
HOLD_S = 60
MOST_HOLD_S = 3600
# So often in a row a batch may find nobody at the other end while others get through
MOST_TRIES = 3
_NO_MONEY = re.compile(r"insufficient ?(balance|credit)", re.IGNORECASE)
Told = tuple[str, str, str | None]


@dataclass(frozen=True)
class Verdict:
    """What became of a batch. recipients: phone, state and reason of each; none of them while it has to wait."""

    recipients: tuple[Told, ...] = ()
    invocation_id: str | None = None
    # Seconds after which it is tried again; None where this is its end
    again_s: float | None = None
    # Seconds in which no other batch of the campaign goes either
    hold_s: float = 0
    # Why the campaign has to pause
    pause: str | None = None
    # Whether something was wrong with the line; None where that cannot be said
    is_fault: bool | None = None
    # Nothing left for Africa's Talking, so that it may be tried again after a pause
    was_not_sent: bool = False
    error: str | None = None


def of_order(placed: Placed) -> Verdict:
    """Return the verdict on an order that was put to Africa's Talking, now or before."""
    invocation, told = placed.invocation, tuple(_told(one) for one in placed.recipients)
    whole = Verdict(told, invocation.id, error=invocation.problem)
    if invocation.state != "refused":
        pause = invocation.state == "accepted" and _no_money(placed.recipients)
        return replace(whole, is_fault=invocation.state == "unknown", pause=pause or None)
    if not invocation.was_reached:
        # The pause that three faults make ends with another three.
        again_s = NOT_REACHED_S if invocation.attempts % MOST_TRIES else None
        return replace(whole, again_s=again_s, is_fault=True, was_not_sent=True)
    if invocation.answer_status == 429:
        hold_s = _hold_s(placed.retry_after)
        return replace(whole, again_s=hold_s, hold_s=hold_s, was_not_sent=True)
    no_money = all(_is_no_money(one) for one in placed.recipients if one.state == "refused")
    if invocation.answer_status in (401, 402) or no_money:
        return replace(whole, again_s=0, pause=invocation.problem, was_not_sent=True)
    return whole


def of_refusal(error: GatewayError, phones: Sequence[str]) -> Verdict:
    """Return the verdict on an order that was not placed."""
    if isinstance(error, Conflict) and error.more:
        return Verdict(tuple((phone, "skipped", "OptedOut") for phone in phones), error=error.message)
    if isinstance(error, Busy) or (isinstance(error, Conflict) and error.retry_after_s):
        return Verdict(again_s=SOON_S, error=error.message)
    return Verdict(again_s=0, pause=error.message, was_not_sent=True, error=error.message)


def of_cancelled(placed: Placed | None, phones: Sequence[str]) -> Verdict:
    """Return the verdict on a batch of a campaign that was cancelled. placed: its order, None where it never had one."""
    if placed is None or (placed.invocation.state == "refused" and not placed.invocation.was_reached):
        return Verdict(tuple((phone, "cancelled", None) for phone in phones))
    if placed.invocation.state == "pending":
        return Verdict(again_s=SOON_S)
    return Verdict(tuple(_told(one) for one in placed.recipients), placed.invocation.id, error=placed.invocation.problem)


def _told(recipient: Recipient) -> Told:
    reason = ": ".join(filter(None, (recipient.status, recipient.reason))) if recipient.state != "accepted" else None
    return recipient.phone, recipient.state, reason


def _is_no_money(recipient: Recipient) -> bool:
    return bool(_NO_MONEY.search(recipient.status or ""))


def _no_money(recipients: Sequence[Recipient]) -> str | None:
    return next((f"{one.reason} {one.advice}" for one in recipients if one.state == "refused" and _is_no_money(one)), None)


def _hold_s(retry_after: str | None) -> float:
    asked_for = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0
    return min(max(HOLD_S, asked_for), MOST_HOLD_S)
