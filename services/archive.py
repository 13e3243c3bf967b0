"""Reads kept callbacks back: newest first for people, all of them oldest first for export."""

import base64
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select

from app import masking
from app.extensions import db
from app.models import Callback
from app.operators import operator_of
from services.slots import index_key

PAGE = 500


def newest(limit: int, kind: str | None = None, state: str | None = None, phone: str | None = None) -> Sequence[Callback]:
    """Return the newest callbacks that match, newest first."""
    query = select(Callback).order_by(Callback.id.desc()).limit(limit)
    for column, wanted in ((Callback.kind, kind), (Callback.state, state), (Callback.phone, index_key(phone))):
        if wanted:
            query = query.where(column == wanted)
    return db.session.scalars(query).all()


def one(callback_id: str) -> Callback | None:
    """Return the callback of this id."""
    return db.session.get(Callback, callback_id)


def every() -> Iterator[Callback]:
    """Give all callbacks, oldest first, a page at a time."""
    after = ""
    while page := db.session.scalars(select(Callback).where(Callback.id > after).order_by(Callback.id).limit(PAGE)).all():
        yield from page
        after = page[-1].id
        db.session.expunge_all()


def shown(row: Callback, hide_numbers: bool) -> dict[str, Any]:
    """Return a callback for reading: PINs and secrets masked, numbers too when asked, the operator named."""
    told = _told(row)
    return masking.everything(told) if hide_numbers else told


def _secret_places(row: Callback) -> list[int]:
    """Return the places of secrets in what was typed; the end of a session repeats all of it."""
    if row.kind != "ussd.session_end":
        return row.secret_places or []
    hops = select(Callback.secret_places).where(Callback.reference == row.reference, Callback.kind == "ussd.session")
    return sorted({place for places in db.session.scalars(hops) for place in places or []})


def _unread(row: Callback) -> str:
    """Return a body that gave no fields, for a person to see what came."""
    return masking.tokens_in(masking.raw(row.raw_body.decode("utf-8", "replace")))


def _told(row: Callback) -> dict[str, Any]:
    places = _secret_places(row)
    operator = operator_of(str(row.fields.get("networkCode", "")), row.phone)
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "received_at": row.received_at.isoformat(),
        "phone": row.phone,
        "operator": f"{operator.name} {operator.country}" if operator else None,
        "reference": row.reference,
        "repeats": row.repeats,
        "repeated_at": row.repeated_at.isoformat() if row.repeated_at else None,
        "repeated_from": row.repeated_from,
        "differs_from": row.differs_from,
        "identity": row.identity and masking.fields(row.kind, row.identity, places),
        "path": row.path,
        "query": masking.query(row.kind, row.query),
        "source": row.source,
        "checks": row.checks,
        "content_type": row.content_type,
        "headers": row.headers,
        "fields": masking.fields(row.kind, row.fields, places),
        "raw_body": None if row.fields else _unread(row),
        "errors": row.errors,
        "flags": row.flags,
        "answer": row.answer,
        "answer_status": row.answer_status,
        "ms": row.ms,
        "spent": row.spent,
        "app": row.app,
    }


def exported(row: Callback, hide_numbers: bool) -> dict[str, Any]:
    """Return a callback for another program: as it came; numbers and PINs masked only when asked."""
    fields = masking.fields(row.kind, row.fields, _secret_places(row), hide_numbers=True) if hide_numbers else row.fields
    line = {name: getattr(row, name) for name in ("id", "kind", "received_at", "state", "repeats")}
    line |= {"received_at": row.received_at.isoformat(), "fields": fields}
    return line | raw_body(row, hide_numbers)


def raw_body(row: Callback, is_masked: bool) -> dict[str, str | None]:
    """Return the body as text, or as base64 where it is none; bytes that are no text cannot be masked and are left out."""
    try:
        text = row.raw_body.decode()
    except UnicodeDecodeError:
        return {"raw_body": None if is_masked else base64.b64encode(row.raw_body).decode(), "raw_encoding": "base64"}
    is_message = row.kind.startswith("sms.")
    return {"raw_body": masking.numbers_in(text if is_message else masking.raw(text)) if is_masked else text}
