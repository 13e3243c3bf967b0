"""Who may see pages: anybody who sits at this machine, unless it is live; else who logged in."""

from urllib.parse import urlsplit

from flask import current_app, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from app.errors import Forbidden
from app.settings import Settings
from routes.doors import is_at_this_machine
from routes.logins import NO_PASSWORD, has_no_way_in, is_logged_in

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_ENTRANCES = ("pages.login.form", "pages.login.enter")
_HOME = "/dashboard"


def guard() -> Response | None:
    """Return None for who may go on, else the way to the login. Raises Forbidden where there is no way in."""
    if is_in():
        return None
    if has_no_way_in():
        raise Forbidden(NO_PASSWORD)
    if _may_have_logged_in():
        return Response(render_template("again.html"), headers={"Refresh": "0"})
    if request.endpoint in _ENTRANCES:
        return None
    is_part = "HX-Request" in request.headers
    wanted = request.full_path.rstrip("?") if request.method == "GET" and not is_part else _HOME
    login = url_for("pages.login.form", next=wanted if wanted != _HOME else None)
    # A part of a page cannot hold a login: the whole page goes there.
    return Response("", 401, {"HX-Redirect": login}) if is_part else redirect(login, 303)


def is_in() -> bool:
    """Whether pages are shown to who asks: the door is open, or this browser logged in."""
    return is_open() or is_logged_in()


def is_open() -> bool:
    """Whether no login is asked for: not live, and a browser on this machine that was not led here under another name."""
    settings: Settings = current_app.config["POKEA"]
    return not settings.is_live and is_at_this_machine(request) and _host() in _LOCAL_HOSTS


def page_wanted(path: str) -> str:
    """Return a path within the dashboard, with its query, if it is one that a login may lead to, else the first page.

    Nowhere else, and not to what sends: whoever made the link chose where it leads.
    """
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return _HOME
    try:
        endpoint, _ = current_app.create_url_adapter(request).match(path.partition("?")[0], "GET")  # type: ignore[union-attr]
    except (HTTPException, RequestRedirect):
        return _HOME
    return path if endpoint.startswith("pages.") and endpoint not in _ENTRANCES else _HOME


def _may_have_logged_in() -> bool:
    """Whether a link elsewhere led here: a browser then holds back the cookie, which another answer of ours would replace.

    The same page, asked for by itself, comes with it.
    """
    is_led = request.headers.get("Sec-Fetch-Site") == "cross-site" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    return is_led and request.method == "GET" and current_app.config["SESSION_COOKIE_NAME"] not in request.cookies


def _host() -> str | None:
    try:
        return urlsplit(f"//{request.environ.get('HTTP_HOST', '')}").hostname
    except ValueError:
        return None
