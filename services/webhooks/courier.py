"""Sends what is due to endpoints: one after the other to each that answers at once, up to four at a time to one that is slow.

One courier per process. It holds no truth: rows say what is due, and it looks at them again whenever it is woken.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.errors import StorageUnavailable
from app.models import Endpoint
from app.schemas.bodies import clean
from app.settings import Settings
from services.transport import NoAnswer, NotReached, Transport
from services.upkeep import metrics
from services.upkeep.processes import own_name
from services.webhooks import deliveries
from services.webhooks.deliveries import Parcel
from services.webhooks.public_addresses import is_public
from services.webhooks.retrying import Tried, problem_of
from services.webhooks.signing import headers_for

logger = logging.getLogger(__name__)
CONNECT_S, WHOLE_S = 5.0, 15.0
MOST_ANSWER_BYTES = 16_000
# A receiver may close a connection that rests; many do after five seconds.
MOST_REST_S = 4.0
LANES = 4
# One that takes longer for an answer gets more lanes.
SLOW_S = 0.25
# So long an endpoint is kept after its last delivery: often there is another.
LINGER_S = 1.0
# What was read before is read again after so long: an endpoint may have been changed.
FRESH_S = 2.0
# Endpoints that are served at once, the others wait their turn; and lanes besides the first of each
MOST_ENDPOINTS, MOST_EXTRA_LANES = 32, 32
# Threads that speak to the database at once, but for the one statement of the usual way: fewer than its pool holds.
DATABASE_PLACES = 4
# After something that is neither the receiver's fault nor the database's being away
FIRST_REST_S, LONGEST_REST_S = 1.0, 60.0
USER_AGENT = "Pokea/1.0 (webhooks)"


@dataclass
class _Round:
    """One endpoint as it was read, and what waits to be sent to it."""

    endpoint: Endpoint
    parcels: deque[Parcel]
    read_at: float
    # Set in a probe of a failing endpoint
    began: datetime | None = None
    lanes: int = 1
    # When each lane's exchange began
    under_way: dict[int, float] = field(default_factory=dict)
    is_over: bool = False


class Courier:
    """What sends webhooks in this process."""

    def __init__(
        self, app: Flask, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC), linger_s: float = LINGER_S
    ) -> None:
        """clock: tells the time that rows are compared with."""
        self._app, self._settings, self._clock, self._linger_s = app, settings, clock, linger_s
        self.name = own_name()
        self._header = settings.webhook_signature_header
        may_reach = None if settings.webhooks_allow_private else is_public
        self._transport = _transport(may_reach)
        # The operator's own address may be anywhere.
        self._own_transport = _transport(None)
        self._lock = threading.Condition()
        self._rounds: dict[str, _Round | None] = {}
        self._asked_again: set[str] = set()
        self._waiting: dict[str, None] = {}
        self._places = threading.BoundedSemaphore(DATABASE_PLACES)
        # Endpoints whose outcomes could not be recorded: until when they rest, and for how long
        self._resting: dict[str, tuple[float, float]] = {}
        self._is_stopping = False

    def wake_due(self) -> int:
        """Begin to send to every endpoint for which something is due, but for those that rest; return how many there are."""
        found = deliveries.endpoints_with_work(self._clock(), self.name)
        return sum([self.wake(endpoint_id) for endpoint_id in found])

    def wake(self, endpoint_id: str) -> bool:
        """Begin to send to one endpoint, or look once more when its sending ends; return whether it does not rest."""
        with self._lock:
            if self._is_stopping or self._resting.get(endpoint_id, (0.0, 0.0))[0] > monotonic():
                return False
            if endpoint_id in self._rounds:
                self._asked_again.add(endpoint_id)
                self._lock.notify_all()
            else:
                self._waiting[endpoint_id] = None
                self._begin_waiting()
            return True

    def _begin_waiting(self) -> None:
        """Serve endpoints that wait, as far as there is room; called with the lock."""
        while self._waiting and len(self._rounds) < MOST_ENDPOINTS and not self._is_stopping:
            endpoint_id = next(iter(self._waiting))
            del self._waiting[endpoint_id]
            self._rounds[endpoint_id] = None
            threading.Thread(target=self._serve, args=(endpoint_id,), name=f"courier {endpoint_id}", daemon=True).start()

    def widen(self) -> None:
        """Give slow endpoints more lanes; called now and then."""
        with self._lock:
            extra = sum(one.lanes - 1 for one in self._rounds.values() if one)
            for endpoint_id, one in self._rounds.items():
                if one and extra < MOST_EXTRA_LANES and self._is_slow(one):
                    one.lanes += 1
                    extra += 1
                    threading.Thread(target=self._extra_lane, args=(one,), name=f"courier {endpoint_id}", daemon=True).start()

    def stop(self, patience_s: float) -> None:
        """Begin nothing more, wait for what is under way, and give the endpoints back."""
        with self._lock:
            self._is_stopping = True
            self._lock.notify_all()
            self._lock.wait_for(lambda: not self._rounds, timeout=patience_s)
        with self._app.app_context():
            deliveries.give_back(self.name)

    def wait_until_idle(self, patience_s: float) -> bool:
        """Wait until nothing is being sent; return whether that came."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._rounds and not self._waiting, timeout=patience_s)

    def _is_slow(self, one: _Round) -> bool:
        oldest = min(one.under_way.values(), default=None)
        return bool(one.parcels) and one.began is None and one.lanes < LANES and oldest is not None and monotonic() - oldest > SLOW_S

    def _serve(self, endpoint_id: str) -> None:
        try:
            with self._app.app_context():
                while self._serve_once(endpoint_id) or self._is_asked_again(endpoint_id):
                    if self._waiting:  # others have waited longer
                        self._asked_again.add(endpoint_id)
                        break
                with self._places:
                    deliveries.give_back(self.name, endpoint_id)
            self._resting.pop(endpoint_id, None)
        except (SQLAlchemyError, StorageUnavailable) as error:
            logger.error("deliveries to %s wait: the database did not take it (%s)", endpoint_id, type(error).__name__)
            self._rest(endpoint_id)
        except Exception:  # whatever it is, the others go on
            logger.exception("deliveries to %s stopped", endpoint_id)
            self._rest(endpoint_id)
        finally:
            with self._lock:
                self._rounds.pop(endpoint_id, None)
                again = endpoint_id in self._asked_again
                self._asked_again.discard(endpoint_id)
                self._begin_waiting()
                self._lock.notify_all()
            if again:
                self.wake(endpoint_id)

    def _rest(self, endpoint_id: str) -> None:
        """Leave an endpoint alone: what was sent may not have been recorded, and would be sent again at once."""
        _, before_s = self._resting.get(endpoint_id, (0.0, FIRST_REST_S / 2))
        pause_s = min(2 * before_s, LONGEST_REST_S)
        self._resting[endpoint_id] = (monotonic() + pause_s, pause_s)

    def _is_asked_again(self, endpoint_id: str) -> bool:
        """Wait for another wake for a while, and return whether it came."""
        with self._lock:
            self._rounds[endpoint_id] = None
            self._lock.wait_for(lambda: self._is_stopping or self._waiting or endpoint_id in self._asked_again, timeout=self._linger_s)
            return endpoint_id in self._asked_again and not self._is_stopping

    def _serve_once(self, endpoint_id: str) -> bool:
        """Send what one look at the rows finds; return whether another look is worth it."""
        now = self._clock()
        with self._lock:
            self._asked_again.discard(endpoint_id)
            if self._is_stopping:
                return False
        with self._places:
            taken = deliveries.take(endpoint_id, now, self.name)
        if taken is None:
            return False
        endpoint, parcels = taken
        one = _Round(endpoint, deque(parcels), monotonic(), began=now if endpoint.failing_since else None)
        with self._lock:
            self._rounds[endpoint_id] = one
        self._lane(one)
        with self._lock:
            one.is_over = True
            self._lock.wait_for(lambda: one.lanes == 1)
        return True

    def _extra_lane(self, one: _Round) -> None:
        try:
            with self._app.app_context():
                self._lane(one)
        except Exception as error:  # the delivery stays due
            logger.error("a delivery was not recorded: %s", type(error).__name__)
            self._rest(one.endpoint.id)
        finally:
            with self._lock:
                one.lanes -= 1
                self._lock.notify_all()

    def _lane(self, one: _Round) -> None:
        while (parcel := self._next(one)) is not None:
            me = threading.get_ident()
            try:
                tried = self._send(one.endpoint, parcel)
            finally:
                with self._lock:
                    one.under_way.pop(me, None)
            with nullcontext() if deliveries.is_usual(one.endpoint, tried) else self._places:
                outcome = deliveries.record(one.endpoint, parcel.delivery, tried, self._clock(), one.began)
            self._tell(one.endpoint, parcel, tried, outcome)
            if (outcome == "delivered") == (one.began is not None):
                # It fails now, or it is back: what was read before is no longer how things are.
                with self._lock:
                    one.parcels.clear()

    def _next(self, one: _Round) -> Parcel | None:
        with self._lock:
            if not one.parcels or self._is_stopping or monotonic() - one.read_at > FRESH_S:
                return None
            one.under_way[threading.get_ident()] = monotonic()
            return one.parcels.popleft()

    def _send(self, endpoint: Endpoint, parcel: Parcel) -> Tried:
        began, started = self._clock(), monotonic()
        headers = headers_for(endpoint, parcel.delivery.event_id, parcel.body, parcel.content_type, began, self._header)
        transport = self._own_transport if endpoint.is_for_alerts else self._transport
        try:
            fetched = transport.fetch("POST", endpoint.url, {**headers, "User-Agent": USER_AGENT}, parcel.body)
        except NotReached as error:
            return Tried(began, _ms(started), problem=f"Not reached: {error}.", is_time_out="in time" in str(error))
        except NoAnswer as error:
            return Tried(began, _ms(started), problem=f"No answer: {error}.", is_time_out="no whole answer" in str(error))
        answer = clean(fetched.raw.decode("utf-8", "replace"))
        return Tried(began, _ms(started), fetched.status, answer, problem_of(fetched.status), retry_after=fetched.retry_after)

    def _tell(self, endpoint: Endpoint, parcel: Parcel, tried: Tried, outcome: str) -> None:
        metrics.delivered(outcome, tried.ms / 1000)
        facts = {"kind": parcel.delivery.event, "id": parcel.delivery.id, "outcome": outcome, "status": tried.status, "ms": tried.ms}
        level = logging.INFO if tried.problem is None else logging.WARNING
        line = (parcel.delivery.event, outcome, tried.status or "-", tried.ms, parcel.delivery.id, endpoint.id)
        logger.log(level, "=>  %-21s %-9s %s %4d ms  %s  %s", *line, extra=facts)


def _transport(may_reach: Callable[[str], bool] | None) -> Transport:
    return Transport(WHOLE_S, most_rest_s=MOST_REST_S, most_bytes=MOST_ANSWER_BYTES, connect_s=CONNECT_S, may_reach=may_reach)


def _ms(started: float) -> int:
    return round(1000 * (monotonic() - started))
