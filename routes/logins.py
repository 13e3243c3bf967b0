"""Who logged in to the pages: by a signed cookie, until it is ended, half a day is over, or the password or the mode changes."""

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from time import time

from flask import current_app, session

from app.settings import Settings
from services.ended_logins import end_login, has_ended

LOGIN_FOR_S = 12 * 3600
NO_PASSWORD = (
    "The dashboard of a LIVE account needs a password, and none is set. Set DASHBOARD_PASSWORD (openssl rand -hex 16) and start again."
)


def is_logged_in() -> bool:
    """Whether this browser logged in, not too long ago, and with what still holds."""
    login = session.get("login") if session is not None and not has_no_way_in() else None
    if not isinstance(login, dict) or not isinstance(login.get("until"), int) or login["until"] < time():
        return False
    return hmac.compare_digest(str(login.get("by")), _ticket()) and not has_ended(str(login.get("id")))


def has_no_way_in() -> bool:
    """Whether nobody may log in at all: live, and no password is set."""
    settings: Settings = current_app.config["POKEA"]
    return settings.is_live and not settings.dashboard_password


def log_in() -> None:
    """Remember this browser."""
    session.clear()
    session["login"] = {"id": token_urlsafe(12), "by": _ticket(), "until": int(time()) + LOGIN_FOR_S}


def log_out() -> None:
    """Forget this browser, and any copy of its cookie."""
    login = session.get("login")
    if isinstance(login, dict) and is_logged_in():
        end_login(str(login["id"]), datetime.now(UTC), timedelta(seconds=LOGIN_FOR_S))
    session.clear()


def _ticket() -> str:
    settings: Settings = current_app.config["POKEA"]
    said = f"login:{settings.at_mode}:{settings.dashboard_password}"
    return hmac.new(settings.secret_key.encode(), said.encode(), sha256).hexdigest()[:32]
