"""How endpoints are told, in answers and by commands alike: never their secret, but where it is asked for."""

from typing import Any
from urllib.parse import urlsplit

from app.masking import MASK
from app.models import Endpoint
from services.webhooks.past_deliveries import Backlog, maybe_stamp
from services.webhooks.webhook_body import stamp


def told(row: Endpoint, backlog: Backlog | None, hides_query: bool = False) -> dict[str, Any]:
    """Return what is told of an endpoint. backlog: what waits for it; None: it is new, and nothing does.

    hides_query: for who may not change it, since the query of its address may open the receiver (`?token=…`).
    """
    backlog = backlog or Backlog()
    return {
        "webhookId": row.id,
        "url": _without_values(row.url) if hides_query else row.url,
        "events": row.events,
        "active": row.is_active,
        "format": row.format,
        "secretEnds": row.secret[-4:],
        "createdAt": stamp(row.created_at),
        "offBecause": row.off_because,
        "failingSince": maybe_stamp(row.failing_since),
        "nextTryAt": maybe_stamp(row.next_try_at),
        "lastError": backlog.problem,
        "waiting": backlog.waiting,
    }


def _without_values(url: str) -> str:
    """Return an address with the names of its query, and without their values."""
    parts = urlsplit(url)
    pairs = [
        f"{name}={MASK}" if is_named else MASK for name, is_named, _ in (part.partition("=") for part in parts.query.split("&") if part)
    ]
    return parts._replace(query="&".join(pairs)).geturl()


def told_secret(row: Endpoint) -> dict[str, Any]:
    """Return the secret of an endpoint, and until when the one before is good too."""
    return {"secret": row.secret} | ({"previousValidUntil": stamp(row.previous_until)} if row.previous_until else {})
