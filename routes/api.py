"""What the addresses of /api/v1 share: the key that opens them, their answers, and the pages of their lists."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from flask import Response, request

from app.errors import Forbidden, GatewayError, Invalid
from app.schemas.bodies import Unreadable, read_json
from routes.doors import bearer_of
from routes.limits import WRONG_SECRETS, count
from services.keys import find_key

MOST_ROWS = 500
USUAL_ROWS = 50
_NEEDS_KEY = "This needs an API key: add header 'Authorization: Bearer …' (make one with flask keys create)."


class Unauthorized(GatewayError):
    """No key was shown, or one that opens nothing."""

    status = 401


def needs(scope: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a view one that only a key with this scope opens. scope: one of services.keys.SCOPES."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def opened(*args: Any, **kwargs: Any) -> Any:
            insist_on_key(scope)
            return view(*args, **kwargs)

        # For the documents: routes/operations.py
        opened.scope = scope  # type: ignore[attr-defined]
        return opened

    return decorate


def insist_on_key(scope: str) -> None:
    """Raise Unauthorized without a key, Forbidden for one without the scope."""
    shown = bearer_of(request)
    key = find_key(shown[0]) if shown else None
    if key is None:
        if shown:
            count(WRONG_SECRETS, "wrong key")
        raise Unauthorized(_NEEDS_KEY)
    if scope not in key.scopes:
        raise Forbidden(f"This key may not do that: it lacks the scope '{scope}'. Make another with flask keys create --scope {scope}.")


def success(data: Any, status: int = 200, **more: Any) -> Response:
    """Return `{"success": true, "data": …}`."""
    return Response(json.dumps({"success": True, "data": data, **more}, ensure_ascii=False), status, mimetype="application/json")


def listed(rows: list[dict[str, Any]], cursor: str | None) -> Response:
    """Return one page of a list. cursor: `after` of the next page, None on the last."""
    return success(rows, next=cursor)


def page() -> tuple[str | None, int]:
    """Return `after` and `limit` of the query. Raises Invalid."""
    text = request.args.get("limit", str(USUAL_ROWS))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST_ROWS:
        raise Invalid(f"'limit' must be a whole number from 1 to {MOST_ROWS}")
    return request.args.get("after") or None, int(text)


def moment(name: str) -> datetime | None:
    """Return a time of the query, None where there is none: ISO 8601, or as `2h`, `3d` ago. Raises Invalid."""
    text = request.args.get(name)
    return read_moment(text, name) if text else None


def read_moment(text: str, name: str) -> datetime:
    """Return the time that a text stands for: ISO 8601 (without zone: UTC), or so long ago, as `90s`, `15m`, `2h`, `3d`. Raises Invalid."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    now = datetime.now(UTC)
    try:
        if text[-1:] in seconds and text[:-1].isascii() and text[:-1].isdigit():
            return datetime.fromtimestamp(now.timestamp() - int(text[:-1]) * seconds[text[-1]], UTC)
        # A plus that came as a space
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Invalid(f"'{name}' must be a time, as 2026-03-04T10:30:00Z, or 2h for two hours ago") from error


def body() -> dict[str, Any]:
    """Return the JSON object of the request, {} for none. Raises Invalid."""
    raw = request.get_data(cache=False)
    if not raw.strip():
        return {}
    try:
        value = read_json(raw.decode("utf-8", "replace"))
    except Unreadable as error:
        raise Invalid("The body must be one JSON object.") from error
    if not isinstance(value, dict):
        raise Invalid("The body must be one JSON object.")
    return value
