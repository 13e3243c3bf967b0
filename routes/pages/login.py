"""The way in from elsewhere: a password, or a code that is good once."""

import hmac
from datetime import UTC, datetime

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from limits import RateLimitItemPerMinute
from werkzeug.wrappers import Response

from app.schemas.bodies import clean
from app.settings import Settings
from routes.limits import WRONG_SECRETS, count, insist_on_less
from routes.logins import log_in, log_out
from routes.pages.doors import is_in, page_wanted
from services import login_links

bp = Blueprint("login", __name__)
# From all addresses together: a password is not guessed by many either.
WRONG_FROM_ALL = RateLimitItemPerMinute(100)
WRONG = "That is neither the password nor a code that still works."


@bp.get("/login")
def form() -> str | Response:
    """A person would like to come in."""
    return redirect(page_wanted(request.args.get("next", "")), 303) if is_in() else _form()


@bp.post("/login")
def enter() -> str | Response | tuple[str, int]:
    """A person shows the password, or a code."""
    shown = request.form.get("secret", "").strip()
    # Nobody guesses a code, so nobody's guesses keep its owner out.
    if not (shown and login_links.use(shown, datetime.now(UTC))) and not _is_password(shown):
        count(WRONG_SECRETS, "login")
        count(WRONG_FROM_ALL, "login", of_all=True)
        return _form(WRONG), 403
    log_in()
    return redirect(page_wanted(request.form.get("next", "")), 303)


@bp.post("/logout")
def leave() -> Response:
    """A person is done here."""
    log_out()
    return redirect(url_for("pages.login.form"), 303)


def _form(problem: str | None = None) -> str:
    settings: Settings = current_app.config["POKEA"]
    return render_template(
        "login.html", problem=problem, code=clean(request.args.get("code", "")), next=clean(request.values.get("next", "")),
        has_password=bool(settings.dashboard_password),
    )  # fmt: skip


def _is_password(shown: str) -> bool:
    """Whether this is the password. Raises TooManyRequests where others were tried too often: then the right one does not count either."""
    settings: Settings = current_app.config["POKEA"]
    insist_on_less(WRONG_SECRETS, "login")
    insist_on_less(WRONG_FROM_ALL, "login", of_all=True)
    return bool(shown) and hmac.compare_digest(shown.encode("utf-8", "replace"), settings.dashboard_password.encode())
