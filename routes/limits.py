"""How many requests an address may make in a minute. Money has caps in the ledger besides, because this counts per process."""

from time import time

from flask import current_app, request
from limits import RateLimitItemPerMinute

from app.errors import TooManyRequests

# Wrong tokens and signatures: more is guessing.
WRONG_SECRETS = RateLimitItemPerMinute(10)


def count(item: RateLimitItemPerMinute, bucket: str) -> None:
    """Count this request against a limit of its peer's address. Raises TooManyRequests."""
    if not current_app.config["POKEA"].ratelimit_enabled:
        return
    limits = current_app.extensions["pokea.limits"]
    key = (bucket, request.remote_addr or "")
    if not limits.hit(item, *key):
        wait_s = max(1, round(limits.get_window_stats(item, *key).reset_time - time()))
        raise TooManyRequests(f"Too many requests: {item.amount} per minute. Try again in {wait_s} s.", retry_after_s=wait_s)
