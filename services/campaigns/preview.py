"""What a campaign would be, before anything is sent: who gets it, in how many parts and batches, how long, and for how much."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.extensions import db
from services.campaigns.asked import Asked
from services.campaigns.batches import Draft
from services.gsm7 import Parts, message_parts
from services.invocations import Order
from services.preview import preview as preview_order
from services.preview import why_refused

MOST_INVALID = 20
EXAMPLES = 3


def preview(asked: Asked, drafts: Sequence[Draft], not_sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preview of a campaign. not_sent: recipients that are left out, as `invalid`, `repeated` and `opted_out`."""
    count = sum(len(draft.phones) for draft in drafts)
    parts = {draft.text: message_parts(draft.text) for draft in drafts if draft.text} if asked.channel == "sms" else {}
    texts = list(dict.fromkeys(draft.text for draft in drafts if draft.text))
    return {
        "recipients": count,
        "invalid": not_sent["invalid"][:MOST_INVALID],
        "invalid_count": len(not_sent["invalid"]),
        "repeated": not_sent["repeated"],
        "opted_out": not_sent["opted_out"],
        **_shape(parts),
        "estimated_cost": _cost(asked, drafts, parts),
        # Until the last batch goes
        "duration_s": round(sum(len(draft.phones) for draft in drafts[:-1]) / asked.rate),
        "batches": len(drafts),
        "first_texts": texts[:EXAMPLES],
        "refused": _refused(asked, drafts),
    }


def _shape(parts: Mapping[str, Parts]) -> dict[str, Any]:
    if not parts:
        return {"parts": None, "encoding": None, "unusual": "", "warning": None}
    counts = [one.parts for one in parts.values()]
    unusual = "".join(dict.fromkeys(char for one in parts.values() for char in one.unusual))[:20]
    warning = f"'{unusual}' makes a message UCS-2: 70 characters in a part instead of 160. Leave it out to pay less." if unusual else None
    encoding = "UCS-2" if unusual else "GSM-7"
    return {"parts": {"min": min(counts), "max": max(counts)}, "encoding": encoding, "unusual": unusual, "warning": warning}


def _refused(asked: Asked, drafts: Sequence[Draft]) -> str | None:
    """Return what stands in its way now, None where nothing does: settings, and the caps for all of its recipients."""
    phones = [phone for draft in drafts for phone in draft.phones]
    if not phones:
        return None
    with db.engine.connect() as connection:
        return why_refused(connection, _order(asked, phones), phones)


def _order(asked: Asked, phones: list[str]) -> Order:
    # Of one part for each number
    details = {"message": "x"} if asked.channel == "sms" else {"own_number": asked.own}
    return Order(asked.kind, phones, details, force=True)


def _cost(asked: Asked, drafts: Sequence[Draft], parts: Mapping[str, Parts]) -> dict[str, str] | None:
    """Return the sum by currency of what a part cost lately in each country, None where one is not known."""
    wanted: Counter[str] = Counter()
    samples: dict[str, str] = {}
    for draft in drafts:
        samples.setdefault(draft.country, draft.phones[0])
        wanted[draft.country] += len(draft.phones) * (parts[draft.text].parts if draft.text and parts else 1)
    sums: dict[str, Decimal] = {}
    is_known = bool(samples)
    for country, phone in samples.items():
        cost = preview_order(_order(asked, [phone]))["estimated_cost"]
        is_known = is_known and cost is not None
        for currency, amount in (cost or {}).items():
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(amount) * wanted[country]
    return {currency: f"{total:.4f}" for currency, total in sums.items()} if is_known else None
