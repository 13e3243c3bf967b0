"""Waits for the answer to a SIM swap check: a callback brings it, seconds after the check was ordered."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from time import monotonic, sleep

from sqlalchemy import select

from app.extensions import db
from app.models import SimSwap

LOOK_EVERY_S = 0.25
# Less than a reaction's lease
MOST_WAIT_S = 60.0


@dataclass(frozen=True)
class SwapAnswer:
    """When a SIM card was swapped, as far as it is known."""

    # swapped, not_swapped, failed, pending (no answer in time), or unknown (the check itself is)
    state: str
    # None where the operator knows of no swap
    swapped_on: date | None = None
    # Not swapped of late. Whatever is not known is not safe.
    is_safe: bool = False


def wait_for(request_id: str, timeout_s: float, since_days: int) -> SwapAnswer:
    """Return the answer to a check, as soon as it is there; `pending` after the time, which is 60 s at most.

    request_id: Africa's Talking's. since_days: a swap within so many days is of late.
    """
    from services import due  # which plans reactions, and so needs what they are made of

    ends = monotonic() + min(timeout_s, MOST_WAIT_S)
    while True:
        due.catch_up(reference=request_id)
        answer = _known(request_id, since_days, datetime.now(UTC).date())
        if answer.state != "pending" or monotonic() >= ends:
            return answer
        sleep(max(0.0, min(LOOK_EVERY_S, ends - monotonic())))


def _known(request_id: str, since_days: int, today: date) -> SwapAnswer:
    query = select(SimSwap.state, SimSwap.swapped_on).where(SimSwap.provider_id == request_id)
    with db.engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    return SwapAnswer("pending") if row is None else judged(row.state, row.swapped_on, since_days, today)


def judged(state: str, swapped_on: date | None, since_days: int, today: date) -> SwapAnswer:
    """Return an answer with whether it is safe to go on. today: UTC."""
    if state not in ("swapped", "not_swapped"):
        return SwapAnswer(state)
    is_long_ago = swapped_on is not None and (today - swapped_on).days > since_days
    return SwapAnswer(state, swapped_on, is_long_ago if swapped_on else state == "not_swapped")
