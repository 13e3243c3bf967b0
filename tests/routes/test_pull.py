"""flask pull-messages: what came in while nobody answered is kept, each message once."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
from click.testing import Result
from flask import Flask

from app.models import Callback, Mark
from tests.invoking import ONLY_SQLITE
from tests.samples import post
from tests.stub_at import Handler, Seen, StubAT, hang, status

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]
PAGE = 2


def message(number: int, **values: Any) -> dict[str, Any]:
    told = {"linkId": f"link-{number}", "text": f"Hello {number}", "to": "12345", "id": number}
    return told | {"date": f"2026-03-04T10:30:0{number}.445Z", "from": "+254711000017", **values}


class Fetched(Handler):
    """One connection to an account that has messages, of which it gives a page after the last that was received."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.stub.seen.append(Seen(path, dict(self.headers.items()), dict(parse_qsl(query)), self.client_address[1]))
        last = int(self.stub.seen[-1].fields["lastReceivedId"])
        found = [one for one in self.stub.messages if one["id"] > last][:PAGE]  # type: ignore[attr-defined]
        with suppress(OSError):
            if self.stub.fault:
                self.stub.fault(self, b"")
            else:
                self.reply(200, json.dumps({"SMSMessageData": {"Messages": found}}).encode())


@dataclass
class Account(StubAT):
    """A stand-in for Africa's Talking with messages to be fetched."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> "Account":
        super().__enter__()
        self.server.RequestHandlerClass = type("Bound", (Fetched,), {"stub": self})
        return self


@pytest.fixture
def at() -> Iterator[Account]:
    with Account() as account:
        yield account


def hold(at: Account, *messages: dict[str, Any]) -> None:
    at.messages = list(messages)


def pull(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["pull-messages", *words])


def test_every_page_is_fetched_and_kept_once(sending: Make, at: Account, stored: Stored) -> None:
    app = sending()
    hold(at, *(message(number) for number in (1, 2, 3)))
    assert pull(app).stdout == "3 messages, 3 of them new\n"
    rows = stored(Callback)
    assert [(row.kind, row.state, row.via, row.fields["text"]) for row in rows] == [
        ("sms.incoming_message", "accepted", "pulled", f"Hello {number}") for number in (1, 2, 3)
    ]
    assert all(row.due_at is not None and row.reference == str(row.fields["id"]) for row in rows)
    assert json.loads(pull(app, "--json").stdout) == {"messages": 0, "new": 0}
    hold(at, message(3), message(4))
    assert pull(app).stdout == "1 message, 1 of them new\n"


@ONLY_SQLITE
def test_once_is_one_page(sending: Make, at: Account) -> None:
    hold(at, *(message(number) for number in (1, 2, 3)))
    assert pull(sending(), "--once").stdout == "2 messages, 2 of them new\n"
    assert len(at.seen) == 1


@pytest.mark.parametrize(
    "posted",
    [
        {"id": "1", "date": "2026-03-04 10:30:01", "linkId": "link-1", "networkCode": "63902"},
        {"id": "ec9adc86", "date": "2026-03-04 10:30:01", "linkId": "link-1"},
        {"id": "ec9adc86", "date": "2026-03-04 10:30:01", "linkId": ""},
    ],
    ids=["same id", "other id, same link", "other id, same time"],
)
def test_what_was_posted_already_is_a_repeat(sending: Make, at: Account, stored: Stored, posted: dict[str, str]) -> None:
    app = sending()
    post(app.test_client(), "sms.incoming_message", {"from": "+254711000017", "to": "12345", "text": "Hello 1", **posted})
    hold(at, message(1), message(2))
    assert pull(app).stdout == "2 messages, 1 of them new\n"
    first, second = stored(Callback)
    assert (first.repeats, first.via, first.fields["date"]) == (1, None, "2026-03-04 10:30:01")
    assert (second.fields["id"], second.state) == (2, "accepted")


@ONLY_SQLITE
def test_two_messages_of_the_same_words_are_two(sending: Make, at: Account, stored: Stored) -> None:
    hold(at, message(1, text="1"), message(2, text="1"))
    assert pull(sending()).stdout == "2 messages, 2 of them new\n"
    assert len(stored(Callback)) == 2


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("fault", "says"),
    [(status(401), "answered 401"), (status(200, b"{}"), "answered 200"), (hang, "no whole answer")],
    ids=["wrong key", "no messages", "no answer"],
)
def test_no_answer_marks_nothing(sending: Make, at: Account, stored: Stored, fault: Any, says: str) -> None:
    at.fault = fault
    done = pull(sending())
    assert done.exit_code == 1
    assert says in done.stderr
    assert (stored(Mark), stored(Callback)) == ([], [])
