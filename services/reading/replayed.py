"""The callbacks of a session beside their newest replays: whether each was answered the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.models import Callback
from services import archive
from services.replays.replaying import difference_between


@dataclass(frozen=True)
class Replayed:
    """One step as it was, and again, None where it was not replayed. is_same: the answers are alike."""

    first: dict[str, Any]
    again: dict[str, Any] | None
    is_same: bool


def originals(steps: Sequence[Callback]) -> list[Callback]:
    """Return what came from outside, in order: replays with effects are steps too."""
    return [step for step in steps if step.replay_of is None]


def replayed_steps(connection: Connection, steps: Sequence[Callback], since: str, hides: bool) -> list[Replayed]:
    """Return each step with its newest replay, of those not older than the id `since`, as archive.shown tells them."""
    wanted = originals(steps)
    query = select(Callback.__table__).where(Callback.replay_of.in_([step.id for step in wanted]), Callback.id >= since)
    replays = {row.replay_of: Callback(**row._mapping) for row in connection.execute(query.order_by(Callback.id))}
    return [_beside(step, replays.get(step.id), hides) for step in wanted]


def _beside(first: Callback, again: Callback | None, hides: bool) -> Replayed:
    is_same = again is not None and not difference_between(first, again)
    return Replayed(archive.shown(first, hides), archive.shown(again, hides) if again else None, is_same)
