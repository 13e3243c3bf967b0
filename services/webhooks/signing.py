"""Signs what goes to receivers, in two forms with two keys. Pure.

Standard Webhooks (specification 1.0.0): HMAC-SHA256 over `id.timestamp.body`, keyed with what stands base64-coded behind
`whsec_`. The plain form, as many older receivers check it: HMAC-SHA256 over the body alone, keyed with the whole secret as text.
"""

import hmac
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Protocol

PREFIX = "whsec_"
PREVIOUS = "-Previous"


class Signer(Protocol):
    """Whose secrets sign: an endpoint, or anything like one."""

    secret: str
    previous_secret: str | None
    previous_until: datetime | None


def sign(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """Return `v1,<base64>`. secret: whsec_ and base64. timestamp: seconds since 1970. Raises ValueError for another secret."""
    if not secret.startswith(PREFIX):
        raise ValueError("a secret begins with whsec_")
    content = content_of(event_id, timestamp, body)
    return "v1," + b64encode(hmac.digest(b64decode(secret.removeprefix(PREFIX), validate=True), content, "sha256")).decode()


def content_of(event_id: str, timestamp: int, body: bytes) -> bytes:
    """Return what is signed: `id.timestamp.body`."""
    return f"{event_id}.{timestamp}.".encode() + body


def sign_hex(secret: str, body: bytes) -> str:
    """Return `sha256=<hex>`. secret: as a whole, whsec_ included."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def headers_for(signer: Signer, event_id: str, body: bytes, content_type: str, now: datetime, header_name: str) -> dict[str, str]:
    """Return the headers of one attempt. Both secrets sign while one replaces the other.

    now: aware; of this attempt, not of the event. header_name: that of the plain form.
    """
    timestamp = int(now.timestamp())
    secrets = [signer.secret]
    if signer.previous_secret and signer.previous_until and now < signer.previous_until:
        secrets.append(signer.previous_secret)
    headers = {
        "Content-Type": content_type,
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, event_id, timestamp, body) for secret in secrets),
        header_name: sign_hex(secrets[0], body),
    }
    if len(secrets) > 1:
        headers[header_name + PREVIOUS] = sign_hex(secrets[1], body)
    return headers
