"""Who may use the addresses that send and spend: a person who means it, and in live mode one who shows the token."""

import hmac
import logging
import re
from urllib.parse import urlsplit

from flask import Request, current_app
from limits import RateLimitItemPerMinute

from app.errors import Forbidden, Invalid
from app.settings import Settings
from routes.limits import WRONG_SECRETS, count
from routes.logins import is_logged_in

logger = logging.getLogger(__name__)
# A person, or a small script. Somebody at this very machine rehearses, and may be quicker.
PEOPLE = RateLimitItemPerMinute(30)
AT_THIS_MACHINE = RateLimitItemPerMinute(120)
LOOPBACK = ("127.0.0.1", "::1")
# Headers of a proxy or tunnel: who sends one is not sitting here, whatever the peer's address.
FORWARDING = (
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "Forwarded", "Via", "X-Real-Ip", "X-Client-Ip",
    "Cf-Connecting-Ip", "True-Client-Ip",
)  # fmt: skip
_AHEAD_OF_TIME = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
# Programs that open every address they see. (CUBOT is a phone.)
_ROBOTS = re.compile(
    r"(?<!cu)bot\b|bots?/|crawl|spider|slurp|preview|unfurl|facebookexternalhit|facebookcatalog|meta-external|whatsapp|"
    r"slack|telegram|discord|twitter|linkedin|pinterest|skypeuri|embedly|iframely|mastodon|mattermost|vkshare|viber|"
    r"quora link|outbrain|w3c_validator|google-read-aloud|google-pagerenderer|googleother|mediapartners|apis-google|"
    r"yahoo! |duckduck|chrome-lighthouse|perplexity|bytespider|archive\.org",
    re.IGNORECASE,
)
_HOW = "Paste the address into the browser's address bar, or use curl."
_NO_TOKEN_SET = (
    "invoke addresses spend real money in LIVE mode, so they need INVOKE_TOKEN. Set one (openssl rand -hex 24) and start again, "
    "then add ?token=… to the address. Sandbox and emulator do not need it."
)
_TOKEN_NEEDED = (
    "invoke addresses spend real money in LIVE mode, so they need ?token=… or a signed-in dashboard. Sandbox and emulator do not."
)


def let_in(request: Request, tokens: list[str]) -> None:
    """Let one request pass that asks to send or spend. tokens: those of its query and its Bearer header.

    Raises Forbidden, TooManyRequests, or Invalid for a token given twice.
    """
    settings: Settings = current_app.config["POKEA"]
    _refuse_machines(request)
    if settings.is_live and not (is_logged_in() and _is_meant(request)):
        _check_token(settings, tokens)
    is_here = not settings.is_live and is_at_this_machine(request)
    count(AT_THIS_MACHINE if is_here else PEOPLE, "invoke")


def bearer_of(request: Request) -> list[str]:
    """Return the secret of an `Authorization: Bearer …` header, if there is one."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return [secret] if scheme.lower() == "bearer" else []


def is_at_this_machine(request: Request) -> bool:
    """Whether a request comes from this machine itself, and not through a tunnel or proxy that ends here."""
    return request.environ.get("REMOTE_ADDR") in LOOPBACK and not any(name in request.headers for name in FORWARDING)


def _refuse_machines(request: Request) -> None:
    headers = request.headers
    if any(name in headers for name in _AHEAD_OF_TIME):
        raise Forbidden(f"This was asked for ahead of time, not by a person: nothing was sent. {_HOW}")
    if headers.get("Sec-Fetch-Dest", "empty").lower() not in ("document", "empty"):
        raise Forbidden(f"Another page tried to load this address as a part of itself: nothing was sent. {_HOW}")
    if headers.get("Sec-Fetch-Site", "").lower() == "cross-site" or _is_foreign(request):
        raise Forbidden(f"Another site led here: nothing was sent. {_HOW}")
    if _ROBOTS.search(headers.get("User-Agent", "")):
        raise Forbidden(f"Link previews and crawlers do not send: nothing was sent. {_HOW}")


def _is_foreign(request: Request) -> bool:
    """Whether a page of another host led here; older browsers tell it by Origin or Referer alone."""
    # Newer ones say it themselves, and know better than an address.
    origin = request.headers.get("Origin") or (None if "Sec-Fetch-Site" in request.headers else request.headers.get("Referer"))
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != request.host
    except ValueError:
        return True


def _is_meant(request: Request) -> bool:
    """Whether a person who logged in typed the address, or came from a page of ours.

    Links among what others wrote are followed without a Referer, and lead to nothing that spends.
    """
    site = request.headers.get("Sec-Fetch-Site", "none").lower()
    return site == "none" or (site == "same-origin" and "Referer" in request.headers)


def _check_token(settings: Settings, tokens: list[str]) -> None:
    if not settings.invoke_token:
        raise Forbidden(_NO_TOKEN_SET)
    if len(tokens) > 1:
        raise Invalid("'token' was given twice: nothing was sent. Give it once.")
    if not tokens or not hmac.compare_digest(tokens[0].encode("utf-8", "replace"), settings.invoke_token.encode()):
        if tokens:
            count(WRONG_SECRETS, "wrong token")
        logger.warning("an invoke that did not prove itself was refused")
        raise Forbidden(_TOKEN_NEEDED)
