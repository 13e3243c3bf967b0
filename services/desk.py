"""Puts orders to Africa's Talking: a row before each call, the call, and how it ended.

Money is at most once. An order is committed as pending before anything leaves; what may have happened ends as unknown and
is sent again by no machine.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import BoundedSemaphore
from time import monotonic
from typing import Any

from flask import current_app

from app import masking
from app.errors import Conflict, GatewayError, NotReady
from app.models import Invocation
from app.schemas.invokes import INVOKES
from app.settings import SHORTEST_SECRET, Settings
from services.client import Client
from services.invocations import Order, Placed, closed, opened
from services.outage import Outage
from services.outcome import UNEXPECTED, Entries, Outcome, no_answer, not_reached, read, without_repeats
from services.transport import NoAnswer, NotReached, Reply
from services.upkeep import metrics

logger = logging.getLogger(__name__)
# Of the 32 threads of a web process, so many may wait for Africa's Talking: the rest stays free for callbacks.
PLACES = 24
WAIT_FOR_A_PLACE_S = 0.5
Call = Callable[[Client, list[str], Invocation], Reply]


class Busy(GatewayError):
    """Too many calls wait for Africa's Talking already."""

    status = 429


@dataclass(frozen=True)
class Desk:
    """What orders are placed with, made once per process."""

    settings: Settings
    client: Client
    outage: Outage
    places: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(PLACES))

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places for calls. Raises Busy."""
        if not self.places.acquire(timeout=WAIT_FOR_A_PLACE_S):
            raise Busy(f"{PLACES} calls wait for Africa's Talking already: nothing was sent. Try again in 5 s.", retry_after_s=5)
        try:
            yield
        finally:
            self.places.release()


def place(order: Order, call: Call, entries: Entries) -> Placed:
    """Put an order to Africa's Talking, once, and return how it ended.

    call: makes the request for the given phones and row. entries: what its answer says of each, as `outcome.read` takes it.
    Raises GatewayError where nothing was sent: NotReady, Conflict, OverCap, Busy, Invalid, StorageUnavailable.
    """
    desk: Desk = current_app.extensions["pokea.desk"]
    try:
        return _place(order, call, entries, desk)
    except GatewayError as refused:
        facts = {"kind": order.kind, "outcome": "not placed", "status": refused.status}
        logger.info("->  %-21s %-9s not placed %d", order.kind, _about(order.phones), refused.status, extra=facts)
        raise


def _place(order: Order, call: Call, entries: Entries, desk: Desk) -> Placed:
    insist_on_readiness(order, desk.settings)
    with desk.place():
        placed = opened(order, desk.settings, desk.outage)
        if placed.is_repeated:
            _log(placed)
            return placed
        began = monotonic()
        phones = [recipient.phone for recipient in placed.recipients if recipient.state == "pending"]
        outcome = _called(placed, phones, desk, call, entries)
        placed = closed(placed, outcome, round(1000 * (monotonic() - began)))
    metrics.invoked(order.kind, placed.invocation.state)
    _log(placed)
    return placed


def insist_on_readiness(order: Order, settings: Settings) -> None:
    """Raise NotReady or Conflict where a setting stands in the way of an order."""
    if not settings.spend_enabled:
        raise NotReady("Sending is switched off (SPEND_ENABLED=0): nothing was sent. Callbacks go on.")
    row = INVOKES[order.kind]
    # What the order itself says needs no setting.
    said = {setting for name, setting in row.fills.items() if order.details.get(name)}
    if missing := [name.upper() for name in ("at_username", "at_api_key", *row.needs) if name not in said and not getattr(settings, name)]:
        raise NotReady(f"{missing[0]} is not set: nothing was sent. Set it in .env (see .env.example) and start again.")
    if order.kind == "voice.call" and settings.at_mode == "sandbox" and not settings.at_base_url:
        raise Conflict("The sandbox has no voice. Use the emulator (AT_MODE=emulator) or a live voice number.")


def _called(placed: Placed, phones: list[str], desk: Desk, call: Call, entries: Entries) -> Outcome:
    kind, settings = placed.invocation.kind, desk.settings
    try:
        reply = call(desk.client, phones, placed.invocation)
    except NotReached as error:
        return not_reached(phones, _why_not_reached(str(error), settings))
    except NoAnswer as error:
        return no_answer(phones, f"Africa's Talking did not answer: {error}.")
    except (ValueError, TypeError, RuntimeError) as error:  # the SDK's own checks, before anything is sent
        logger.error("the SDK refused %s: %s", kind, type(error).__name__)
        return not_reached(phones, "The order could not be put to Africa's Talking: nothing was sent.")
    reply = replace(reply, body=_without_key(reply.body, settings.at_api_key))
    try:
        outcome = read(reply, phones, INVOKES[kind].family, settings.at_username, entries)
        return without_repeats(outcome, placed.invocation.attempts)
    except Exception as error:  # whatever it is: the call was made, and that must not be lost
        logger.exception("the answer to %s %s could not be read: %s", kind, placed.invocation.id, type(error).__name__)
        return no_answer(phones, UNEXPECTED, reply)


def _without_key(value: Any, key: str) -> Any:
    """Return an answer in which our key, should it be told back, is masked."""
    if isinstance(value, dict):
        return {_without_key(name, key): _without_key(entry, key) for name, entry in value.items()}
    if isinstance(value, list):
        return [_without_key(entry, key) for entry in value]
    return value.replace(key, masking.MASK) if isinstance(value, str) and len(key) >= SHORTEST_SECRET else value


def _why_not_reached(why: str, settings: Settings) -> str:
    if settings.at_mode == "emulator" and why == "nothing is listening":
        todo = "Start the emulator with make run, or set AT_USERNAME and AT_API_KEY."
        return f"Nothing is listening at {settings.at_base_url}: nothing was sent. {todo}"
    where = f" at {settings.at_base_url}" if settings.at_base_url else ""
    return f"Africa's Talking was not reached{where}: {why}. Nothing was sent, so trying again is safe."


def _log(placed: Placed) -> None:
    invocation = placed.invocation
    outcome, ms = ("repeated", 0) if placed.is_repeated else (invocation.state, invocation.ms or 0)
    facts = {"kind": invocation.kind, "id": invocation.id, "outcome": outcome, "status": invocation.answer_status, "ms": ms}
    about = _about([recipient.phone for recipient in placed.recipients], [recipient.state for recipient in placed.recipients])
    line = (invocation.kind, about, outcome, invocation.answer_status or "-", ms, invocation.id)
    logger.info("->  %-21s %-9s %-8s %s %4d ms  %s", *line, extra=facts)


def _about(phones: list[str], states: list[str] | None = None) -> str:
    if len(phones) == 1:
        return masking.number(phones[0])
    return f"{states.count('accepted')} of {len(phones)}" if states else f"{len(phones)} phones"
