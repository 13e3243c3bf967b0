"""How gunicorn runs Pokea: threads enough for slow clients, no control socket, no query strings in the access log."""

import socket
import struct
from typing import Any

from gunicorn.glogging import Logger

from app import masking
from app.cautions import cautions, money_cautions
from app.config import CannotStart, load_settings, refuse_public_debugger, share_metrics
from app.reach import check_database
from services.upkeep import metrics, shared_counts

try:
    settings = load_settings()
except CannotStart as reason:
    raise SystemExit(str(reason)) from None

metrics_folder = share_metrics(settings)
wsgi_app = "wsgi:app"
bind = f"0.0.0.0:{settings.port}"
worker_class = "gthread"
workers = 2
threads = 32
# Whoever waits for Africa's Talking is answered before a process ends.
graceful_timeout = max(30, int(settings.at_timeout_s) + 10)
control_socket_disable = True
accesslog = "-"
# The path without its query: that may hold a secret.
access_log_format = "%(t)s %(h)s %(m)s %(U)s %(s)s %(M)s ms"
reload = settings.flask_env == "development"


class AccessLog(Logger):
    """An access log without whole phone numbers: a path may hold one."""

    def atoms(self, *arguments: Any) -> dict[str, Any]:
        """Return what a line may say of a request."""
        atoms = super().atoms(*arguments)
        atoms["U"] = masking.numbers_in(atoms["U"] or "")
        return atoms


logger_class = AccessLog
# Longest silence of a caller in the middle of a request's head; of its body: app/front.py.
HEAD_PAUSE_S = 10


def when_ready(server: Any) -> None:
    """Let no caller hold a thread with half a request: accepted connections inherit the limit of their listener."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", HEAD_PAUSE_S, 0))


def on_starting(server: Any) -> None:
    """Refuse to start, in one line, what could not work; say what is allowed but doubtful; once, before any worker."""
    try:
        for address, *_port in (listener for listener in server.cfg.address if isinstance(listener, tuple)):
            refuse_public_debugger(address)
        check_database(settings)
    except CannotStart as reason:
        raise SystemExit(str(reason)) from None
    for caution in cautions(settings):
        server.log.warning("Callbacks: %s", caution)
    for caution in money_cautions(settings):
        server.log.warning("Money: %s", caution)
    try:
        shared_counts.forget_gone(metrics_folder)
    except OSError as error:
        server.log.warning("Metrics: %s cannot be used: %s", metrics_folder, error.strerror)


def post_worker_init(_worker: Any) -> None:
    """Get ready to count, before the first callback comes."""
    metrics.prepare()
