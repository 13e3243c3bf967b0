"""API keys: made, listed, revoked. Only a hash is kept."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from secrets import token_urlsafe

from sqlalchemy import insert, select, update
from ulid import ULID

from app.errors import GatewayError
from app.extensions import db, writing
from app.models import ApiKey

SCOPES = ("read", "send", "webhooks", "replay", "campaigns", "admin")


class UnknownKey(GatewayError):
    """No key has this id."""

    status = 404


def create_key(name: str, scopes: Sequence[str]) -> tuple[str, str]:
    """Make a key and return its id and the key itself, which is not kept. No scopes: all of them."""
    key, key_id = f"pk_{token_urlsafe(32)}", f"key_{ULID()}"
    row = {
        "id": key_id,
        "name": name,
        "prefix": key[:7],
        "key_hash": sha256(key.encode()).hexdigest(),
        "scopes": list(scopes or SCOPES),
        "created_at": datetime.now(UTC),
        "revoked_at": None,
    }
    with writing() as connection:
        connection.execute(insert(ApiKey), row)
    return key_id, key


def all_keys() -> Sequence[ApiKey]:
    """Return every key, oldest first, revoked ones too."""
    return db.session.scalars(select(ApiKey).order_by(ApiKey.id)).all()


def page_of_keys(after: str | None, limit: int) -> tuple[Sequence[ApiKey], str | None]:
    """Return a page of keys, newest first, and the id after which the next begins, None where there is none."""
    query = select(ApiKey.__table__).order_by(ApiKey.id.desc()).limit(limit + 1)
    with db.engine.connect() as connection:
        found = [ApiKey(**row._mapping) for row in connection.execute(query.where(ApiKey.id < after) if after else query)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def find_key(key: str) -> ApiKey | None:
    """Return the key that is in use, None for a text that is none."""
    hashed = sha256(key.encode("utf-8", "replace")).hexdigest()
    known = select(ApiKey.__table__).where(ApiKey.key_hash == hashed, ApiKey.revoked_at.is_(None))
    # No connection is held while the request goes on and takes another.
    with db.engine.connect() as connection:
        row = connection.execute(known).one_or_none()
    return ApiKey(**row._mapping) if row else None


def revoke_key(key_id: str) -> None:
    """Make a key worthless at once. Raises UnknownKey."""
    with writing() as connection:
        changed = connection.execute(
            update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=datetime.now(UTC))
        )
    if changed.rowcount != 1:
        raise UnknownKey(f"No key '{key_id}' that is in use. flask keys list names them.")
