"""Callbacks for tests: the samples of KINDS, the corpus, and how they go over the wire."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.schemas.callbacks import KINDS

HERE = Path(__file__).parent
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
PATHS = {
    "sms.delivery_report": "/api/sms/delivery-reports",
    "sms.incoming_message": "/api/sms/twoway",
    "sms.opt_out": "/api/sms/opt-out",
    "sms.subscription": "/api/sms/subscription",
    "voice.instructions": "/api/voice/instruct",
    "voice.event": "/api/voice/events",
    "voice.recording": "/api/v1/voice/webhook",
    "airtime.validation": "/api/airtime/validation",
    "airtime.status": "/api/airtime/status",
    "sim_swap.status": "/api/sim-swap/status",
    "ussd.session": "/api/ussd/session",
    "ussd.session_end": "/api/ussd/status",
    "payments.notification": "/api/payments/notification",
    "payments.validation": "/api/payments/validation",
}


@dataclass(frozen=True)
class Line:
    """One line of the corpus."""

    kind: str
    path: str
    content_type: str
    body: str
    complete: bool
    note: str


def corpus() -> list[Line]:
    """Return every line of the corpus, in file order."""
    return [Line(**json.loads(line)) for line in (HERE / "corpus.jsonl").read_text().splitlines()]


def encoded(kind: str, fields: dict[str, Any]) -> tuple[bytes, str]:
    """Return the body of a callback and its content type, as its kind is sent."""
    if KINDS[kind].sends_json:
        return json.dumps(fields).encode(), JSON
    return urlencode(fields).encode(), FORM


def post(client: FlaskClient, kind: str, fields: dict[str, Any] | None = None, path: str | None = None, **options: Any) -> TestResponse:
    """Post a callback of a kind, by default its sample."""
    body, content_type = encoded(kind, KINDS[kind].sample if fields is None else fields)
    return client.post(path or PATHS[kind], data=body, content_type=content_type, **options)
