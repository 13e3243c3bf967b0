"""@invokes: the one way of an order from the request to its answer. The only place that reads an order's request."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, after_this_request, current_app, request
from werkzeug.exceptions import MethodNotAllowed

from app.errors import Invalid
from routes.doors import bearer_of, let_in
from routes.orders import read_order
from routes.telling import tell, tell_preview
from services.invocations import Order, Placed

METHODS = ("GET", "POST")
MOST_PARAMETERS = 100
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
Parameters = dict[str, Any]


def invokes(kind: str) -> Callable[[Callable[[Order], Placed]], Callable[[], Any]]:
    """Make a view that places an order into one that lets people in, reads the order and tells how it ended.

    kind: a name in INVOKES. What is refused on the way never reaches the view.
    """

    def decorate(view: Callable[[Order], Placed]) -> Callable[[], Any]:
        @wraps(view)
        def invoke() -> Any:
            after_this_request(_never_stored)
            if request.method not in METHODS:  # Flask runs a GET view on HEAD
                raise MethodNotAllowed(METHODS)
            pairs, body = _query(), _body()
            let_in(request, _tokens(pairs))
            asked_by = f"request from {request.remote_addr}"
            order, wants_preview = read_order(kind, _once(pairs, body, _key()), current_app.config["POKEA"], asked_by)
            if wants_preview:
                return _answer(200, tell_preview(order))
            placed = view(order)
            return _answer(*tell(placed, order), placed.retry_after)

        # For the documents: routes/operations.py
        invoke.order = kind  # type: ignore[attr-defined]
        return invoke

    return decorate


def _answer(status: int, body: dict[str, Any], retry_after: str | None = None) -> Response:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return Response(json.dumps(body, ensure_ascii=False), status, headers, mimetype="application/json")


def _query() -> list[tuple[str, str]]:
    return _pairs(request.environ.get("QUERY_STRING", ""))


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="replace")
    except ValueError as error:
        raise Invalid(f"More than {MOST_PARAMETERS} parameters.") from error


def _body() -> list[tuple[str, Any]]:
    if request.method != "POST":
        return []
    media = request.mimetype
    if media == "multipart/form-data":
        return list(request.form.items(multi=True))
    raw = request.get_data(cache=False)
    if not raw.strip():
        return []
    text = raw.decode("utf-8", "replace")
    if media.endswith("json") or text.lstrip().startswith("{"):
        return _from_json(text)
    if media in ("application/x-www-form-urlencoded", "", "text/plain"):
        return _pairs(text)
    raise Invalid(f"A body of type '{media}' is not read here: send a form or a JSON object.")


def _from_json(text: str) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []

    def keep_pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        # The outermost object is read last.
        pairs[:] = found
        return dict(found)

    try:
        # Numbers stay as they are written: 1e9 is no amount.
        value = json.loads(text, object_pairs_hook=keep_pairs, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Invalid("The body is neither a form nor JSON.") from error
    if not isinstance(value, dict):
        raise Invalid("The JSON body must be one object.")
    return [(name, entry) for name, entry in pairs if entry is not None]


def _tokens(pairs: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in pairs if name == "token"] + bearer_of(request)


def _key() -> list[tuple[str, str]]:
    """Return the key of the header that other services take it from."""
    return [("idempotencyKey", request.headers["Idempotency-Key"])] if "Idempotency-Key" in request.headers else []


def _once(*sources: list[tuple[str, Any]]) -> Parameters:
    """Return the parameters, of which each may be given once: which of two would be meant?"""
    pairs = [pair for source in sources for pair in source if pair[0] != "token"]
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Invalid(f"'{twice[:40]}' was given twice: nothing was sent. Give it once.")
    parameters = dict(pairs)
    if isinstance(parameters.get("phone"), list) and all(isinstance(one, str) for one in parameters["phone"]):
        parameters["phone"] = ",".join(parameters["phone"])
    # A needed parameter that is blank is as good as missing.
    return {name: value for name, value in parameters.items() if name != "phone" or not isinstance(value, str) or value.strip()}


def _never_stored(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response
