"""Log lines, readable or JSON, from the standard logging calls; numbers and secrets are masked on the way out."""

import json
import logging
import sys
from datetime import UTC, datetime

from flask import has_request_context, request

from app import masking
from app.front import REQUEST_ID
from app.settings import Settings, secrets_of

# What a line may carry besides its message, given as `extra`.
EXTRAS = ("kind", "id", "outcome", "status", "ms")


def configure_logging(settings: Settings) -> None:
    """Send every log record to standard error, one line each, in the format that the settings name."""
    # Nothing of these is in a line, so nobody has to look them up.
    logging.logThreads = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((JSONLine if settings.log_format == "json" else TextLine)(settings.log_payloads, secrets_of(settings)))
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other.formatter, TextLine)] + [handler]
    root.setLevel(logging.DEBUG if settings.flask_env == "development" else logging.INFO)
    for chatty in ("urllib3", "alembic", "flask-limiter", "psycopg"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class TextLine(logging.Formatter):
    """A line for people: time of day, level unless it is info, message, request id for what went wrong."""

    def __init__(self, show_numbers: bool, secrets: tuple[str, ...] = ()) -> None:
        """secrets: what must not stand in a line, wherever it comes from."""
        super().__init__()
        self.show_numbers, self.secrets = show_numbers, secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, and its traceback below."""
        message = self.masked(record.getMessage())
        # What a caller sent must not begin a line of its own.
        message = message if message.isprintable() else repr(message)[1:-1]
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        if record.levelno == logging.INFO:
            return f"{time}  {message}"
        about = f"  [{_request_id()}]" if has_request_context() else ""
        return "\n".join([f"{time}  {record.levelname}  {message}{about}", *self.traceback(record)])

    def masked(self, text: str) -> str:
        """Return the text without tokens and, unless LOG_PAYLOADS, without whole phone numbers."""
        text = masking.tokens_in(text, self.secrets)
        return text if self.show_numbers else masking.numbers_in(text)

    def traceback(self, record: logging.LogRecord) -> list[str]:
        """Return the traceback of a record, if it has one; `frames` is one without the error's own words."""
        text = self.formatException(record.exc_info) if record.exc_info else getattr(record, "frames", "")
        return [self.masked(text)] if text else []


class JSONLine(TextLine):
    """A line for programs: one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.masked(record.getMessage()),
        }
        if has_request_context():
            line["request_id"] = _request_id()
        line |= {name: record.__dict__[name] for name in EXTRAS if name in record.__dict__}
        for traceback in self.traceback(record):
            line["exception"] = traceback
        return json.dumps(line, ensure_ascii=False)


def _request_id() -> str:
    return request.environ.get(REQUEST_ID, "")
