"""An emulator that really listens, and a receiver that knows nothing of it or of Pokea."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl

import pytest

from emulator import create_app
from emulator.client import Control
from emulator.doers import DOERS
from emulator.server import Server
from emulator.settings import Settings
from emulator.world import World
from tests.running import free_port
from tests.stub_at import Server as HTTPServer


@dataclass
class Running:
    """An emulator in this process, over a real socket."""

    url: str
    control: Control
    world: World


@pytest.fixture
def emulator() -> Iterator[Running]:
    """A fresh emulator; its app is where nothing listens until a test says otherwise."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    world = World(DOERS, Settings(app_url="http://127.0.0.1:9"), url)
    server = Server("127.0.0.1", port, create_app(world))
    thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
    world.timetable.start()
    thread.start()
    control = Control(url)
    yield Running(url, control, world)
    control.close()
    server.shutdown()
    server.server_close()
    world.timetable.stop()


@dataclass
class Got:
    """One request as it reached the receiver."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The fields of a form, in order."""
        return parse_qsl(self.body.decode(), keep_blank_values=True)


Answer = tuple[int, str]


@dataclass
class Receiver:
    """An application of nobody: keeps every request and answers what a test says."""

    url: str
    got: list[Got] = field(default_factory=list)
    # What a path, or any ("*"), is answered with: status and text, or a function of the request
    answers: dict[str, Answer | Callable[[Got], Answer]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def at(self, path: str) -> list[Got]:
        """Return the requests for one path."""
        return [got for got in self.got if got.path.partition("?")[0] == path]

    def wait(self, path: str, count: int = 1, seconds: float = 10) -> list[Got]:
        """Wait until so many requests came for a path."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.at(path)) >= count, seconds), f"{len(self.at(path))} of {count} at {path}"
        return self.at(path)


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        got = Got("POST", self.path, dict(self.headers.items()), body, time.time())
        receiver = self.receiver
        with receiver.changed:
            receiver.got.append(got)
            receiver.changed.notify_all()
        answer = receiver.answers.get(self.path.partition("?")[0], receiver.answers.get("*", (200, "OK")))
        status, text = answer(got) if callable(answer) else answer
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def receiver(emulator: Running) -> Iterator[Receiver]:
    """A receiver to which the emulator posts everything, on the usual paths."""
    made = Receiver("")
    server = HTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"receiver": made}))
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
    emulator.control.settings(app_url=made.url)
    yield made
    server.shutdown()
    server.server_close()
