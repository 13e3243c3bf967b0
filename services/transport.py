"""One HTTP exchange with a total deadline, over connections that are kept; knows whether anything was sent. Knows no product.

urllib3 itself rather than requests on top of it: the same connections at half the cost, and its classes can be told to
count every read against one deadline. Nothing is retried, no redirect is followed, no proxy is taken from the environment.
"""

import io
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPResponse
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import certifi
from urllib3 import PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, SSLError

from app.schemas.bodies import Unreadable, read_json

# For each of a host's addresses: they are tried in turn, within the deadline.
MOST_CONNECT_S = 3.05
# A connection that rested longer may be closed by the other side just as it is used again; then nobody knows what was read.
MOST_REST_S = 20.0
# As many as a web process has threads.
CONNECTIONS = 32
MOST_ANSWER_BYTES = 4 * 1024 * 1024


class NotReached(Exception):
    """Nothing was sent; the text says why."""


class NoAnswer(Exception):
    """It was sent, at least in part, and what came back is no answer; the text says what was seen."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. body: the JSON value where it is JSON, whatever its Content-Type says, else text."""

    status: int
    body: Any
    retry_after: str | None = None


@dataclass(frozen=True)
class Fetched:
    """An HTTP answer as it came. is_cut: there was more of the body."""

    status: int
    raw: bytes
    is_cut: bool
    retry_after: str | None
    content_type: str = ""


class PrivateAddress(Exception):
    """A name leads only to addresses that must not be reached."""


class _Exchange(threading.local):
    """What this thread's exchange has come to."""

    ends: float = 0.0
    has_sent: bool = False
    most_rest_s: float = MOST_REST_S
    connect_s: float = MOST_CONNECT_S
    may_reach: Callable[[str], bool] | None = None


_exchange = _Exchange()


def _left_s() -> float:
    left_s = _exchange.ends - monotonic()
    if left_s <= 0:
        raise TimeoutError("the deadline has passed")
    return left_s


def _look_up(host: str, port: int, found: SimpleQueue) -> None:
    try:
        found.put(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        found.put(error)


class _TimedReads(io.RawIOBase):
    """The socket as a file of which every read counts against the deadline, so that dripping does not prolong it."""

    def __init__(self, sock: Any, raw: io.RawIOBase) -> None:
        self._sock, self._raw = sock, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left_s())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReads(sock, self.fp.detach()))


class _Timed:
    """What both sorts of connection do more than urllib3's."""

    response_class = _TimedResponse
    sock: Any
    timeout: Any
    _dns_host: str
    _used_at = 0.0

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._used_at = monotonic()

    def _new_conn(self) -> socket.socket:
        """Connect to the first address that takes it, all of them within the deadline."""
        host: str = self._dns_host
        error: Exception = NewConnectionError(self, "its name has no address")  # type: ignore[arg-type]
        for address in self._addresses(host):
            self._dns_host, self.timeout = address, min(_exchange.connect_s, _left_s())
            try:
                return super()._new_conn()  # type: ignore[misc]
            except (NewConnectionError, ConnectTimeoutError) as failed:
                error = failed
            finally:
                self._dns_host = host
        raise error

    def _addresses(self, host: str) -> list[str]:
        # The system's own search for a name has no limit. Its thread keeps nobody: not this call, and not the end of the program.
        found: SimpleQueue[Any] = SimpleQueue()
        threading.Thread(target=_look_up, args=(host, self.port, found), daemon=True).start()  # type: ignore[attr-defined]
        try:
            addresses = found.get(timeout=_left_s())
        except Empty as failed:
            raise ConnectTimeoutError(self, "no address in time") from failed
        if isinstance(addresses, OSError | UnicodeError):
            raise NameResolutionError(host, self, addresses) from addresses  # type: ignore[arg-type]
        known = list(dict.fromkeys(str(one[4][0]) for one in addresses))
        allowed = known if _exchange.may_reach is None else [address for address in known if _exchange.may_reach(address)]
        if known and not allowed:
            raise PrivateAddress(f"that address is private ({known[0]})")
        return allowed

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None and monotonic() - self._used_at > _exchange.most_rest_s:
            self.close()  # type: ignore[attr-defined]
        self._used_at = monotonic()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(_left_s())
        _exchange.has_sent = True
        super().send(data)  # type: ignore[misc]


class _Plain(_Timed, HTTPConnection):  # type: ignore[misc]
    pass


class _Secured(_Timed, HTTPSConnection):  # type: ignore[misc]
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecuredPool(HTTPSConnectionPool):
    ConnectionCls = _Secured


class Transport:
    """The connections of one process."""

    def __init__(
        self,
        timeout_s: float,
        ca_file: str | None = None,
        most_rest_s: float = MOST_REST_S,
        most_bytes: int = MOST_ANSWER_BYTES,
        connect_s: float = MOST_CONNECT_S,
        may_reach: Callable[[str], bool] | None = None,
    ) -> None:
        """timeout_s: for one exchange in all. ca_file: authorities to trust besides the machine's and the usual ones.

        may_reach: asked about each address just before it is connected to; None: all may be.
        """
        self.timeout_s, self.most_rest_s, self.most_bytes = timeout_s, most_rest_s, most_bytes
        self.connect_s, self._may_reach = connect_s, may_reach
        self._ca_file = ca_file
        self._plain = _pools({"http": _PlainPool})

    @cached_property
    def _secured(self) -> PoolManager:
        """The connections with TLS, made when the first is needed: to read the authorities costs more than twenty exchanges."""
        context = ssl.create_default_context()
        for file in filter(None, (certifi.where(), self._ca_file)):
            context.load_verify_locations(file)
        # One context for all of them.
        return _pools({"https": _SecuredPool}, ssl_context=context)

    def exchange(self, method: str, url: str, headers: Mapping[str, str], data: Any = None, params: Any = None) -> Reply:
        """Make one request and return its answer, whatever its status. data: a dict (a form) or text; params: the query.

        Raises NotReached where nothing was sent, NoAnswer where it was and no whole answer came within the deadline.
        """
        headers = dict(headers)
        if isinstance(data, dict):
            data = urlencode(data)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if params:
            url = f"{url}?{urlencode(params)}"
        fetched = self.fetch(method, url, headers, data, decodes=True)
        if fetched.is_cut:
            raise NoAnswer(f"the answer is longer than {self.most_bytes} bytes")
        return Reply(fetched.status, _read(fetched.raw), fetched.retry_after)

    def fetch(self, method: str, url: str, headers: Mapping[str, str], data: str | bytes | None, decodes: bool = False) -> Fetched:
        """Make one request and return its answer as it came, of a long one the beginning.

        decodes: undo the compression of the body. Raises NotReached and NoAnswer as exchange() does.
        """
        _exchange.ends, _exchange.has_sent, _exchange.most_rest_s = monotonic() + self.timeout_s, False, self.most_rest_s
        _exchange.may_reach, _exchange.connect_s = self._may_reach, self.connect_s
        try:
            return self._fetch(method, url, headers, data, decodes)
        except Exception as error:  # what was sent decides, not what went wrong
            if _exchange.has_sent:
                raise NoAnswer(self._what_was_seen(error)) from error
            raise NotReached(_why_not(error)) from error

    def _fetch(self, method: str, url: str, headers: Mapping[str, str], data: str | bytes | None, decodes: bool) -> Fetched:
        timeout = Timeout(connect=min(self.connect_s, self.timeout_s), read=self.timeout_s)
        pools = self._plain if url.startswith("http:") else self._secured
        response = pools.request(
            method, url, body=data, headers=headers, redirect=False, timeout=timeout, preload_content=False, decode_content=decodes
        )
        try:
            if response.status < 200:  # the answer itself is still to come, on this very connection
                raise ValueError(f"it answered {response.status} first")
            raw = response.read(self.most_bytes + 1)
        except BaseException:
            response.close()
            raise
        is_cut = len(raw) > self.most_bytes
        if is_cut:
            response.close()
        else:
            response.release_conn()
        headers = response.headers
        return Fetched(response.status, raw[: self.most_bytes], is_cut, headers.get("Retry-After"), headers.get("Content-Type", ""))

    def _what_was_seen(self, error: Exception) -> str:
        if monotonic() >= _exchange.ends:
            return f"no whole answer in {self.timeout_s:g} s"
        return f"the connection broke ({type(error).__name__})" if not isinstance(error, ValueError) else str(error)


def _pools(classes: dict[str, type], **options: Any) -> PoolManager:
    pools = PoolManager(maxsize=CONNECTIONS, retries=False, **options)
    pools.pool_classes_by_scheme = classes
    return pools


def _read(raw: bytes) -> Any:
    text = raw.decode("utf-8", "replace")
    with suppress(Unreadable):
        return read_json(text)
    return text


def _why_not(error: Exception) -> str:
    if isinstance(error, PrivateAddress):
        return str(error)
    if isinstance(error, NameResolutionError):
        return "its name is not known"
    if isinstance(error, NewConnectionError) and isinstance(error.__cause__, ConnectionRefusedError):
        return "nothing is listening"
    if isinstance(error, ConnectTimeoutError | TimeoutError):
        return "it did not take the connection in time"
    if isinstance(error, SSLError):
        return "its certificate or TLS is not right"
    return type(error).__name__
