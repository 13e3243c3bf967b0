"""The application for gunicorn and flask."""

import sys

from app import create_app
from app.config import CannotStart, share_metrics

try:
    app = create_app()
    share_metrics(app.config["POKEA"])
except CannotStart as reason:
    sys.stderr.write(f"{reason}\n")
    if "gunicorn" in sys.modules:
        raise  # a worker that merely exits would be started again and again
    raise SystemExit(1) from None
