"""Finds work that is due and has it done: callbacks, deliveries, reactions, campaigns, and the upkeep between them.

Rows are the truth, so it can be stopped or killed at any time, and several can run at once.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.errors import GatewayError, StorageUnavailable
from app.extensions import writing
from app.settings import Settings
from services import campaigns, due, past_invocations
from services.reactions import reactions
from services.upkeep import alerts, marks, pulling, retention
from services.upkeep.processes import own_name
from services.webhooks.courier import Courier

logger = logging.getLogger(__name__)
TICK_S = 0.05
# Between two transactions in a row, so that callbacks get their turn.
BREATH_S = 0.005
MOST_IN_A_ROW = 10
# With a broker: what is due for so long was not told, or whoever had it is gone.
SWEEP_AFTER_S, SWEEP_TICK_S = 2.0, 0.2
# While the database is gone
PAUSE_S = 1.0
REACTIONS_AT_ONCE, BATCHES_AT_ONCE, UPKEEP_AT_ONCE = 4, 4, 3
# A worker that was killed leaves its mark.
FORGOTTEN_AFTER = timedelta(days=1)
# As long as a delivery may take, and a little more.
PATIENCE_S = 20.0


class Worker:
    """One process that works until it is told to stop."""

    def __init__(self, app: Flask, settings: Settings, delay_s: float = 0.0) -> None:
        """delay_s: leave what is due for less to others, who learn of it from a broker."""
        self._app, self._settings, self.delay_s = app, settings, delay_s
        self.courier = Courier(app, settings)
        self.stopping = threading.Event()
        self._name = f"worker:{own_name()}"
        self._pool = ThreadPoolExecutor(REACTIONS_AT_ONCE + BATCHES_AT_ONCE + UPKEEP_AT_ONCE, "work")
        self._reacting: set[Future] = set()
        self._sending: set[Future] = set()
        # One of each at a time: a long one keeps none of the others waiting.
        self._upkeep: dict[str, Future] = {}
        self._next_at: dict[str, float] = {}
        self._is_down = False

    def run(self) -> None:
        """Work until `stopping` is set; then finish what is under way."""
        with self._app.app_context():
            if self._settings.is_live:
                self._keep_up("pull", 3600.0, pulling.pull)
            while not self.stopping.is_set():
                busy = self._guarded(self._tick)
                self.stopping.wait(BREATH_S if busy else PAUSE_S if self._is_down else SWEEP_TICK_S if self.delay_s else TICK_S)
        self._end()

    def work(self, row_id: str) -> None:
        """Do the work on one row that a message names; nothing where it is done already."""
        with self._app.app_context():
            if row_id.startswith("cb_"):
                due.run_one(row_id)
                self.courier.wake_due()
                self._tell_all(reactions.waiting_of(row_id))
            elif row_id.startswith("rct_"):
                reactions.run_one(row_id)

    def _tell_all(self, row_ids: list[str]) -> None:
        broker = self._app.extensions["pokea.broker"]
        for row_id in row_ids:
            broker.tell(row_id)

    def run_once(self) -> int:
        """Do everything that is due now, and return how many things that were."""
        count = 0
        with self._app.app_context():
            while number := due.run_due():
                count += number
            while number := reactions.run_due(REACTIONS_AT_ONCE, _now()):
                count += number
            while number := campaigns.run_due():
                count += number
            while number := self.courier.wake_due():
                count += number
                self.courier.wait_until_idle(PATIENCE_S)
        self._end()
        return count

    def _tick(self) -> bool:
        number = 0
        for _ in range(MOST_IN_A_ROW):
            found = due.run_due(delay_s=self.delay_s)
            number += found
            if found < due.TOGETHER or self.stopping.wait(BREATH_S):
                break
        self.courier.wake_due()
        self.courier.widen()
        self._react()
        if self._is_time("campaigns", 0.2):
            self._send_batches()
        self._keep_up("heartbeat", 5.0, self._beat)
        self._keep_up("invocations", 2.0, past_invocations.bring_up_to_date)
        self._keep_up("unsettled campaigns", 30.0, campaigns.catch_up_all)
        self._keep_up("alerts", 10.0, lambda: alerts.check(_now()))
        if self._settings.retention_days:
            self._keep_up("retention", 600.0, self._prune)
        return number >= due.TOGETHER

    def _react(self) -> None:
        self._reacting = {future for future in self._reacting if not future.done()}
        free = REACTIONS_AT_ONCE - len(self._reacting)
        for reaction_id in reactions.claim(free, _now()) if free else []:
            self._reacting.add(self._begin(reactions.run_one, reaction_id))

    def _send_batches(self) -> None:
        self._sending = {future for future in self._sending if not future.done()}
        # One at a time, so that a stop waits for those that are under way and no more.
        while len(self._sending) < BATCHES_AT_ONCE and (batch_id := campaigns.claim(_now())):
            self._sending.add(self._begin(campaigns.run_batch, batch_id))

    def _keep_up(self, what: str, every_s: float, work: Callable[[], object]) -> None:
        """Begin some upkeep if it is time, and if it is not under way still."""
        before = self._upkeep.get(what)
        if (before is None or before.done()) and self._is_time(what, every_s):
            self._upkeep[what] = self._begin(work)

    def _beat(self) -> None:
        with writing() as connection:
            marks.write_mark(connection, self._name, {"is_shared": self.delay_s > 0}, _now())
            marks.forget_marks(connection, "worker:", _now() - FORGOTTEN_AFTER)

    def _prune(self) -> None:
        retention.prune_if_due(self._settings.retention_days or 0, _now(), lambda: not self.stopping.is_set())

    def _is_time(self, what: str, every_s: float) -> bool:
        now = monotonic()
        if now < self._next_at.get(what, 0.0):
            return False
        self._next_at[what] = now + every_s
        return True

    def _begin(self, work: Callable, *arguments: object) -> Future:
        def run() -> None:
            with self._app.app_context():
                self._guarded(work, *arguments)

        return self._pool.submit(run)

    def _guarded(self, work: Callable, *arguments: object) -> bool:
        """Do something; what goes wrong is logged and comes again, because its row is still due."""
        try:
            done = work(*arguments)
            if self._is_down:
                logger.info("the database answers again")
            self._is_down = False
            return done is True
        except (SQLAlchemyError, StorageUnavailable) as error:
            if not self._is_down:
                logger.error("work waits: the database does not answer (%s)", type(error).__name__)
            self._is_down = True
        except GatewayError as error:
            logger.warning("%s", error.message)
        except Exception:  # the one place for whatever it may be
            logger.exception("work failed")
        return False

    def _end(self) -> None:
        self._pool.shutdown(wait=True)
        self.courier.stop(PATIENCE_S)
        with self._app.app_context():
            self._guarded(self._say_goodbye)

    def _say_goodbye(self) -> None:
        with writing() as connection:
            marks.forget_mark(connection, self._name)


def _now() -> datetime:
    return datetime.now(UTC)
