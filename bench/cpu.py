"""What one callback costs in this process alone, without sockets."""

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TextIO

from werkzeug.test import EnvironBuilder

from bench.servers import ROOT

PATH = "/api/sms/delivery-reports"
COUNT, ROUNDS = 400, 7


def cpu_ratio() -> float:
    """Return the CPU time of a kept callback (SQLite), in units of form parsing and marshmallow alone."""
    from flask import Flask, request
    from flask_migrate import upgrade

    from app import create_app
    from app.config import load_settings
    from app.schemas.callbacks import KINDS

    with tempfile.TemporaryDirectory() as folder:
        settings = replace(load_settings(None), database_url=f"sqlite:///{folder}/cpu.db", instance_dir=Path(folder), callback_token=())
        app = create_app(settings)
        with app.app_context():
            upgrade()
        bare, schema = Flask("bare"), KINDS["sms.delivery_report"].schema

        @bare.post(PATH)
        def load() -> str:
            schema.load(request.form.to_dict())
            return "OK"

        with Path(os.devnull).open("w") as nowhere, _log_into(nowhere):
            return median(_cpu(app.wsgi_app) / _cpu(bare.wsgi_app) for _ in range(ROUNDS))


def import_seconds() -> float:
    """Return how long a warm process takes from nothing to an application."""
    code = "import time; began = time.monotonic(); import wsgi; print(time.monotonic() - began)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout) for _ in range(6)
    ]
    return median(times[1:])


@contextmanager
def _log_into(stream: TextIO) -> Iterator[None]:
    """Write the lines, as always, but where they disturb nobody."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)]
    before = [handler.setStream(stream) for handler in handlers]
    yield
    for handler, stream_before in zip(handlers, before, strict=True):
        handler.setStream(stream_before or sys.stderr)


def _cpu(wsgi: Callable) -> float:
    spent = 0.0
    for _ in range(COUNT):
        body = f"id=ATXid_{os.urandom(16).hex()}&status=Success&phoneNumber=%2B254711000017&networkCode=63902&retryCount=0".encode()
        environ = EnvironBuilder(PATH, method="POST", data=body, content_type="application/x-www-form-urlencoded").get_environ()
        began = time.process_time()
        answer = wsgi(environ, lambda *_: None)
        b"".join(answer)
        answer.close()
        spent += time.process_time() - began
    return spent
