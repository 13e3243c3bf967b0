"""How many requests an address may make in a minute. Money has caps in the ledger besides, because this counts per process."""

from threading import Lock
from time import time

from flask import current_app, request
from limits import RateLimitItemPerMinute

from app.errors import TooManyRequests

# Wrong tokens and signatures: more is guessing.
WRONG_SECRETS = RateLimitItemPerMinute(10)
# Two at once may start the store's one timer twice, which is an error there (limits 5.8.0, seen).
_ONE_AT_A_TIME = Lock()


def count(item: RateLimitItemPerMinute, bucket: str, of_all: bool = False) -> None:
    """Count this request against a limit of its peer's address, or of all addresses together. Raises TooManyRequests."""
    _insist("hit", item, bucket, of_all)


def insist_on_less(item: RateLimitItemPerMinute, bucket: str, of_all: bool = False) -> None:
    """Raise TooManyRequests where a limit is reached already; counts nothing."""
    _insist("test", item, bucket, of_all)


def _insist(how: str, item: RateLimitItemPerMinute, bucket: str, of_all: bool) -> None:
    if not current_app.config["POKEA"].ratelimit_enabled:
        return
    limits = current_app.extensions["pokea.limits"]
    key = (bucket, "all" if of_all else request.remote_addr or "")
    with _ONE_AT_A_TIME:
        is_within = getattr(limits, how)(item, *key)
    if not is_within:
        wait_s = max(1, round(limits.get_window_stats(item, *key).reset_time - time()))
        raise TooManyRequests(f"Too many requests: {item.amount} per minute. Try again in {wait_s} s.", retry_after_s=wait_s)
