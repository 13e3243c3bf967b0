"""When a delivery is tried again, and when it is over. Pure.

Source of the table, the statuses and their meaning: Standard Webhooks, specification 1.0.0.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random

# Seconds after the first try, the second, …; with it the life of one delivery is 75 h 35 min 5 s.
PAUSES_S = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
LIFE = timedelta(seconds=sum(PAUSES_S))
JITTER = 0.2
# A receiver that is slow, or says that it is too much, is left alone for a while.
LEAST_WHEN_BUSY_S = 60
# A receiver that fails is asked at least so often whether it is back.
PROBE_S = 300
MOST_OBEYED_S = 3600
# Nothing but failure for so long turns an endpoint off.
GIVEN_UP_AFTER = timedelta(hours=120)
GONE = 410
BUSY = (429, 502, 503, 504)


@dataclass(frozen=True)
class Tried:
    """One attempt. problem: None when it was delivered."""

    began: datetime
    ms: int
    status: int | None = None
    answer: str | None = None
    problem: str | None = None
    is_time_out: bool = False
    retry_after: str | None = None


def problem_of(status: int) -> str | None:
    """Return what is wrong with an answer's status, None for one that says that it was taken."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"Endpoint answered {status}. Redirects are not followed; enter the final address."
    if status == GONE:
        return "Endpoint answered 410: it wants no more, so it is turned off."
    return f"Endpoint answered {status}; 2xx is needed."


def pause(attempts: int, tried: Tried, random: Random) -> timedelta:
    """Return how long after a failed attempt the next is. attempts: how many there were, this one included."""
    base_s = float(PAUSES_S[min(attempts, len(PAUSES_S)) - 1])
    return _jittered(_bounded(base_s, tried), tried, random, JITTER)


def pause_of_endpoint(failures: int, tried: Tried, random: Random) -> timedelta:
    """Return how long a failing endpoint is left alone. failures: rounds that failed, this one included."""
    base_s = float(min(PAUSES_S[min(failures, len(PAUSES_S)) - 1], PROBE_S))
    wait_s = _bounded(base_s, tried)
    # Never later than promised: jitter only takes away from the longest.
    return _jittered(wait_s, tried, random, 0 if wait_s >= PROBE_S else JITTER)


def is_over(attempts: int, since: datetime, now: datetime) -> bool:
    """Whether a delivery that failed again has had its whole life: all its tries, and their time. since: when it began."""
    return attempts > len(PAUSES_S) and now - since >= LIFE


def _jittered(wait_s: float, tried: Tried, random: Random, more: float) -> timedelta:
    wait_s *= 1 + random.uniform(-JITTER, more)
    return timedelta(seconds=max(wait_s, LEAST_WHEN_BUSY_S) if _is_busy(tried) else wait_s)


def _is_busy(tried: Tried) -> bool:
    return tried.is_time_out or tried.status in BUSY


def _bounded(base_s: float, tried: Tried) -> float:
    if _is_busy(tried):
        base_s = max(base_s, LEAST_WHEN_BUSY_S)
    asked_s = _asked_s(tried)
    return base_s if asked_s is None else min(max(asked_s, base_s), max(2 * base_s, MOST_OBEYED_S))


def _asked_s(tried: Tried) -> float | None:
    text = (tried.retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return (parsedate_to_datetime(text) - tried.began).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
