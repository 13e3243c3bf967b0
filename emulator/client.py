"""The control API from Python: for tests, and for the phone in the terminal."""

from typing import Any
from urllib.parse import quote

import requests

WITHIN_S = 400.0


class Answered(Exception):
    """The emulator refused something. status: of its answer; the text is its reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Control:
    """One emulator. Every method returns the JSON that it answers; they raise Answered, and requests' errors where nothing listens."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        """Ask one address under /control."""
        answer = self._session.request(method, f"{self.url}/control{path}", json=body, params=query, timeout=WITHIN_S)
        try:
            data: dict[str, Any] = answer.json()
        except requests.JSONDecodeError:
            raise Answered(answer.status_code, f"{self.url} is not an emulator: it answered {answer.status_code}") from None
        if answer.status_code >= 400:
            raise Answered(answer.status_code, str(data.get("error", data)))
        return data

    def close(self) -> None:
        """Close the connections that are kept."""
        self._session.close()

    def reset(self) -> None:
        """Make all as new."""
        self.ask("POST", "/reset")

    def phone(self, number: str) -> dict[str, Any]:
        """Return all that a phone shows."""
        return self.ask("GET", f"/phones/{number}")

    def dial(self, number: str, code: str) -> dict[str, Any]:
        """Dial a USSD code: session, screen, answer, why, open."""
        return self.ask("POST", f"/phones/{number}/ussd", {"code": code})

    def reply(self, number: str, session: str, text: str) -> dict[str, Any]:
        """Answer a USSD screen."""
        return self.ask("POST", f"/phones/{number}/ussd/{session}", {"input": text})

    def cancel(self, number: str, session: str) -> dict[str, Any]:
        """Leave a USSD session."""
        return self.ask("DELETE", f"/phones/{number}/ussd/{session}")

    def text(self, number: str, to: str, text: str, link_id: str | None = None) -> dict[str, Any]:
        """Write a message to the account."""
        return self.ask("POST", f"/phones/{number}/sms", {"to": to, "text": text, "linkId": link_id})

    def messages(self, number: str) -> list[dict[str, Any]]:
        """Return the messages on a phone, oldest first."""
        found: list[dict[str, Any]] = self.ask("GET", f"/phones/{number}/messages")["messages"]
        return found

    def latest(self, to: str, wait: float = 10) -> dict[str, Any] | None:
        """Return the newest message that a phone got, waiting for it so many seconds; None if it got none."""
        found: list[dict[str, Any]] = self.ask("GET", "/messages/latest", to=to, wait=wait)["messages"]
        return found[0] if found else None

    def call(self, number: str, to: str) -> dict[str, Any]:
        """Call the account's number from a phone."""
        return self.ask("POST", f"/phones/{number}/call", {"to": to})

    def call_state(self, call: str) -> dict[str, Any]:
        """Return a call."""
        return self.ask("GET", f"/calls/{quote(call)}")

    def act(self, call: str, what: str, **body: Any) -> dict[str, Any]:
        """Do something in a call: answer, reject, digits, record, hangup."""
        return self.ask("POST", f"/calls/{quote(call)}/{what}", body)

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """Return what went over the line."""
        found: list[dict[str, Any]] = self.ask("GET", "/log", after=after)["entries"]
        return found

    def settings(self, **changed: Any) -> dict[str, Any]:
        """Change settings, and return all of them."""
        return self.ask("PUT", "/settings", changed)

    def faults(self, **changed: Any) -> dict[str, Any]:
        """Switch faults on or off, and return those that are on."""
        return self.ask("PUT", "/faults", changed)

    def clock(self, **changed: Any) -> dict[str, Any]:
        """Move the clock: advance=seconds, scale=n, reset=True."""
        return self.ask("POST", "/clock", changed)
