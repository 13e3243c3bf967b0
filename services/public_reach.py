"""Whether the public address leads to this app: asked from outside, so it may take seconds; what was found is remembered for pages."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import requests

from app.extensions import db, writing
from app.settings import Settings
from services.tunnel import NGROK, public_address
from services.upkeep.marks import claim_mark, read_mark, write_mark

MARK = "public reach"
# Many open pages ask for it, and one of them looks.
EVERY = timedelta(seconds=5)
_TIMEOUT_S = 3


class Reach(NamedTuple):
    """What was found. source: who named the address. state: none, ours, other (another program answers) or silent."""

    url: str
    source: str
    state: str
    message: str


def reach(settings: Settings, instance: str, ngrok: str = NGROK) -> Reach:
    """Ask the public address who it is. instance: how this app's /healthz names itself."""
    public = public_address(settings, ngrok)
    if not public.url:
        return Reach("", "", "none", f"none. Start a tunnel: ngrok http {settings.port}, or set PUBLIC_URL")
    found = instance_at(public.url)
    if found == instance:
        return Reach(*public, "ours", f"{public.url} reaches this app")
    if not found:
        return Reach(*public, "silent", f"{public.url} does not answer. Is this app running, and the tunnel?")
    other = f"{public.url} answers, but not from this app. Is it pointing at another port? Expected: ngrok http {settings.port}"
    return Reach(*public, "other", other)


def instance_at(url: str) -> str:
    """Return how the Pokea at an address names itself, "something else" for another program, "" for none."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"ngrok-skip-browser-warning": "1"}
            answer = session.get(f"{url}/healthz", timeout=_TIMEOUT_S, allow_redirects=False, headers=headers)
        return str(answer.json()["instance"])
    except requests.JSONDecodeError:
        return "something else"
    except requests.RequestException:
        return ""
    except (KeyError, TypeError):
        return "something else"


def check(settings: Settings, instance: str, now: datetime, ngrok: str = NGROK) -> Reach:
    """Ask, and remember what was found."""
    found = reach(settings, instance, ngrok)
    with writing() as connection:
        write_mark(connection, MARK, {**found._asdict(), "at": now.isoformat()}, now)
    return found


def check_if_due(settings: Settings, instance: str, now: datetime) -> None:
    """Ask if nobody did so just before."""
    with writing() as connection:
        is_mine = claim_mark(connection, MARK, EVERY, now)
    if is_mine:
        check(settings, instance, now)


def last_check() -> tuple[Reach, datetime] | None:
    """Return what was found last, and when; None where nobody asked yet."""
    with db.engine.connect() as connection:
        known: dict[str, Any] | None = read_mark(connection, MARK)
    if known is None:
        return None
    at = datetime.fromisoformat(known["at"])
    return Reach(*(known[name] for name in Reach._fields)), at
