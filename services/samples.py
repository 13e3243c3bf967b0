"""Realistic callbacks made from the samples of KINDS: what `flask trigger` posts, and the pages."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import new as hmac
from secrets import token_hex
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import requests

from app.errors import NotReady
from app.schemas.callbacks import KINDS, Kind
from app.settings import Settings
from services.tunnel import token_query

# By this a sample is told from what Africa's Talking sends; the first word passes a check for its user agents.
USER_AGENT = "at-ussd-api/1.0 (flask trigger)"


@dataclass(frozen=True)
class Sent:
    """What one posted callback was answered. id and state: of the row that stands for it, where this app kept it."""

    status: int
    answer: str
    ms: int
    id: str | None
    state: str | None

    @property
    def is_good(self) -> bool:
        """Whether it was taken. USSD and voice answer 200 to what they refuse: a person hears it."""
        return self.status < 400 and self.state != "refused"


def make_sample(kind: str, settings: Settings, changes: Mapping[str, Any], new_id: Callable[[], str]) -> dict[str, Any]:
    """Return the fields of a sample with ids of its own, this app's numbers and codes, and the changes asked for.

    changes: {name: value}, None for a field to leave out.
    """
    row = KINDS[kind]
    fields = dict(row.sample) | new_ids(kind, row.sample, new_id)
    own = {
        "to": settings.at_shortcode,
        "shortCode": settings.at_shortcode,
        "destinationNumber": settings.at_voice_number,
        "serviceCode": settings.at_ussd_code,
    }
    fields |= {name: value for name, value in own.items() if value and name in fields}
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def new_ids(kind: str, fields: dict[str, Any], new_id: Callable[[], str]) -> dict[str, str | None]:
    """Return the fields that name what a callback is about, with other ids of the same look; None for what is to be left out."""
    row = KINDS[kind]
    # It names the order that made a call, and no order made the new one.
    found: dict[str, str | None] = dict.fromkeys({"clientRequestId"} & fields.keys())
    for name in {*row.named_by, *row.reference} & fields.keys():
        prefix, underscore, _ = str(fields[name]).rpartition("_")
        found[name] = f"{prefix}{underscore}{new_id()}"
    return found


def post_sample(kind: str, url: str, fields: dict[str, Any], settings: Settings) -> Sent:
    """Post a callback in its kind's own form, with the proof that the settings ask for. Raises requests' exceptions."""
    return post_body(url, *encoded(KINDS[kind], fields), settings)


def post_body(url: str, body: bytes, content_type: str, settings: Settings) -> Sent:
    """Post bytes as a callback, with the proof that the settings ask for. Raises requests' exceptions."""
    headers = {"Content-Type": content_type, "User-Agent": USER_AGENT}
    if settings.webhook_secret:
        headers[settings.callback_signature_header] = "sha256=" + hmac(settings.webhook_secret[0].encode(), body, sha256).hexdigest()
    began = monotonic()
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(url, data=body, headers=headers, timeout=30, allow_redirects=False)
    kept = (answer.headers.get(name) for name in ("X-Pokea-Id", "X-Pokea-State"))
    return Sent(answer.status_code, answer.text, round(1000 * (monotonic() - began)), *kept)


def send_sample(kind: str, base: str, path: str, settings: Settings, changes: Mapping[str, Any] | None = None) -> Sent:
    """Post a sample of a kind to an address of this app. base: how it is reached. Raises NotReady where nothing takes it."""
    fields = make_sample(kind, settings, changes or {}, lambda: token_hex(16))
    try:
        return post_sample(kind, f"{base}{path}{token_query(settings)}", fields, settings)
    except requests.RequestException as error:
        raise NotReady(f"Nothing took the sample at {base} ({type(error).__name__}). Is PORT right?") from error


def encoded(row: Kind, fields: dict[str, Any]) -> tuple[bytes, str]:
    """Return the body and Content-Type of a callback, as its kind is sent."""
    if row.sends_json:
        return json.dumps(fields, ensure_ascii=False).encode(), "application/json"
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"
