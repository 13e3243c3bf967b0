"""What makes two callbacks the same: identity, fields, and the slot that only one row can hold. Pure.

- A callback with an identity takes the slot of that identity; other fields under the same identity take one of their own.
- One without an identity takes the slot of its kind and number, and yields it to the next that is not like it.
- A refused one takes the slot of its raw body; a kind of which each is new takes none.
"""

import json
from hashlib import blake2b
from typing import Any

from app.schemas.kind import Kind


def identity_of(row: Kind, fields: dict[str, Any]) -> dict[str, str] | None:
    """Return the identifying fields with their values, "" for those that are not there; None where nothing names the thing."""
    if row.is_each_new or not any(_names(fields.get(name)) for name in row.named_by):
        return None
    return {name: _text(fields.get(name)) for name in row.identity}


def hash_of(fields: dict[str, Any]) -> bytes:
    """Return the hash of all fields, whatever their order."""
    return digest(json.dumps(fields, sort_keys=True).encode())


def slot_of_identity(kind: str, identity: dict[str, str]) -> bytes:
    """Return the slot of the first callback with this identity."""
    return digest(kind.encode(), json.dumps(list(identity.values())).encode())


def slot_of_alike(kind: str, phone: str | None) -> bytes:
    """Return the slot of the newest callback without an identity, per kind and number."""
    return digest(kind.encode(), b"alike", (phone or "").encode())


def slot_of_refused(kind: str, raw_body: bytes, query: str) -> bytes:
    """Return the slot of a refused callback."""
    return digest(kind.encode(), b"refused", raw_body, query.encode())


def index_key(value: str | None) -> str | None:
    """Return a value as indexes hold it: a long one as its beginning and its hash. PostgreSQL takes none over 2,704 bytes."""
    return value if value is None or len(value) <= 200 else f"{value[:160]}…{digest(value.encode()).hex()}"


def digest(*parts: bytes) -> bytes:
    """Return 16 bytes that stand for these parts in this order."""
    whole = blake2b(digest_size=16)
    for part in parts:
        whole.update(len(part).to_bytes(4, "big"))
        whole.update(part)
    return whole.digest()


def _names(value: Any) -> bool:
    # Africa's Talking writes the word None where it has no id: {"requestId": "None", "status": "Failed"}
    return bool(value) and _text(value).strip() not in ("", "None")


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
