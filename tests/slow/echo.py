"""A developer's own program for USSD and voice, as a process of its own: prints its port, and says back what it is told."""

import sys
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

from tests.stub_at import Server


class App(BaseHTTPRequestHandler):
    """A developer's own program: says back what it is told."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        fields = {name: values[0] for name, values in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()}
        if self.path == "/ussd":
            text = fields.get("text", "")
            answer = (
                f"END You said {text.rpartition('*')[2]}"
                if text.count("*") == 2
                else f"CON You said {text.rpartition('*')[2] or 'nothing'}"
            )
        elif "dtmfDigits" in fields:
            answer = f"<Response><Say>You pressed {fields['dtmfDigits']}</Say></Response>"
        else:
            answer = '<Response><GetDigits numDigits="8" timeout="60"><Say>Press eight keys</Say></GetDigits></Response>'
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(answer.encode())


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), App) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever(0.02)
