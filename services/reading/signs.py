"""What one look at a row should tell: a mark, its word, and what is worth knowing besides. For callbacks and invocations alike."""

from typing import Any, NamedTuple

from app.schemas.callbacks import KINDS
from app.statuses import is_failure

# Africa's Talking gives up on an answer at about 10 s; who waits on the line does sooner.
SLOW_MS = 3000


class Sign(NamedTuple):
    """A mark and the word that says the same. tone: good, bad, warn or calm; colours follow it, and never stand alone."""

    mark: str
    word: str
    tone: str


SIGNS = {
    "ok": Sign("✓", "ok", "good"),
    "failure": Sign("!", "Africa's Talking reports a failure", "warn"),
    "slow": Sign("▲", "slow", "warn"),
    "refused": Sign("✗", "refused", "bad"),
    "dead": Sign("✗", "given up", "bad"),
    "differing": Sign("≠", "differs from an earlier one", "warn"),
    "unproven": Sign("≠", "source check warns", "warn"),
    "pending": Sign("…", "under way", "calm"),
    "unknown": Sign("?", "may have happened", "bad"),
    "replay": Sign("↻", "replay", "calm"),
    "repeats": Sign("=", "came again", "calm"),
    "pinned": Sign("★", "pinned", "calm"),
}
# A callback with one of these wants to be looked at, and so does an invocation whose end is not known.
LOOKS = ("refused", "dead", "differing", "unknown")


def sign_of_callback(row: Any) -> str:
    """Return the name of the sign of a callback: the worst thing about it. row: with the columns of a callback."""
    if row.state == "refused":
        return "refused"
    if row.last_error is not None and row.due_at is None:
        return "dead"
    if row.state == "differing":
        return "differing"
    if row.ms >= SLOW_MS:
        return "slow"
    ends_in = KINDS[row.kind].ends_in
    if ends_in and is_failure(ends_in[1], row.fields.get(ends_in[0])):
        return "failure"
    return "unproven" if row.checks and not all(row.checks.values()) else "ok"


def others_of_callback(row: Any) -> tuple[str, ...]:
    """Return the names of what else is to be said: that it is a replay, that it came again, that it is pinned."""
    said = (("replay", row.replay_of), ("repeats", row.repeats), ("pinned", row.pinned_at))
    return tuple(name for name, holds in said if holds)


def sign_of_invocation(state: str) -> str:
    """Return the name of the sign of an invocation. state: pending, accepted, refused or unknown."""
    return "ok" if state == "accepted" else state
