"""Asks the application over HTTP, as Africa's Talking does: no redirects, a new connection each, one deadline for the whole answer."""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

MOST_BYTES = 512 * 1024
CONNECT_S = 5.0


@dataclass(frozen=True)
class Said:
    """What came back. status None: nothing whole did, and problem says why."""

    status: int | None
    body: bytes
    headers: dict[str, str]
    ms: int
    problem: str = ""

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced."""
        return self.body.decode("utf-8", "replace")


def post(url: str, body: bytes, headers: dict[str, str], within_s: float) -> Said:
    """Post, and return the answer, or why there is none within so many seconds."""
    began = time.monotonic()
    late = threading.Event()
    try:
        status, read, received = _exchange(url, body, headers, within_s, late)
    except (ConnectionRefusedError, socket.gaierror):
        return Said(None, b"", {}, _ms(began), "could not be reached: nothing listens there")
    except (OSError, HTTPException, ValueError) as error:
        is_late = late.is_set() or isinstance(error, TimeoutError)
        problem = f"did not answer within {within_s:g} s" if is_late else f"broke off: {type(error).__name__}"
        return Said(None, b"", {}, _ms(began), problem)
    if late.is_set():
        return Said(None, b"", {}, _ms(began), f"did not answer within {within_s:g} s")
    return Said(status, read, received, _ms(began))


def _exchange(url: str, body: bytes, headers: dict[str, str], within_s: float, late: threading.Event) -> tuple[int, bytes, dict[str, str]]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    line = kind(parts.hostname or "", parts.port, timeout=min(CONNECT_S, within_s))
    # However slowly the answer drips, this ends it.
    watch = threading.Timer(within_s, _cut, (line, late))
    watch.daemon = True
    watch.start()
    try:
        line.connect()
        line.sock.settimeout(within_s)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        line.request("POST", target, body, {**headers, "Connection": "close", "Accept": "*/*"})
        answer = line.getresponse()
        return answer.status, answer.read(MOST_BYTES), dict(answer.headers.items())
    finally:
        watch.cancel()
        line.close()


def _cut(line: HTTPConnection, late: threading.Event) -> None:
    late.set()
    if line.sock:
        with suppress(OSError):
            line.sock.shutdown(socket.SHUT_RDWR)


def _ms(began: float) -> int:
    return round(1000 * (time.monotonic() - began))
