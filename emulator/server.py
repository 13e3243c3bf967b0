"""Listens: a thread per connection, so that whoever hangs on purpose holds up nobody else."""

import errno
import socket
import struct
import threading
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

MOST_PORTS = 50


class PortTaken(Exception):
    """No port is free where one was looked for."""


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    # Of a caller who stops in the middle of a request.
    timeout = 75
    disable_nagle_algorithm = True

    def version_string(self) -> str:
        """Name the server as Africa's Talking's names itself in recorded answers."""
        return "akka-http"

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """End a connection that is not to be answered, instead of waiting for its next request."""
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: the emulator has a log of its own."""


class Server(ThreadedWSGIServer):
    """Takes many callers at once: with the usual queue, the others of a burst wait for seconds."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self, host: str, port: int, app: Flask) -> None:
        self._busy = 0
        self._answering = threading.Condition()
        # Its own constructor ends the process when the port is taken.
        super().__init__(host, port, app, handler=_Handler, fd=_listening(host, port).detach())

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection."""
        with self._answering:
            self._busy += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._answering:
                self._busy -= 1
                self._answering.notify_all()

    def wait_until_answered(self, seconds: float) -> None:
        """Wait until whoever was let in has an answer, no longer than so."""
        with self._answering:
            self._answering.wait_for(lambda: self._busy == 0, seconds)

    def shutdown_request(self, request: Any) -> None:
        """End a connection: politely, unless it is to be reset."""
        is_reset, _ = struct.unpack("ii", request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
        if is_reset:
            self.close_request(request)
        else:
            super().shutdown_request(request)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(Server.request_queue_size)
    except OSError:
        listener.close()
        raise
    return listener


def first_free(host: str, port: int, never: int | None = None) -> int:
    """Return a port, or the next one above it that is free. never: one that is meant for something else.

    Raises PortTaken, and OSError for an address that is not this machine's.
    """
    for candidate in range(port, min(port + MOST_PORTS, 65536)):
        if candidate == never:
            continue
        try:
            _listening(host, candidate).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        return candidate
    raise PortTaken(f"Ports {port} to {port + MOST_PORTS - 1} are all in use. Try: --port {port + 100}")
