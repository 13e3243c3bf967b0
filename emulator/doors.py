"""Who may talk to the emulator: this machine's programs and pages. Other sites' pages and foreign names may not."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from emulator.errors import Refused

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Addresses that stand for all of this machine's
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


def init_app(app: Flask, host: str) -> None:
    """Put the door before every address. host: the address that the emulator listens on."""
    names = {*LOCAL_NAMES, host.lower()}
    # Told to listen on every address, it is meant to be reached by this machine's other ones: by number, not by name.
    takes_numbers = host in EVERYWHERE

    @app.before_request
    def refuse_strangers() -> None:
        """Refuse what a page elsewhere, or a name that leads here by a trick, could ask for."""
        name = _name_of(f"//{request.host}")
        if name not in names and not (takes_numbers and _is_number(name)):
            raise Refused(f"This emulator does not answer as '{name:.80}'. Use http://127.0.0.1, or start it with --host", 403)
        if request.method not in ("GET", "HEAD") and _is_foreign():
            raise Refused("Another site's page may not do this", 403)

    @app.after_request
    def harden(answer: Response) -> Response:
        """Let the pages load nothing from elsewhere, and be framed by nobody; leave Africa's Talking's answers as they are."""
        if g.get("is_api"):
            return answer
        answer.headers.setdefault("Content-Security-Policy", POLICY)
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("Referrer-Policy", "no-referrer")
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def _is_foreign() -> bool:
    origin = request.headers.get("Origin")
    is_elsewhere = origin is not None and origin.partition("//")[2] != request.host
    return is_elsewhere or request.headers.get("Sec-Fetch-Site") == "cross-site"


def _name_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_number(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False
