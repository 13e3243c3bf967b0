"""Our errors, each with its HTTP status, and how every error becomes JSON."""

import json
import logging
from typing import Any

from flask import Flask, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response

logger = logging.getLogger(__name__)
# What SQLAlchemy raises when the database is away, or too busy.
OUT_OF_REACH = (InterfaceError, OperationalError, PoolTimeout)


class GatewayError(Exception):
    """An error that a caller is told about, in a sentence that says what would be right."""

    status = 500

    def __init__(
        self, message: str, fields: dict[str, list[str]] | None = None, retry_after_s: int | None = None, more: dict[str, Any] | None = None
    ) -> None:
        """more: what the answer tells besides its sentence."""
        super().__init__(message)
        self.message = message
        self.fields = fields
        self.retry_after_s = retry_after_s
        self.more = more


class Invalid(GatewayError):
    """The request says something that cannot be meant."""

    status = 400


class Conflict(GatewayError):
    """The request does not go with what is there already."""

    status = 409


class NotReady(GatewayError):
    """A setting stands in the way: nothing was done."""

    status = 503


class Forbidden(GatewayError):
    """The caller may not do this."""

    status = 403


class TooManyRequests(GatewayError):
    """The caller is over a limit."""

    status = 429


class StorageUnavailable(GatewayError):
    """The database did not take it in time: nothing was kept, and asking again is right."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The database does not answer in time: nothing was kept. Try again.", retry_after_s=5)


class NotStorable(StorageUnavailable):
    """The database works, but does not take this; it is no reason to spare it other things."""


def first_line(error: BaseException) -> str:
    """Return what a database said, without the statement and its values: they hold the callback."""
    return (str(getattr(error, "orig", error)).splitlines() or [type(error).__name__])[0]


def error_response(
    status: int, message: str, fields: dict | None = None, retry_after_s: int | str | None = None, more: dict[str, Any] | None = None
) -> Response:
    """Return `{"error": …}`, with `"success": false` under /api/v1 and `fields` where some are wrong."""
    body: dict[str, object] = {"error": message, **(more or {})}
    if request.path == "/api/v1" or request.path.startswith("/api/v1/"):
        body["success"] = False
    if fields:
        body["fields"] = fields
    response = Response(json.dumps(body, ensure_ascii=False).encode(errors="replace"), status, mimetype="application/json")
    if retry_after_s:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def init_app(app: Flask) -> None:
    """Register the handlers that keep every error JSON."""
    app.register_error_handler(GatewayError, _gateway_error)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ClientDisconnected, _too_slow)
    for out_of_reach in OUT_OF_REACH:
        app.register_error_handler(out_of_reach, _database_away)
    app.register_error_handler(Exception, _unexpected)


def _gateway_error(error: GatewayError) -> Response:
    return error_response(error.status, error.message, error.fields, error.retry_after_s, error.more)


def _too_large(_error: RequestEntityTooLarge) -> Response:
    return error_response(413, "Body is larger than 64 KB.")


def _too_slow(_error: ClientDisconnected) -> Response:
    return error_response(408, "The body did not come in time.")


def _http_error(error: HTTPException) -> Response:
    return error_response(error.code or 500, error.description or error.name)


def logged_unexpected(error: Exception) -> None:
    """Log an error of ours, or of the database, that a caller is told of in general words."""
    if isinstance(error, OUT_OF_REACH):
        logger.error("the database did not answer at %s %s: %s", request.method, request.path, first_line(error))
    else:
        logger.error("unexpected error at %s %s", request.method, request.path, exc_info=error)


def _database_away(error: Exception) -> Response:
    logged_unexpected(error)
    return error_response(503, "The database does not answer in time. Try again.", retry_after_s=5)


def _unexpected(error: Exception) -> Response:
    logged_unexpected(error)
    return error_response(500, "Something went wrong here, not in your request. The log says what.")
