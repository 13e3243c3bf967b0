"""Which address each kind of callback has, read from the application itself, and what to say to who missed one."""

from dataclasses import dataclass
from difflib import get_close_matches

from flask import Flask, current_app, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Response

from app.errors import error_response
from app.schemas.callbacks import KINDS


@dataclass(frozen=True)
class Address:
    """One address that Africa's Talking posts to."""

    kind: str
    path: str
    is_other_spelling: bool


def callback_addresses(app: Flask) -> list[Address]:
    """Return every callback address, in the order of KINDS; of each kind the usual one first."""
    found = [(rule.rule, app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules()]
    by_kind: dict[str, list[str]] = {}
    for path, view in found:
        if kind := getattr(view, "kind", None):
            by_kind.setdefault(kind, []).append(path)
    for paths in by_kind.values():
        paths.sort(key=lambda path: path.startswith("/api/v1/"))
    return [Address(kind, path, place > 0) for kind in KINDS for place, path in enumerate(by_kind.get(kind, []))]


def path_of(app: Flask, kind: str) -> str:
    """Return the usual address of a kind. Raises StopIteration for a kind that no view receives."""
    return next(address.path for address in callback_addresses(app) if address.kind == kind)


def not_found(_error: NotFound) -> Response:
    """Name the address that is most like the one asked for."""
    paths = [rule.rule for rule in current_app.url_map.iter_rules() if "<" not in rule.rule]
    near = get_close_matches(request.path, paths, n=1, cutoff=0.3)
    hint = f" Did you mean {near[0]}?" if near else " GET / names every service."
    return error_response(404, f"There is nothing at {request.path[:200]}.{hint}")


def method_not_allowed(error: MethodNotAllowed) -> Response:
    """Say which method is right; to a person who opens a callback address, that it is alive."""
    allowed = sorted(set(error.valid_methods or ()) - ({"HEAD"} if "/invoke-" in request.path else set()))
    kind = next((address.kind for address in callback_addresses(current_app) if address.path == request.path), None)
    if kind:
        message = (
            f"This callback address works, but Africa's Talking calls it with POST and you used {request.method}. "
            f'Try: curl -X POST -d "…" {request.base_url}, or flask trigger {kind}'
        )
    else:
        message = f"{request.method} is not for {request.path}, which takes {', '.join(allowed)}."
    response = error_response(405, message)
    response.headers["Allow"] = ", ".join(allowed)
    return response
