"""Reads kept callbacks back: newest first for people, all of them oldest first for export."""

import base64
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select

from app import masking
from app.extensions import db
from app.models import Callback
from app.operators import operator_of
from services.replays.hiding import masked_body, masked_fields, secret_places
from services.slots import index_key

PAGE = 500
STATES = ("accepted", "differing", "refused")
# Not a state of its own: what follows from it was given up.
DEAD = "dead"


def newest(limit: int, kind: str | None = None, state: str | None = None, phone: str | None = None) -> Sequence[Callback]:
    """Return the newest callbacks that match, newest first."""
    query = select(Callback).order_by(Callback.id.desc()).limit(limit)
    if state == DEAD:
        query, state = query.where(Callback.last_error.is_not(None), Callback.due_at.is_(None)), None
    for column, wanted in ((Callback.kind, kind), (Callback.state, state), (Callback.phone, index_key(phone))):
        if wanted:
            query = query.where(column == wanted)
    return db.session.scalars(query).all()


def one(callback_id: str) -> Callback | None:
    """Return the callback of this id."""
    return db.session.get(Callback, callback_id)


def every(with_replays: bool = False) -> Iterator[Callback]:
    """Give all callbacks that came, oldest first, a page at a time; those that were made of them here only when asked."""
    query, after = select(Callback).order_by(Callback.id).limit(PAGE), ""
    if not with_replays:
        query = query.where(Callback.replay_of.is_(None))
    while page := db.session.scalars(query.where(Callback.id > after)).all():
        yield from page
        after = page[-1].id
        db.session.expunge_all()


def shown(row: Callback, hide_numbers: bool) -> dict[str, Any]:
    """Return a callback for reading: PINs and secrets masked, numbers too when asked, the operator named."""
    told = _told(row)
    return masking.everything(told) if hide_numbers else told


def _unread(row: Callback) -> str:
    """Return a body that gave no fields, for a person to see what came."""
    return masking.tokens_in(masking.raw(row.raw_body.decode("utf-8", "replace")))


def _told(row: Callback) -> dict[str, Any]:
    places = secret_places(row)
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
        "via": row.via,
        "replay_of": row.replay_of,
        "has_effects": row.has_effects,
        "pinned_at": row.pinned_at.isoformat() if row.pinned_at else None,
        "last_error": row.last_error,
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
    """Return a callback for another program: as it came; numbers and PINs masked only when asked. A replay tells of what."""
    fields = masked_fields(row) if hide_numbers else row.fields
    line = {name: getattr(row, name) for name in ("id", "kind", "received_at", "state", "repeats")}
    line |= {"received_at": row.received_at.isoformat(), "fields": fields}
    return line | raw_body(row, hide_numbers) | ({"replay_of": row.replay_of} if row.replay_of else {})


def raw_body(row: Callback, is_masked: bool) -> dict[str, str | None]:
    """Return the body as text, or as base64 where it is none; bytes that are no text cannot be masked and are left out."""
    try:
        text = row.raw_body.decode()
    except UnicodeDecodeError:
        return {"raw_body": None if is_masked else base64.b64encode(row.raw_body).decode(), "raw_encoding": "base64"}
    return {"raw_body": masked_body(row)[0] if is_masked else text}
