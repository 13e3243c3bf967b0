"""Codes that open the dashboard once, for who has a terminal where Pokea runs. Only a hash is kept."""

from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe

from sqlalchemy import delete, select

from app.extensions import db, writing
from app.models import Mark
from services.upkeep.marks import forget_marks, write_mark

GOOD_FOR = timedelta(minutes=15)
_PREFIX = "login code "


def make(now: datetime) -> str:
    """Return a new code, good once within GOOD_FOR. Raises StorageUnavailable or SQLAlchemyError."""
    code = token_urlsafe(24)
    with writing() as connection:
        forget_marks(connection, _PREFIX, now - GOOD_FOR)
        write_mark(connection, _name(code), None, now)
    return code


def use(code: str, now: datetime) -> bool:
    """Whether a code is good; it no longer is afterwards."""
    # A look costs little, whoever guesses.
    with db.engine.connect() as connection:
        if connection.scalar(select(Mark.name).where(Mark.name == _name(code))) is None:
            return False
    with writing() as connection:
        used = delete(Mark).where(Mark.name == _name(code), Mark.updated_at > now - GOOD_FOR)
        return connection.execute(used).rowcount == 1


def _name(code: str) -> str:
    return _PREFIX + sha256(code.encode("utf-8", "replace")).hexdigest()
