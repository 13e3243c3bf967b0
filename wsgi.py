"""The application for gunicorn and flask."""

import sys

from app import create_app
from app.config import CannotStart

try:
    app = create_app()
except CannotStart as reason:
    sys.stderr.write(f"{reason}\n")
    if "gunicorn" in sys.modules:
        raise  # a worker that merely exits would be started again and again
    raise SystemExit(1) from None
