"""The pages that people see: the one list of them, and what all of them share."""

from flask import Blueprint, Flask, Response, current_app, g, make_response, request
from flask_compress import Compress
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as BaseResponse

from app.deadline import within
from app.settings import ROOT
from routes.pages import (
    alerts,
    callback,
    campaign_making,
    campaigns,
    deliveries,
    docs,
    doors,
    errors,
    invocation,
    keys,
    live,
    login,
    messages,
    money,
    people,
    reactions,
    replay,
    sessions,
    setup,
    showing,
    webhooks,
)

csrf, compress = CSRFProtect(), Compress()
STATIC = "pages.static"
# Scripts, styles and pictures of our own, nothing inline, nobody else's, and nobody's frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Enough for the check of our own forms, and nothing for others.
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
YEAR_S = 31_536_000
# What a page may wait for the database.
PATIENCE_S = 8.0


def init_app(app: Flask) -> None:
    """Register every page, in alphabetical order, behind one door."""
    app.config.update(
        SESSION_COOKIE_NAME="pokea",
        SESSION_COOKIE_SAMESITE="Strict",
        # Only pages have forms, and they look themselves: below.
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        COMPRESS_REGISTER=False,
        COMPRESS_ALGORITHM=["gzip"],
        # A third of the usual 6's time, and a twentieth more bytes.
        COMPRESS_LEVEL=3,
    )
    csrf.init_app(app)
    compress.init_app(app)
    showing.init_app(app)
    app.register_blueprint(_pages())
    app.before_request(_missed)


def _pages() -> Blueprint:
    bp = Blueprint("pages", __name__, static_folder=str(ROOT / "static"), static_url_path="/static")
    bp.register_blueprint(alerts.bp)
    bp.register_blueprint(callback.bp, url_prefix="/dashboard/callbacks")
    bp.register_blueprint(campaign_making.bp)
    bp.register_blueprint(campaigns.bp)
    bp.register_blueprint(deliveries.bp)
    bp.register_blueprint(docs.bp)
    bp.register_blueprint(invocation.bp, url_prefix="/dashboard/invocations")
    bp.register_blueprint(keys.bp)
    bp.register_blueprint(live.bp)
    bp.register_blueprint(login.bp)
    bp.register_blueprint(messages.bp)
    bp.register_blueprint(money.bp)
    bp.register_blueprint(people.bp)
    bp.register_blueprint(reactions.bp)
    bp.register_blueprint(replay.bp, url_prefix="/dashboard/callbacks")
    bp.register_blueprint(sessions.bp)
    bp.register_blueprint(setup.bp)
    bp.register_blueprint(webhooks.bp)
    bp.before_request(_enter)
    bp.after_request(_dress)
    bp.teardown_request(_leave)
    errors.init_pages(bp)
    bp.add_url_rule("/dashboard/<path:rest>", "missing", showing.missing)
    return bp


def _missed() -> Response | None:
    """Answer as a page does where an address of pages was asked for in a way that it does not have."""
    error = request.routing_exception
    if not isinstance(error, MethodNotAllowed) or not any(_is_page(method) for method in error.valid_methods or ()):
        return None
    response = make_response(errors.page(405, f"{request.method} is not for {request.path}."), 405)
    response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return _dress(response)


def _is_page(method: str) -> bool:
    endpoint, _ = current_app.create_url_adapter(request).match(method=method)  # type: ignore[union-attr]
    return str(endpoint).startswith("pages.")


def _enter() -> BaseResponse | None:
    """Let in who may see pages, and only forms of our own."""
    if request.endpoint == STATIC:
        return None
    if request.method in ("GET", "HEAD"):
        # A server that is frozen must not take a thread from callbacks for each page that is open.
        g.patience = within(PATIENCE_S)
        g.patience.__enter__()
    if (refusal := doors.guard()) is not None:
        return refusal
    if request.method not in ("GET", "HEAD"):
        if (most := errors.LARGER.get(request.endpoint or "")) is not None:
            request.max_content_length = request.max_form_memory_size = most
        csrf.protect()
    return None


def _leave(_error: BaseException | None) -> None:
    if (patience := g.pop("patience", None)) is not None:
        patience.__exit__(None, None, None)


def _dress(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint == STATIC:
        # Another release may be asked for a name that it does not have yet.
        is_named = response.status_code < 400 and showing.is_version((request.view_args or {}).get("filename"), request.args.get("v"))
        response.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable" if is_named else "no-cache"
        # Whole: what is streamed is not compressed.
        response.direct_passthrough = False
        response.make_sequence()
    else:
        response.headers["Cache-Control"] = "no-store"
        response.vary.add("HX-Request")
    # A secret beside what others wrote may be told from the length of a compressed page; their requests carry no cookie of ours.
    return compress.after_request(response)
