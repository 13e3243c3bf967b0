"""A stand-in for Africa's Talking that really listens: counts what reaches it, and misbehaves on demand."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs

PATHS = {
    "sms.bulk": "/version1/messaging",
    "sms.premium": "/version1/messaging",
    "voice.call": "/call",
    "airtime.send": "/version1/airtime/send",
    "sim_swap.check": "/v1/sim-swap",
    "payments.checkout": "/mobile/checkout/request",
}


@dataclass
class Seen:
    """One request as it reached the stub."""

    path: str
    headers: dict[str, str]
    fields: dict[str, Any]
    port: int


Fault = Callable[["Handler", bytes], None]


class Server(ThreadingHTTPServer):
    """Takes many callers at once: with the usual queue of five, the others of a burst wait for seconds."""

    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller who hangs up is a part of many tests."""


@dataclass
class StubAT:
    """The stub. `fault` takes the place of the answer; `change` edits the JSON of the usual one."""

    seen: list[Seen] = field(default_factory=list)
    fault: Fault | None = None
    change: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    last_id: str = ""
    balance: str = "KES 1234.5000"
    # Connections that were made
    accepted: int = 0

    def __enter__(self) -> "StubAT":
        self.server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"stub": self}))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.005,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def calls(self, kind: str | None = None) -> list[Seen]:
        """Return the requests for one kind of invocation, or for any."""
        paths = {PATHS[kind]} if kind else set(PATHS.values())
        return [seen for seen in self.seen if seen.path in paths]


class Handler(BaseHTTPRequestHandler):
    """One connection to the stub."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stub: StubAT

    def log_message(self, format: str, *args: object) -> None:
        pass

    def setup(self) -> None:
        self.stub.accepted += 1
        super().setup()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        text = raw.decode() or query
        fields = (
            json.loads(text)
            if text.startswith("{")
            else {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
        )
        self.stub.seen.append(Seen(path, dict(self.headers.items()), fields, self.client_address[1]))
        if self.headers.get("apiKey", "").startswith("wrong"):
            self.reply(401, b"The supplied authentication is invalid", "text/plain; charset=UTF-8")
            return
        status, answer = usual(path, fields, self.stub)
        if self.stub.change:
            answer = self.stub.change(answer)
        body = json.dumps(answer).encode()
        with suppress(OSError):
            if self.stub.fault:
                self.stub.fault(self, body)
            else:
                self.reply(status, body)

    def reply(self, status: int, body: bytes, media: str = "application/json", **headers: str) -> None:
        """Send one whole answer."""
        self.send_response(status)
        for name, value in {"Content-Type": media, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def usual(path: str, fields: dict[str, Any], stub: StubAT) -> tuple[int, dict[str, Any]]:
    """Return what Africa's Talking answers when all is well, in its recorded shapes."""
    new_id = stub.last_id = f"ATXid_{token_hex(16)}"
    if path == "/version1/messaging":
        recipients = [
            {"cost": "KES 0.8000", "messageId": new_id, "number": phone, "status": "Success", "statusCode": 101}
            for phone in fields["to"].split(",")
        ]
        return 201, {
            "SMSMessageData": {"Message": f"Sent to {len(recipients)}/{len(recipients)} Total Cost: KES 0.8000", "Recipients": recipients}
        }
    if path == "/call":
        return 200, {
            "entries": [{"phoneNumber": phone, "sessionId": new_id, "status": "Queued"} for phone in fields["to"].split(",")],
            "errorMessage": "None",
        }
    if path == "/version1/airtime/send":
        order = json.loads(fields["recipients"])[0]
        response = {
            "amount": order["amount"],
            "discount": "KES 0.4000",
            "errorMessage": "None",
            "phoneNumber": order["phoneNumber"],
            "requestId": new_id,
            "status": "Sent",
        }
        return 201, {
            "errorMessage": "None",
            "numSent": 1,
            "responses": [response],
            "totalAmount": order["amount"],
            "totalDiscount": "KES 0.4000",
        }
    if path == "/v1/sim-swap":
        phone = {
            "carrierName": "Safaricom",
            "countryCode": 254,
            "networkCode": "Safaricom",
            "number": fields["phoneNumbers"][0],
            "numberType": "Mobile",
        }
        response = {"cost": {"amount": 5, "currencyCode": "KES"}, "phoneNumber": phone, "requestId": new_id, "status": "Queued"}
        return 200, {
            "responses": [response],
            "status": "Processed",
            "totalCost": {"amount": 0.05, "currencyCode": "USD"},
            "transactionId": token_hex(8),
        }
    if path == "/mobile/checkout/request":
        return 201, {
            "description": "Waiting for user input",
            "providerChannel": "525900",
            "status": "PendingConfirmation",
            "transactionId": new_id,
        }
    return 200, {"UserData": {"balance": stub.balance}}


def reset(handler: Handler, _body: bytes) -> None:
    """Read the request, then break the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def hang(handler: Handler, _body: bytes) -> None:
    """Take the request and say nothing."""
    handler.close_connection = True
    handler.connection.settimeout(10)
    with suppress(OSError):
        handler.connection.recv(1)


def drip(handler: Handler, body: bytes) -> None:
    """Send the answer so slowly that no single read times out."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n")
    for byte in b"X-Slow: yes\r\n\r\n" + body:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.1)


def status(number: int, body: bytes = b"no", media: str = "text/plain", **headers: str) -> Fault:
    """Answer with a status and body of no use."""
    return lambda handler, _body: handler.reply(number, body, media, **headers)


def half(handler: Handler, body: bytes) -> None:
    """Answer with the first half of the JSON, whole as HTTP."""
    handler.reply(201, body[: len(body) // 2])


def cut(handler: Handler, body: bytes) -> None:
    """Break the connection in the middle of the body."""
    handler.close_connection = True
    handler.wfile.write(
        f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:10]
    )


def charset(handler: Handler, body: bytes) -> None:
    """Answer rightly, with a charset in the content type."""
    handler.reply(201, body, "application/json; charset=utf-8")
