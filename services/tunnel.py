"""Where the world reaches this app: PUBLIC_URL, or what a local ngrok says of itself."""

from typing import NamedTuple
from urllib.parse import quote, urlsplit

import requests

from app.settings import Settings

NGROK = "http://127.0.0.1:4040/api/tunnels"
_HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared with, not listened on


class Public(NamedTuple):
    """An address and who named it; "" where there is none."""

    url: str
    source: str


def public_address(settings: Settings, ngrok: str = NGROK) -> Public:
    """Return the public address of this app, from PUBLIC_URL or from ngrok's local API."""
    if settings.public_url:
        return Public(settings.public_url, "PUBLIC_URL")
    try:
        tunnels = _local_session().get(ngrok, timeout=0.5).json()["tunnels"]
        ours = [one["public_url"] for one in tunnels if str(one["config"]["addr"]).endswith(f":{settings.port}")]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return Public("", "")
    return Public(min(ours, key=lambda url: not url.startswith("https")).rstrip("/"), "ngrok") if ours else Public("", "")


def local_address(settings: Settings) -> str:
    """Return this app's address on this machine."""
    return f"http://127.0.0.1:{settings.port}"


def is_own(url: str, settings: Settings) -> bool:
    """Return whether an address is one of this app, as far as PORT and PUBLIC_URL tell."""
    try:
        host, port = urlsplit(url).hostname, urlsplit(url).port
    except ValueError:  # no address at all
        return False
    return (host in _HERE and port == settings.port) or (host is not None and host == urlsplit(settings.public_url).hostname)


def token_query(settings: Settings) -> str:
    """Return what every callback address ends with, so that callbacks are proven."""
    return f"?token={quote(settings.callback_token[0], safe='')}" if settings.callback_token else ""


def _local_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
