"""The core: settings, database, shapes, errors. create_app puts the program together."""

import logging
import traceback
from typing import Any

from flask import Flask, Request, Response, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as BaseResponse

from app import errors, extensions
from app.config import CannotStart, load_settings, with_secret_key
from app.front import Front
from app.logs import configure_logging
from app.settings import ROOT, Settings

VERSION = "1.0.0"
MOST_BODY_BYTES = 64 * 1024
logger = logging.getLogger(__name__)


class PageSessions(SecureCookieSessionInterface):
    """Login sessions for pages; a callback has none, and does not pay for one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session of a page, or of an address that a person opens; None for what programs call."""
        is_for_programs = request.path.startswith("/api/") and "/invoke-" not in request.path
        return None if is_for_programs else super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:
        """Keep the cookie of an https page from going over plain http; the dashboard on this machine has no https."""
        return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application. Raises CannotStart, whose text is for a person, when the settings do not allow a start."""
    import routes
    from services.apps import Apps
    from services.budget import Budget
    from services.client import Client
    from services.desk import Desk
    from services.outage import Outage
    from services.proofs import Proofs

    settings = with_secret_key(settings or load_settings())
    app = Flask(
        "pokea",
        root_path=str(ROOT),
        instance_path=str(settings.instance_dir),
        template_folder=str(ROOT / "templates"),
        # Pages serve it, with their headers: routes/pages
        static_folder=None,
    )
    app.config.update(POKEA=settings, SECRET_KEY=settings.secret_key, MAX_CONTENT_LENGTH=MOST_BODY_BYTES, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    app.session_interface = PageSessions()
    configure_logging(settings)
    extensions.init_app(app, settings)
    outage = app.extensions["pokea.outage"] = Outage()
    app.extensions["pokea.apps"] = Apps(_flows(), settings, Budget(settings.app_budget_s), outage)
    app.extensions["pokea.desk"] = Desk(settings, Client(settings), outage)
    app.extensions["pokea.proofs"] = Proofs(settings)
    if settings.broker_url:
        from services.upkeep.broker import Broker

        app.extensions["pokea.broker"] = Broker(settings.broker_url)
    errors.init_app(app)
    routes.init_app(app)
    if settings.is_live:
        _insist_on_https(app)
    app.wsgi_app = Front(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _flows() -> Any:
    """Return the developer's table. Raises CannotStart when it cannot be read, or names a screen that is not there."""
    from services.ussd import Menu, missing_screens

    try:
        from flows import FLOWS
    except Exception as error:  # a developer's code may raise anything
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({where.filename} line {where.lineno})"
        raise CannotStart(f"Cannot start: flows/ cannot be read: {what}") from error
    for code, menu in FLOWS.menus.items():
        if isinstance(menu, Menu) and (missing := missing_screens(menu)):
            raise CannotStart(f"Cannot start: the menu for '{code}' leads to screens that it does not have: {', '.join(missing)}")
    return FLOWS


def _insist_on_https(app: Flask) -> None:
    @app.before_request
    def refuse_plain_http() -> BaseResponse | None:
        """Refuse what a trusted proxy marks as plain http; who speaks to this process directly is its own network."""
        if app.config["POKEA"].trusted_proxies and "X-Forwarded-Proto" in request.headers and not request.is_secure:
            return errors.error_response(403, "This address takes https only.")
        return None

    @app.after_request
    def remember_https(response: Response) -> Response:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response
