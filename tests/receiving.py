"""A receiver of webhooks that listens: it keeps what came and answers as it is told."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any


@dataclass
class Came:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Answer:
    """What is answered; None as status hangs up without a word."""

    status: int | None = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    # Seconds between the bytes of the body
    drips_s: float = 0.0


class Receiver:
    """Answers every POST by `answer`, which gets the request."""

    def __init__(self, answer: Callable[[Came], Answer] | None = None) -> None:
        self.came: list[Came] = []
        self.answer = answer or (lambda _came: Answer())
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                came = Came(self.path, dict(self.headers), body, monotonic())
                receiver._begin(came)
                try:
                    self._answer(receiver.answer(came))
                except OSError:
                    self.close_connection = True
                finally:
                    receiver._end()

            def _answer(self, answer: Answer) -> None:
                sleep(answer.after_s)
                if answer.status is None:
                    self.close_connection = True
                    return
                lines = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {len(answer.body)}"]
                lines += [f"{name}: {value}" for name, value in answer.headers.items()]
                head = "\r\n".join([*lines, "", ""]).encode()
                if not answer.drips_s:
                    self.wfile.write(head + answer.body)
                    return
                self.wfile.write(head)
                for byte in answer.body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    sleep(answer.drips_s)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A sender may go away."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)

    def _begin(self, came: Came) -> None:
        with self._lock:
            self.came.append(came)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)

    def _end(self) -> None:
        with self._lock:
            self.at_once -= 1

    def ids(self) -> list[str]:
        """Return the webhook-id of each request, in the order in which they came."""
        with self._lock:
            return [came.headers["webhook-id"] for came in self.came]

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
