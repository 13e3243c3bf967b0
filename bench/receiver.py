"""Receives webhooks and remembers when each came: a process of its own, and how to ask it.

POST /hangs is never answered, /refuses is answered 500, everything else 200. GET /count/x and /came/x tell of what came to /x.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from bench.servers import ROOT

HANGS, REFUSES = "/hangs", "/refuses"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb'"id":"([^"]+)"')


@dataclass(frozen=True)
class Receiver:
    """The receiver's process, for who asks it."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def came(self, path: str) -> list[tuple[str, float]]:
        """Return what came to a path, in its order: the first "id" in its body, and the time of its arrival (time.time())."""
        return [(name, at) for name, at in self.session.get(f"{self.url}/came{path}", timeout=10).json()]

    def wait_for(self, path: str, number: int, patience_s: float, problem: Callable[[], str]) -> None:
        """Wait until so many came to a path. Ends the program when they do not come. problem: gives what else is known."""
        ends = time.monotonic() + patience_s
        while (count := self.session.get(f"{self.url}/count{path}", timeout=10).json()) < number:
            if time.monotonic() > ends:
                raise SystemExit(f"Only {count} of {number} webhooks came to {path}.\n{problem()}")
            time.sleep(0.1)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver while the block lasts."""
    with subprocess.Popen([sys.executable, "-m", "bench.receiver"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        receiver = Receiver(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        try:
            yield receiver
        finally:
            receiver.session.close()
            process.terminate()


async def serve() -> None:
    """Listen on a free port, which is the one line that is written."""
    came: dict[str, list[tuple[float, bytes]]] = defaultdict(list)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.decode("latin-1").split(" ", 2)
                if method == "GET":
                    writer.write(_told(came, path))
                    continue
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                came[path].append((time.time(), body))
                if path == HANGS:
                    await reader.read()  # until the sender hangs up
                    return
                writer.write(_answer("500 Internal Server Error" if path == REFUSES else "200 OK", b"OK"))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def _told(came: dict[str, list[tuple[float, bytes]]], path: str) -> bytes:
    if path.startswith("/count"):
        return _answer("200 OK", str(len(came[path.removeprefix("/count")])).encode())
    found = [(_ID.search(body), at) for at, body in came[path.removeprefix("/came")]]
    return _answer("200 OK", json.dumps([(match[1].decode() if match else "", at) for match, at in found]).encode())


def _answer(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    asyncio.run(serve())
