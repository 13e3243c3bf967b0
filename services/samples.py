"""Realistic callbacks made from the samples of KINDS: what `flask trigger` posts."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from hmac import new as hmac
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import requests

from app.config import Settings
from app.schemas.callbacks import KINDS, Kind


@dataclass(frozen=True)
class Sent:
    """What one posted callback was answered."""

    status: int
    answer: str
    ms: int
    id: str | None


def make_sample(kind: str, settings: Settings, changes: dict[str, str], new_id: Callable[[], str]) -> dict[str, Any]:
    """Return the fields of a sample with ids of its own, this app's numbers and codes, and the changes asked for."""
    row = KINDS[kind]
    fields = dict(row.sample)
    for name in {*row.named_by, *row.reference} & fields.keys():
        prefix, underscore, _ = str(fields[name]).rpartition("_")
        fields[name] = f"{prefix}{underscore}{new_id()}"
    own = {
        "to": settings.at_shortcode,
        "shortCode": settings.at_shortcode,
        "destinationNumber": settings.at_voice_number,
        "serviceCode": settings.at_ussd_code,
    }
    fields |= {name: value for name, value in own.items() if value and name in fields}
    return fields | changes


def post_sample(kind: str, url: str, fields: dict[str, Any], settings: Settings) -> Sent:
    """Post a callback in its kind's own form, with the proof that the settings ask for. Raises requests' exceptions."""
    body, content_type = _encoded(KINDS[kind], fields)
    headers = {"Content-Type": content_type, "User-Agent": "at-ussd-api/1.0 (flask trigger)"}
    if settings.webhook_secret:
        headers[settings.callback_signature_header] = "sha256=" + hmac(settings.webhook_secret[0].encode(), body, sha256).hexdigest()
    began = monotonic()
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(url, data=body, headers=headers, timeout=30, allow_redirects=False)
    return Sent(answer.status_code, answer.text, round(1000 * (monotonic() - began)), answer.headers.get("X-Pokea-Id"))


def _encoded(row: Kind, fields: dict[str, Any]) -> tuple[bytes, str]:
    if row.sends_json:
        return json.dumps(fields, ensure_ascii=False).encode(), "application/json"
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"
