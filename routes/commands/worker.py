"""flask worker: does what is due after callbacks are answered."""

import logging
import signal
import threading
from collections.abc import Callable
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from app.config import CannotStart
from app.reach import check_database
from app.settings import Settings
from routes.commands.output import talk

logger = logging.getLogger(__name__)
# A broker that does not have us, since its password was changed, may do so later.
AGAIN_S = 30.0


@click.command("worker")
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
@click.option("--quiet", is_flag=True, help="Say nothing at the start.")
@with_appcontext
def worker(once: bool, quiet: bool) -> None:
    """Work on what is due: the ledger, reactions, webhooks, campaigns, alerts, and the removal of what is old.

    As many as you like may run, on one machine or on many. With BROKER_URL they share work through the broker.

    Example: flask worker
    """
    from services.upkeep.worker import Worker

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    settings: Settings = app.config["POKEA"]
    try:
        check_database(settings)
    except CannotStart as reason:
        raise click.ClickException(str(reason)) from reason
    if once:
        count = Worker(app, settings).run_once()
        click.echo("idle" if count == 0 else f"{count} done, now idle")
        return
    if not quiet:
        talk(f"Working{' with the broker' if settings.broker_url else ''}. Ctrl+C, or SIGTERM, ends it when what is under way is done.")
    raise SystemExit(_shared(app, settings) if settings.broker_url else _alone(app, settings))


def _alone(app: Flask, settings: Settings) -> int:
    from services.upkeep.worker import Worker

    working = Worker(app, settings)

    _on_signals(working.stopping.set)
    working.run()
    return 0


def _on_signals(stop: Callable[[], None]) -> None:
    def told(_number: int, _frame: Any) -> None:
        stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told)


def _shared(app: Flask, settings: Settings) -> int:
    """Work on what the broker tells of; while it does not have us, on all that is found here, as a worker does alone."""
    from services.upkeep import broker
    from services.upkeep.worker import SWEEP_AFTER_S, Worker

    working = Worker(app, settings)

    def stop() -> None:
        working.stopping.set()
        broker.end()

    def hear(has_broker: bool) -> None:
        working.delay_s = SWEEP_AFTER_S if has_broker else 0.0

    _on_signals(stop)
    sweeping = threading.Thread(target=working.run, name="sweep")
    sweeping.start()
    try:
        while not working.stopping.is_set():
            why = broker.work_off(settings.broker_url, working.work, hear)
            _on_signals(stop)  # Celery took them
            if broker.is_ended():
                break
            logger.error("the broker does not have this worker (%s): it goes on alone, and asks again in %.0f s", why, AGAIN_S)
            working.stopping.wait(AGAIN_S)
    finally:
        working.stopping.set()
        sweeping.join()
    return 0
