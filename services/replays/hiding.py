"""What of a kept callback may be shown to others: its fields and body without numbers, PINs and secrets, however they are written."""

from typing import Any
from urllib.parse import unquote

from sqlalchemy import select

from app import masking
from app.extensions import db
from app.models import Callback
from app.schemas.bodies import clean
from services.replays.editing import edited


def secret_places(row: Callback) -> list[int]:
    """Return the places of secrets in what was typed; the end of a session repeats all of it."""
    if row.kind != "ussd.session_end":
        return row.secret_places or []
    hops = select(Callback.secret_places).where(Callback.reference == row.reference, Callback.kind == "ussd.session")
    return sorted({place for places in db.session.scalars(hops) for place in places or []})


def masked_fields(row: Callback) -> dict[str, Any]:
    """Return the fields of a callback for others."""
    return masking.everything(masking.fields(row.kind, row.fields, secret_places(row), hide_numbers=True))


def masked_body(row: Callback) -> tuple[str, str]:
    """Return body and Content-Type for others. A body that spells a number in a way that is not seen is made again of its fields."""
    text = clean(bytes(row.raw_body).decode("utf-8", "replace"))
    masked = masking.tokens_in(masking.numbers_in(text if row.kind.startswith("sms.") else masking.raw(text)))
    # \u0032 in JSON and %32 in a form are a 2.
    spelled = unquote(masked.replace("\\u00", "%"))
    if masking.numbers_in(spelled) == spelled and not _names_a_typed_secret(row):
        return masked, row.content_type
    if not row.fields:
        return masking.numbers_in(spelled), row.content_type
    body, content_type = edited(Callback(fields=masked_fields(row), raw_body=row.raw_body, content_type=row.content_type), {})
    return body.decode(), content_type


def _names_a_typed_secret(row: Callback) -> bool:
    return bool(secret_places(row)) or any(masking.is_secret_name(name) for name in row.fields)
