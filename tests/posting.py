"""An application with endpoints, a courier whose clock stands still until it is moved, and events to send."""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from flask import Flask
from sqlalchemy import insert

from app.extensions import writing
from app.models import Endpoint
from services.webhooks import events
from services.webhooks.courier import Courier

SECRET, OLD_SECRET = "whsec_" + "A" * 43 + "=", "whsec_" + "B" * 43 + "="
START = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)


class Clock:
    """Tells a time that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Post:
    """An application, a courier whose clock stands still, and endpoints."""

    def __init__(self, app: Flask) -> None:
        self.app, self.clock = app, Clock()
        self.courier = Courier(app, app.config["POKEA"], self.clock, linger_s=0)

    def endpoint(self, url: str, name: str = "a", **values: Any) -> str:
        row = {
            "id": f"webhook_{name}", "url": url, "events": ["*"], "format": "json", "secret": SECRET, "is_active": True, "created_at": START,
        }  # fmt: skip
        with self.app.app_context(), writing() as connection:
            connection.execute(insert(Endpoint), row | values)
        return str(row["id"])

    def happens(self, count: int = 1, name: str = "ping") -> list[str]:
        """Publish events, oldest first, and return their ids."""
        made: list[str] = []
        with self.app.app_context():
            while len(made) < count:
                # A turn to write lasts five seconds at most.
                with writing() as connection:
                    numbers = range(len(made), min(count, len(made) + 1000))
                    made += [events.publish(connection, name, {"n": number}, self.clock.now) for number in numbers]
        return made

    def send(self) -> None:
        """Send what is due now."""
        with self.app.app_context():
            ends = monotonic() + 280
            while self.courier.wake_due() and monotonic() < ends:
                assert self.courier.wait_until_idle(280)
