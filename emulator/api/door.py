"""What every request to Africa's Talking's API goes through: the key, the faults that are on, the log.

Texts of errors: 401 is recorded; the others are those of the server that Africa's Talking names in its answers (akka-http),
by inference.
"""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, g, request

from emulator.errors import Refused
from emulator.here import the_world
from emulator.reading import read_json
from emulator.world import World

UNAUTHENTICATED = "The supplied authentication is invalid"
CHALLENGE = 'Basic realm="api",charset=UTF-8'
WRONG_KEYS = ("wrong", "invalid")
TEXT, JSON = "text/plain; charset=UTF-8", "application/json"
# Source: answers of the token service as SDKs have them.
TOKEN_LASTS_S = 3600
# The SDKs' spelling and the documentation's.
KEY_HEADERS = ("Idempotency-Key", "Idempotence-Key")
# Who hangs is let go after so long.
MOST_HANG_S = 120.0
PAGE = "<html><head><title>Service</title></head><body><h1>We will be back</h1></body></html>"


def guard(bp: Blueprint) -> Blueprint:
    """Put the door before every address of a blueprint."""
    bp.before_request(_come_in)
    bp.after_request(_go_out)
    bp.register_error_handler(Refused, lambda refused: Response(refused.message, refused.status, content_type=TEXT))
    return bp


def _come_in() -> Response | None:
    world = the_world()
    g.is_api, g.began = True, time.monotonic()
    g.explanation = g.body = ""
    # Before it is read as a form, which leaves nothing of it.
    g.body = request.get_data(as_text=True) or request.query_string.decode("utf-8", "replace")
    key = request.headers.get("apiKey", "")
    if not _has_token(world) and (not key.strip() or key.lower().startswith(WRONG_KEYS)):
        g.explanation = "no header apiKey" if not key.strip() else "keys that begin with 'wrong' or 'invalid' are not accepted"
        return Response(UNAUTHENTICATED, 401, {"WWW-Authenticate": CHALLENGE}, content_type=TEXT)
    with world.lock:
        is_too_much = world.faults.take("too_many", request.path)
    if is_too_much:
        g.explanation = "429 on purpose: nothing was done"
        return Response("Too many requests", 429, {"Retry-After": "1"}, content_type=TEXT)
    return None


def _has_token(world: World) -> bool:
    """Whether a request brings a token that stands for a key, and still does."""
    made_at = world.state.tokens.get(request.headers.get("authToken", ""))
    return made_at is not None and world.now() - made_at < TOKEN_LASTS_S


def _go_out(answer: Response) -> Response:
    world = the_world()
    if "began" not in g:
        # It was refused before it came to this door.
        return answer
    _note(answer)
    if answer.status_code < 400:
        answer = _broken(world, answer)
    ms = round(1000 * (time.monotonic() - g.began))
    text = "" if answer.is_streamed else answer.get_data(as_text=True)
    world.log.add(
        world.now_iso(),
        "in",
        request.method,
        request.path,
        None if answer.is_streamed else answer.status_code,
        ms,
        g.body,
        text,
        g.explanation,
    )
    return answer


def _note(answer: Response) -> None:
    if answer.status_code in (400, 415) and not g.explanation:
        g.explanation = answer.get_data(as_text=True)


def _broken(world: World, answer: Response) -> Response:
    """Do to a good answer what the faults that are on ask for."""
    path = request.path
    with world.lock:
        take = world.faults.take
        slow_s, is_hanging, is_reset = take("slow", path), take("hang", path), take("reset", path)
        status, is_page, has_charset = take("server_error", path), take("html", path), take("charset", path)
    if slow_s:
        g.explanation = f"answered {slow_s:g} s late on purpose"
        time.sleep(min(float(slow_s), MOST_HANG_S))
    if is_hanging or is_reset:
        return _silent(is_hanging)
    if status:
        g.explanation = f"done, and answered with {status} on purpose"
        return Response("There was an internal server error.", status, content_type=TEXT)
    if is_page:
        g.explanation = "done, and answered with a page on purpose"
        return Response(PAGE, 200, content_type="text/html")
    if has_charset and answer.content_type == JSON:
        g.explanation = "with a charset in the content type, on purpose"
        answer.headers["Content-Type"] = "application/json; charset=utf-8"
    return answer


def _silent(is_hanging: bool) -> Response:
    """Answer nothing: wait until the caller gives up, or break the connection."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    g.explanation = f"done, and {'never answered' if is_hanging else 'the connection broken'} on purpose"

    def nothing() -> Iterator[bytes]:
        if is_hanging:
            connection.settimeout(MOST_HANG_S)
            with suppress(OSError):
                connection.recv(1)
        # Closed at once, with a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError
        yield b""

    return Response(nothing(), 499)


def given(*names: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the named fields of a request's form or JSON object. Raises Refused for a body that is none, or that lacks one."""
    fields = _body()
    for name in names:
        if fields.get(name) in (None, "", []):
            raise Refused(_missing(name))
    return {name: fields.get(name) for name in (*names, *optional)}


def _body() -> dict[str, Any]:
    # Africa's Talking's own Node package sends JSON that calls itself a form.
    if request.mimetype == JSON or request.get_data()[:1] == b"{":
        return _json_body()
    if request.mimetype not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise Refused("The request's Content-Type is not supported. Expected:\napplication/x-www-form-urlencoded or application/json", 415)
    return request.form.to_dict()


def _json_body() -> dict[str, Any]:
    try:
        fields = read_json(request.get_data())
    except ValueError as wrong:
        raise Refused(f"The request content was malformed: {wrong}") from wrong
    if not isinstance(fields, dict):
        raise Refused("The request content was malformed: a JSON object is needed")
    return fields


def _missing(name: str) -> str:
    return f"Object is missing required member '{name}'" if request.mimetype == JSON else f"Request is missing required form field '{name}'"


def idempotency_key() -> str:
    """Return the key that makes an order be done once, as the account's at this address; "" for none."""
    key = next((request.headers[name] for name in KEY_HEADERS if request.headers.get(name)), "")
    return f"{request.path} {_body().get('username', '')} {key}" if key else ""


def asked(*names: str, optional: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the named parameters of a query. Raises Refused for one that is missing."""
    for name in names:
        if not request.args.get(name):
            raise Refused(f"Request is missing required query parameter '{name}'")
    return {name: request.args.get(name, "") for name in (*names, *optional)}


def numbers_in(text: Any) -> list[str]:
    """Return the numbers of a comma list or a JSON list, as they were given."""
    items = text if isinstance(text, list) else str(text).split(",")
    return [str(item).strip() for item in items if str(item).strip()]
