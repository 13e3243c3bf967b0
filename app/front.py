"""The outermost layer of the web process: one spelling of each path, and an id for each request."""

import re
from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import Any

# Where the id stands for who logs.
REQUEST_ID = "pokea.request_id"
# Longest silence of a caller in the middle of a body.
BODY_PAUSE_S = 5
_SAFE_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)


class Front:
    """WSGI middleware: `/a//b/` is `/a/b`, without a redirect; X-Request-ID comes in, or is made, and goes out."""

    def __init__(self, app: Callable) -> None:
        self.app = app

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if "//" in path or (path.endswith("/") and path != "/"):
            environ["PATH_INFO"] = "/" + "/".join(part for part in path.split("/") if part)
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if not _SAFE_ID.fullmatch(request_id):
            request_id = token_hex(8)
        environ[REQUEST_ID] = request_id

        if connection := environ.get("gunicorn.socket"):
            # A sender who stops in the middle of a body must not hold a thread.
            connection.settimeout(BODY_PAUSE_S)

        def start(status: str, headers: list, exc_info: Any = None) -> Callable:
            headers.append(("X-Request-ID", request_id))
            return start_response(status, headers, exc_info)

        return self.app(environ, start)
