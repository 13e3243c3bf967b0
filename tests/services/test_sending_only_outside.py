"""What must not be reached is not reached at the moment of sending either, whatever its address said when it was registered."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert

from app.extensions import writing
from app.models import Delivery, Endpoint
from services.webhooks import events
from services.webhooks.courier import Courier
from tests.receiving import Answer, Receiver

# One of each range that is not the world's, and the spellings that lead there.
HOSTS = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.1", "127.255.255.255",
    "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255", "[::]", "[::1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]", "[100::1]", "[2001::1]", "[2001:db8::1]", "[2002:7f00:1::]", "[5f00::1]", "[fc00::1]", "[fd12:3456::1]", "[fe80::1]",
    "[fec0::1]", "[ff02::1]", "localhost",
)  # fmt: skip


def register(urls: list[str]) -> None:
    now = datetime.now(UTC)
    with writing() as connection:
        for number, url in enumerate(urls):
            row = {"url": url, "events": ["*"], "format": "json", "secret": "whsec_QUJDRA==", "is_active": True, "created_at": now}
            connection.execute(insert(Endpoint), row | {"id": f"webhook_{number:02}"})
        events.publish(connection, "ping", {}, now)


def send(app: Flask) -> None:
    courier = Courier(app, app.config["POKEA"], linger_s=0)
    while courier.wake_due():
        assert courier.wait_until_idle(30)


def test_no_spelling_of_a_private_address_is_reached(app: Flask, stored: Callable[[type], list[Any]]) -> None:
    assert len(HOSTS) >= 40
    with app.app_context():
        register([f"https://{host}:8443/" for host in HOSTS])
        send(app)
    told = {host: row.problem for host, row in zip(HOSTS, sorted(stored(Delivery), key=lambda row: row.endpoint_id), strict=True)}
    # A machine may be unable to make anything of one; it may reach none.
    assert {host for host, problem in told.items() if "private" not in problem} <= {"[::ffff:127.0.0.1]", "[fe80::1]"}
    assert {problem.partition(" (")[0] for problem in told.values()} <= {
        "Not reached: that address is private",
        "Not reached: its name is not known.",
    }


def test_a_name_that_changes_its_address_is_looked_at_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch, stored: Callable[[type], list[Any]]
) -> None:
    usual = socket.getaddrinfo

    def flipped(host: Any, *arguments: Any, **options: Any) -> Any:
        return usual("127.0.0.1" if host == "hooks.example.com" else host, *arguments, **options)

    with Receiver() as receiver, app.app_context():
        monkeypatch.setattr(socket, "getaddrinfo", flipped)
        register([receiver.url.replace("127.0.0.1", "hooks.example.com").replace("http:", "https:")])
        send(app)
    assert receiver.came == []
    assert stored(Delivery)[0].problem == "Not reached: that address is private (127.0.0.1)."


def test_a_redirect_leads_nowhere(make_app: Callable[..., Flask], stored: Callable[[type], list[Any]]) -> None:
    app = make_app(webhooks_allow_private=True)
    with Receiver() as inner, Receiver(lambda _came: Answer(302, headers={"Location": f"{inner.url}/latest/meta-data"})) as outer:
        with app.app_context():
            register([outer.url])
            send(app)
        assert (len(outer.came), inner.came) == (1, [])
    assert "Redirects are not followed" in stored(Delivery)[0].problem
