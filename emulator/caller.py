"""Asks the application over HTTP, as Africa's Talking does: no redirects, a new connection each, one deadline for the whole answer."""

import time
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.util import Timeout

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


class Caller:
    """Posts to the application. Safe for many threads."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(num_pools=8, maxsize=256)

    def post(self, url: str, body: bytes, headers: dict[str, str], within_s: float) -> Said:
        """Post, and return the answer, or why there is none within so many seconds."""
        began = time.monotonic()
        try:
            status, read, received = self._exchange(url, body, headers, began, within_s)
        # Which is a time-out, too, to urllib3.
        except urllib3.exceptions.NewConnectionError:
            return Said(None, b"", {}, _ms(began), "could not be reached: nothing listens there")
        except (TimeoutError, urllib3.exceptions.TimeoutError):
            return Said(None, b"", {}, _ms(began), f"did not answer within {within_s:g} s")
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Said(None, b"", {}, _ms(began), f"broke off: {type(error).__name__}")
        return Said(status, read, received, _ms(began))

    def _exchange(self, url: str, body: bytes, headers: dict[str, str], began: float, within_s: float) -> tuple[int, bytes, dict[str, str]]:
        timeout = Timeout(connect=min(CONNECT_S, within_s), read=within_s)
        # A fresh connection: one that was kept may be closed by the other side in the moment of use.
        given = {**headers, "Connection": "close", "Accept": "*/*"}
        answer: Any = self._pool.request(
            "POST", url, body=body, headers=given, redirect=False, retries=False, timeout=timeout, preload_content=False
        )
        try:
            read = b""
            while (part := answer.read1(65536)) and len(read) < MOST_BYTES:
                read += part
                if time.monotonic() - began > within_s:
                    raise TimeoutError
        finally:
            answer.close()
        return answer.status, read, dict(answer.headers.items())


def _ms(began: float) -> int:
    return round(1000 * (time.monotonic() - began))
