"""Forms that have an effect once, however often they are sent: a double click, a reload, a second tab."""

from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from app.errors import Conflict, Invalid
from app.extensions import writing
from app.schemas.bodies import clean
from services.upkeep.marks import forget_marks, leave_mark, read_mark, write_mark

# Longer than anybody keeps a page open.
KEPT_FOR = timedelta(days=2)
_PREFIX = "form "
_MOST_LETTERS = 100


def new_form_key() -> str:
    """Return a key for one form."""
    return token_urlsafe(18)


def take(key: str, now: datetime) -> Any:
    """Return None where the form comes for the first time, else what was made of it.

    Raises Invalid without a key, and Conflict while the first is under way, or where nobody knows what became of it.
    """
    if not key or len(key) > _MOST_LETTERS:
        raise Invalid("This form has no key, so that it could be sent twice: nothing was done. Reload the page.")
    with writing() as connection:
        forget_marks(connection, _PREFIX, now - KEPT_FOR)
        if leave_mark(connection, _name(key), now):
            return None
        made = read_mark(connection, _name(key))
    if made is None:
        raise Conflict("This form was sent already, and is not done yet: look in a moment what became of it.")
    return made


def made_of(key: str, made: str, now: datetime) -> None:
    """Remember what was made of a form, for whoever sends it again."""
    with writing() as connection:
        write_mark(connection, _name(key), made, now)


def _name(key: str) -> str:
    return _PREFIX + clean(key)
