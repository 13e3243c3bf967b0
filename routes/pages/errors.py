"""What went wrong, as a page or the part of one that was asked for."""

from http import HTTPStatus

from flask import Blueprint, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import ClientDisconnected, HTTPException, NotFound, RequestEntityTooLarge

from app.errors import OUT_OF_REACH, GatewayError, logged_unexpected
from routes.campaigns_api import MOST_BYTES, TOO_LARGE
from routes.pages import doors, showing

# Bytes that forms may have which hold more than others: the check of a form reads all of it.
LARGER = {"pages.campaign_making.create": MOST_BYTES}
_TOO_OLD = "This form is too old, or did not come from a page of Pokea: nothing was done. Reload the page and try again."


def init_pages(bp: Blueprint) -> None:
    """Register the handlers that keep every error of a page one."""
    bp.register_error_handler(GatewayError, _refused)
    # Those of the application for single codes would come first.
    for error in (HTTPException, NotFound, RequestEntityTooLarge, ClientDisconnected):
        bp.register_error_handler(error, _http_error)
    for out_of_reach in OUT_OF_REACH:
        bp.register_error_handler(out_of_reach, _database_away)
    bp.register_error_handler(Exception, _unexpected)


def _refused(error: GatewayError) -> tuple[str, int, dict[str, str]]:
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    return page(error.status, error.message, error.fields), error.status, headers


def _http_error(error: HTTPException) -> tuple[str, int] | HTTPException:
    status = error.code or 500
    if status < 400:
        return error
    if isinstance(error, RequestEntityTooLarge):
        return page(413, TOO_LARGE if request.endpoint in LARGER else "What was sent is more than a form here takes: 64 KB."), 413
    return page(status, _TOO_OLD if isinstance(error, CSRFError) else error.description or error.name), status


def _database_away(error: Exception) -> tuple[str, int, dict[str, str]]:
    logged_unexpected(error)
    return page(503, "The database does not answer in time. Try again in a moment."), 503, {"Retry-After": "5"}


def _unexpected(error: Exception) -> tuple[str, int]:
    logged_unexpected(error)
    return page(500, "Something went wrong here, not in what you did. The log says what."), 500


def page(status: int, message: str, fields: dict[str, list[str]] | None = None) -> str:
    """Return what went wrong as a page, without what stands around it for who is not let in."""
    template = "error_part.html" if showing.is_part() else "error.html" if doors.is_in() else "error_door.html"
    return render_template(template, status=status, title=HTTPStatus(status).phrase, message=message, fields=fields)
