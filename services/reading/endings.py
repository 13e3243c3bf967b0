"""How sessions and calls ended, in words: one table for lists, transcripts and people. Pure."""

from typing import NamedTuple

from app.schemas.callbacks import CALL_STATUSES
from app.statuses import is_failure, meaning_of


class Ending(NamedTuple):
    """A word for people, its tone (good, bad, warn or calm), why, and what to do; "" where nothing is to be said."""

    word: str
    tone: str
    reason: str = ""
    advice: str = ""


_COMPLETED, _TIMED_OUT, _ERROR = "completed", "timed out", "error"
_USSD = {
    "success": Ending(_COMPLETED, "good"),
    "incomplete": Ending(_TIMED_OUT, "warn", "The person left, or the time was over, before the last screen.", "Drop-off tells where."),
    "failed": Ending(_ERROR, "bad", "The session broke.", "Look at its last step."),
}
# What lists are filtered by: the words of Africa's Talking, in small letters, that mean it
ENDED = {
    _COMPLETED: ("success", *(word for word, status in CALL_STATUSES.items() if status == "completed" and word != "success")),
    _TIMED_OUT: ("incomplete",),
    _ERROR: tuple(word for word, status in CALL_STATUSES.items() if status != "completed"),
}


def ending_of(product: str, state: str, status: str | None, reason: str | None) -> Ending:
    """Return how a session stands. product: ussd or voice; the others: as the ledger keeps them."""
    if state == "open":
        return Ending("open", "calm")
    return _of_ussd(status, reason) if product == "ussd" else _of_call(status, reason)


def _of_ussd(status: str | None, reason: str | None) -> Ending:
    known = _USSD.get((status or "").lower(), Ending(status or "ended", "calm"))
    return known._replace(reason=reason) if reason else known


def _of_call(status: str | None, cause: str | None) -> Ending:
    word = CALL_STATUSES.get((status or "").lower(), status or "ended").replace("_", " ")
    means = meaning_of("hangup", cause) if cause else None
    went_wrong = word not in (_COMPLETED, "ended") or bool(cause and is_failure("hangup", cause))
    tone = "warn" if went_wrong else "good"
    if means is None:
        return Ending(word, tone, cause or "")
    return Ending(word, tone, f"{means.reason} ({cause})", means.advice if went_wrong else "")
