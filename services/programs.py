"""Posts a callback on, in Africa's Talking's own form, to a developer's program, and reads what it says."""

import threading
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from urllib.parse import urlencode, urlsplit

import requests

from app.schemas.answers import HOP_METADATA
from services.inbox import Received

MOST_BYTES = 16_384
_thread = threading.local()


@dataclass(frozen=True)
class Said:
    """What a program answered; status 0 when nothing came."""

    status: int = 0
    body: str = ""
    hop_metadata: str = ""


def ask(url: str, received: Received, seconds: float) -> Said:
    """Return what the program at `url` answers, cut at 16 kB.

    Raises requests' exceptions, also when it takes longer than `seconds` in all.
    """
    ends = monotonic() + seconds
    response = _session().post(
        url, data=_as_form(received), headers=_headers(received), timeout=(min(2.0, seconds), seconds), allow_redirects=False, stream=True
    )
    with response:
        body = b""
        for chunk in response.iter_content(1024):
            body += chunk
            if monotonic() > ends:
                raise requests.ReadTimeout("dripping")
            if len(body) > MOST_BYTES:
                break
        return Said(response.status_code, body[:MOST_BYTES].decode("utf-8", "replace"), response.headers.get(HOP_METADATA, "")[:99])


def without_secrets(url: str) -> str:
    """Return a program's address without what may be a secret in it: user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _as_form(received: Received) -> bytes:
    if received.content_type.startswith("application/x-www-form-urlencoded") and not received.query:
        return received.raw_body
    return urlencode({name: value for name, value in received.fields.items() if not isinstance(value, dict | list)}).encode()


def _headers(received: Received) -> dict[str, str]:
    passed = {name: value for name, value in received.headers.items() if name == HOP_METADATA}
    return {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "at-ussd-api/1.0 Pokea", **passed}


class _Session(requests.Session):
    """Looks at no redirect: requests would read all of its body, and stumble over a Location that is none."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return that there is none."""
        return None


def _session() -> requests.Session:
    # One per thread: its connections stay open between hops.
    if not hasattr(_thread, "session"):
        _thread.session = _Session()
        _thread.session.trust_env = False
        # One person's cookie must not travel with another's session.
        _thread.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return _thread.session
