"""What to paste into Africa's Talking's dashboard: every callback address, with how things stand with it."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from app.extensions import db
from app.schemas.callbacks import KINDS
from app.settings import Settings
from routes.addresses import callback_addresses
from services.reading import single
from services.ticks import TICKS, lacks_voice, seen_elsewhere, ticks
from services.tunnel import local_address, token_query

OTHER = "Other spellings"


def pasted(settings: Settings) -> dict[str, Any]:
    """Return what the templates of the addresses need: them by product, their ticks, and whether the public address moved."""
    single.bring_up_to_date()
    with db.engine.connect() as connection:
        found = ticks(connection, settings)
    # As it was last known: nobody waits here for a tunnel to answer.
    public = current_app.extensions["pokea.surroundings"].look(db.engine, datetime.now(UTC)).public.url
    base = public or local_address(settings)
    rows = [_row(one, f"{base}{one.path}{token_query(settings)}") for one in callback_addresses(current_app)]
    products: dict[str, list[dict[str, str]]] = {}
    for row in sorted(rows, key=lambda row: row["product"] == OTHER):
        products.setdefault(row["product"], []).append(row)
    usual = [row for row in rows if row["product"] != OTHER]
    moved = seen_elsewhere(found.values(), urlsplit(public).netloc) if public else []
    return {
        "base": base, "public": public, "products": products, "ticks": found, "signs_of_ticks": TICKS, "ago": ago,
        "has_no_voice": lacks_voice(settings), "all_text": _lines(usual),
        "moved": moved, "moved_text": _lines([row for row in usual if row["kind"] in {tick.kind for tick in moved}]),
    }  # fmt: skip


def ago(moment: datetime) -> str:
    """Return how long ago something was, in one number: 3 s ago, 2 min ago, 5 h ago, 4 days ago."""
    seconds = max(0, round((datetime.now(UTC) - moment).total_seconds()))
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def _row(address: Any, url: str) -> dict[str, str]:
    product, _, name = KINDS[address.kind].at_field.partition(" › ")
    if address.is_other_spelling:
        product, name = OTHER, address.kind
    return {"kind": address.kind, "product": product, "field": name, "purpose": KINDS[address.kind].purpose, "url": url}


def _lines(rows: list[dict[str, str]]) -> str:
    return "\n".join(f"{row['product']} › {row['field']}: {row['url']}" for row in rows)
