"""Orders whose end is not known, newest first: a list that an index of its own holds."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, select

from app.models import Invocation, Recipient
from services.reading.paging import Page, Stream, read
from services.reading.tables import column_of
from services.upkeep.looks import is_unknown


def page_of_unknown(connection: Connection, after: str | None, limit: int) -> Page:
    """Return one page of them."""
    return read(connection, Stream(select(Invocation.__table__).where(is_unknown()), column_of(Invocation, "id")), after, limit)


def states_of(connection: Connection, invocation_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return the states of the recipients of each order."""
    query = select(Recipient.invocation_id, Recipient.state).distinct().where(Recipient.invocation_id.in_(invocation_ids))
    found: dict[str, set[str]] = defaultdict(set)
    for invocation_id, state in connection.execute(query) if invocation_ids else ():
        found[invocation_id].add(state)
    return found
