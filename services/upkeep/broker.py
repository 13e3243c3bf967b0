"""Work shared between machines: ids of rows through RabbitMQ or Redis, with Celery. The only file that imports it.

A message says only that there may be work; whether there is, the row knows. So a message that is lost costs seconds, until
a worker looks by itself, and one that comes twice costs nothing.
"""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import getpid
from queue import Full, Queue
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)
TASK = "pokea.work"
QUEUE = "pokea"
AT_ONCE = 4
# What waits in this process to be told to the broker; more is found by the workers themselves.
MOST_WAITING = 10_000
CONNECT_S = 2.0
# While the broker is gone, nothing is told to it for so long.
REST_S = 2.0
# Redis gives back so late what a worker that was killed had. Rows are looked at sooner than that.
VISIBLE_S = 60
# How soon a worker ends that is told to
WAKES_EVERY_S = 1.0
ARGUMENTS = [
    "--quiet", "worker", "--pool", "threads", "--concurrency", str(AT_ONCE), "--queues", QUEUE, "--loglevel", "WARNING",
    "--without-gossip", "--without-mingle", "--without-heartbeat",
]  # fmt: skip


class Broker:
    """Tells of rows from this process; whoever tells never waits for it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: Queue[str] = Queue(MOST_WAITING)
        self._lock = threading.Lock()
        # The process whose thread it is: a fork has none.
        self._started_in = 0

    def tell(self, row_id: str) -> None:
        """Let workers know, soon, that there may be work on a row."""
        if self._started_in != getpid():
            self._start()
        try:
            self._waiting.put_nowait(row_id)
        except Full:
            logger.debug("the broker is behind: %s is found by a worker", row_id)

    def _start(self) -> None:
        with self._lock:
            if self._started_in != getpid():
                self._started_in = getpid()
                threading.Thread(target=self._publish_all, name="broker", daemon=True).start()

    def _publish_all(self) -> None:
        celery, is_down, rests_until = make_celery(self._url), False, 0.0
        while True:
            row_id = self._waiting.get()
            if monotonic() < rests_until:
                continue
            try:
                celery.send_task(TASK, (row_id,), queue=QUEUE, ignore_result=True, retry=False)
                is_down = False
            except Exception as error:  # of whichever broker's library
                rests_until = monotonic() + REST_S
                if not is_down:
                    logger.error("the broker does not answer (%s): workers look for work by themselves", type(error).__name__)
                is_down = True


def make_celery(url: str) -> "Celery":
    """Return Celery for one broker: messages are taken off the queue when their work is done, results are not kept."""
    from celery import Celery

    celery = Celery("pokea", broker=url, set_as_current=False)
    celery.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_default_queue=QUEUE,
        worker_prefetch_multiplier=4,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=CONNECT_S,
        broker_transport_options={"visibility_timeout": VISIBLE_S, "socket_connect_timeout": CONNECT_S} if url.startswith("redis") else {},
    )
    return celery


def work_off(url: str, work: Callable[[str], None], hears: Callable[[bool], None]) -> str:
    """Do the work of messages until this process is told to stop, or the broker does not have us; return what ended it then, in a word.

    work: gets the id of a row. hears: told whether messages come, at each change. Signals are Celery's meanwhile, and are left so.
    """
    celery, reason = make_celery(url), _Reason()
    celery.steps["consumer"].add(_connection_step(hears))

    # Not for the app of the next try, too
    @celery.task(name=TASK, shared=False)
    def run(row_id: str) -> None:
        work(row_id)

    with _as_guest(reason):
        try:
            celery.worker_main(ARGUMENTS)
        except SystemExit:
            pass
        except Exception as error:  # of whichever broker's library
            reason.word = type(error).__name__
    hears(False)
    return reason.word


def end() -> None:
    """Have `work_off` return when what is under way is done."""
    from celery.worker import state

    state.should_stop = 0


def is_ended() -> bool:
    """Whether somebody asked for the end: by a signal that Celery took, or by `end`."""
    from celery.worker import state

    # An exit code, of which 0 is one
    return any(asked is not None and asked is not False for asked in (state.should_stop, state.should_terminate))


def _connection_step(hears: Callable[[bool], None]) -> type:
    """Return what Celery does at each connection, and at its end."""
    from celery.bootsteps import StartStopStep

    class Connection(StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)
        timer: Any = None

        def start(self, consumer: Any) -> None:
            # It sleeps on when a signal came, until the next thing is to be done: else for up to 10 s.
            self.timer = consumer.timer.call_repeatedly(WAKES_EVERY_S, int)
            hears(True)

        def stop(self, _consumer: Any) -> None:
            if self.timer:
                self.timer.cancel()
            hears(False)

    return Connection


class _Reason(logging.Filter):
    """Takes what ended Celery out of its log, where it is a page long."""

    word = "no reason given"

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is to be written."""
        if record.levelno < logging.CRITICAL or not record.exc_info or record.exc_info[1] is None:
            return True
        self.word = type(record.exc_info[1]).__name__
        return False


@contextmanager
def _as_guest(reason: _Reason) -> Iterator[None]:
    """Keep Celery from setting up logging, and from a line for each message."""
    from celery import signals
    from celery.exceptions import SecurityWarning
    from celery.worker.worker import logger as told_by_celery

    # It is about messages that hold code: ours are JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    for chatty in ("celery", "kombu", "amqp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    signals.setup_logging.connect(_leave_as_it_is)
    told_by_celery.addFilter(reason)
    try:
        yield
    finally:
        told_by_celery.removeFilter(reason)


def _leave_as_it_is(**_: Any) -> None:
    pass
