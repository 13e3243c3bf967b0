"""What a reader asks for in the query of /api/v1: filters, the place in a list, how long to wait."""

import re
from collections.abc import Sequence

from flask import request

from app.errors import Invalid
from app.schemas.bodies import clean
from routes.api import moment, page
from services.reading.filters import NAMES, Filters
from services.reading.waiting import MOST_WAIT_S

_CURSOR = re.compile(r"[a-z]{2,4}_[0-9A-Z]{10,26}", re.ASCII)


def filters_of(what: str, known: Sequence[str], others: Sequence[str] = ()) -> Filters:
    """Return the filters of the query. Raises Invalid for one that this list does not have."""
    for name in request.args:
        if name not in known and name not in others:
            has = ", ".join(one for one in NAMES if one in known)
            raise Invalid(f"{what} cannot be filtered by '{clean(name)[:40]}'. It takes {has}, and {', '.join(others)}.")
    return filters_given()


def filters_given() -> Filters:
    """Return the filters of the query, whatever else it holds. Raises Invalid for a time that is none."""
    given = {name: clean(value) for name, value in request.args.items() if name in NAMES and value}
    times = {name: moment(name) for name in ("since", "until")}
    return Filters(**{**given, **times})  # type: ignore[arg-type]


def cursor() -> tuple[str | None, int]:
    """Return the id after which the page begins, and how many rows it has. Raises Invalid."""
    after, limit = page()
    if after and not _CURSOR.fullmatch(after):
        raise Invalid("'after' must be the 'next' of the page before")
    return after, limit


def wait_s() -> float:
    """Return the seconds that the caller would wait for a change. Raises Invalid."""
    text = request.args.get("wait", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 3) or int(text) > MOST_WAIT_S:
        raise Invalid(f"'wait' must be whole seconds from 0 to {MOST_WAIT_S}")
    return float(text)
