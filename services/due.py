"""What follows from a kept callback, once: the ledger, deliveries to receivers, and reactions, all in one transaction.

Nothing here speaks to anybody: it makes the rows that others work from. So a callback is either due or done, and a process
that is killed leaves it as it was.
"""

import logging
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from app import masking
from app.errors import StorageUnavailable
from app.extensions import db, writing
from app.models import Callback
from services import ledger, ticks
from services.reactions import reactions
from services.slots import index_key
from services.webhooks import events

logger = logging.getLogger(__name__)
# So many in one transaction: others write meanwhile, and callbacks come first.
TOGETHER = 20
# Whoever reads waits for so many at most that are still due.
MOST_CAUGHT_UP = 200
# One that fails is tried again after so long; after the last it is dead.
PAUSES_S = (5, 60, 600, 3600)


def process(connection: Connection, callback: Callback, now: datetime) -> None:
    """Make everything that follows from one kept callback. Raises whatever goes wrong; the caller takes it all back."""
    ledger.fold(connection, callback, now)
    events.publish_callback(connection, callback.id, callback.kind, now)
    reactions.plan(connection, callback, now)


def run_due(limit: int = TOGETHER, condition: ColumnElement[bool] | None = None, delay_s: float = 0.0) -> int:
    """Process callbacks that are due, oldest first, in one transaction; return how many there were.

    delay_s: leave those that are due for less.
    """
    before = datetime.now(UTC) - timedelta(seconds=delay_s)
    if not _is_any_due(before, condition):
        return 0
    with writing() as connection:
        rows = _claim(connection, limit, before, condition)
        for row in rows:
            _process_one(connection, row)
        ticks.note(connection, rows, datetime.now(UTC))
    return len(rows)


def run_one(callback_id: str) -> None:
    """Process one callback if it is due and nobody else does so just now."""
    run_due(1, Callback.id == callback_id)


def catch_up(reference: str | None = None, phone: str | None = None) -> None:
    """Process what is still due, of one reference or phone where one is named, so that who reads next sees it."""
    condition = None
    if reference is not None:
        condition = Callback.reference == index_key(reference)
    elif phone is not None:
        condition = Callback.phone.in_([phone, phone.lstrip("+")])
    for _ in range(0, MOST_CAUGHT_UP, TOGETHER):
        if run_due(TOGETHER, condition) < TOGETHER:
            return


def _is_any_due(before: datetime, condition: ColumnElement[bool] | None) -> bool:
    # Only readers ask often: they need no turn to write.
    query = select(Callback.id).where(Callback.due_at <= before).limit(1)
    with db.engine.connect() as connection:
        return connection.scalar(query if condition is None else query.where(condition)) is not None


def _claim(connection: Connection, limit: int, before: datetime, condition: ColumnElement[bool] | None) -> Sequence[Callback]:
    query = select(Callback.__table__).where(Callback.due_at <= before).order_by(Callback.due_at, Callback.id).limit(limit)
    if condition is not None:
        query = query.where(condition)
    return [Callback(**row._mapping) for row in connection.execute(query.with_for_update(skip_locked=True))]


def _process_one(connection: Connection, callback: Callback) -> None:
    now = datetime.now(UTC)
    values: dict[str, object] = {"due_at": None, "last_error": None}
    try:
        with connection.begin_nested():
            process(connection, callback, now)
    except (InterfaceError, OperationalError, StorageUnavailable):
        raise  # that is the database's, and nobody's fault here: all of it comes again
    except Exception as error:  # whatever is wrong with one, the others go on
        values = _failed(callback, error, now)
    connection.execute(update(Callback).where(Callback.id == callback.id).values(values))


def _failed(callback: Callback, error: Exception, now: datetime) -> dict[str, object]:
    pause_s = PAUSES_S[callback.tries] if callback.tries < len(PAUSES_S) else None
    logger.error("%s %s could not be processed: %s", callback.kind, callback.id, type(error).__name__)
    return {
        "tries": callback.tries + 1,
        "due_at": now + timedelta(seconds=pause_s) if pause_s else None,
        "last_error": masking.numbers_in(
            "".join(traceback.format_exception_only(error)) + "".join(traceback.format_tb(error.__traceback__))
        ),
    }


def again(callback_id: str) -> bool:
    """Make a callback that was given up due again; return whether there was one."""
    dead = (Callback.id == callback_id) & Callback.due_at.is_(None) & Callback.last_error.is_not(None)
    with writing() as connection:
        return connection.execute(update(Callback).where(dead).values(due_at=datetime.now(UTC), tries=0)).rowcount == 1
