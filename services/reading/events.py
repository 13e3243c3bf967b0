"""Events as a list: what was made here, and every callback, which is an event itself, merged by their time."""

from typing import Any

from sqlalchemy import Column, Connection, select

from app.errors import Invalid
from app.extensions import Base, db
from app.models import Callback, Event
from services.reading.filters import Filters, id_range, spellings
from services.reading.lists import contains
from services.reading.paging import MOST_READ, MOST_TRIED, Page, Stream, merge, read
from services.slots import index_key
from services.webhooks import events
from services.webhooks.events import EVENTS, event_id_of, matches
from services.webhooks.webhook_body import told_callback, told_event

FILTERS = ("kind", "phone", "session", "reference", "q", "since", "until")
_OURS, _CALLBACKS = "evt_", "cb_"


def page_of(connection: Connection, filters: Filters, after: str | None, limit: int, default_country: str = "") -> Page:
    """Return one page of events, newest first; ids are events' ids. kind: a name or a family, as `sms.*`. Raises Invalid.

    At most MOST_TRIED rows of each table are looked at, MOST_READ for q: then `next` goes on from there.
    """
    names = _names(filters.kind)
    ulid = after.removeprefix(_OURS) if after else None
    pages = []
    for model, prefix in ((Callback, _CALLBACKS), (Event, _OURS)):
        for stream in _streams(model, prefix, names, filters, default_country):
            page = read(connection, stream, ulid and f"{prefix}{ulid}", limit)
            rows = [(_as_event(row_id), row) for row_id, row in page.rows]
            pages.append(Page(rows, _as_event(page.next) if page.next else None))
    return merge(pages, limit)


def told(row: Any) -> dict[str, Any]:
    """Return an event with its id, told as receivers get it. row: of events, or of callbacks."""
    if hasattr(row, "kind"):
        return {"id": event_id_of(row.id), **told_callback(Callback(**row._mapping))}
    return {"id": row.id, **told_event(Event(**row._mapping))}


def one(event_id: str) -> dict[str, Any] | None:
    """Return the event of this id, None where there is none."""
    callback_id = f"{_CALLBACKS}{event_id.removeprefix(_OURS)}"
    ours = select(Event.__table__).where(Event.id == event_id)
    callbacks = select(Callback.__table__).where(Callback.id == callback_id, Callback.state != "refused", Callback.has_effects)
    with db.engine.connect() as connection:
        row = connection.execute(ours).one_or_none() or connection.execute(callbacks).one_or_none()
    return told(row) if row else None


def _as_event(row_id: str) -> str:
    return event_id_of(row_id) if row_id.startswith(_CALLBACKS) else row_id


def _names(pattern: str | None) -> tuple[str, ...] | None:
    if pattern is None:
        return None
    if not events.is_known(pattern):
        raise Invalid(f"'kind' must be one of {', '.join(EVENTS)}, or a family as sms.*, not '{pattern[:40]}'")
    return tuple(name for name in EVENTS if matches(pattern, name))


def _streams(model: type[Base], prefix: str, names: tuple[str, ...] | None, filters: Filters, default_country: str) -> list[Stream]:
    columns: dict[str, Column] = dict(model.__table__.c)  # type: ignore[arg-type]
    name, text = (columns["kind"], columns["fields"]) if model is Callback else (columns["name"], columns["data"])
    first, end = id_range(prefix, filters.since, filters.until)
    given = [columns["id"] >= first] if first else []
    given += [columns["id"] < end] if end else []
    given += [columns["reference"] == index_key(wanted) for wanted in (filters.session, filters.reference) if wanted is not None]
    tried = [columns["state"] != "refused", columns["has_effects"]] if model is Callback else []
    tried += [name.in_(names)] if names is not None else []
    tried += [contains(text, filters.q)] if filters.q else []
    numbers = [columns["phone"] == one for one in spellings(filters.phone, default_country)] if filters.phone else [None]
    most = MOST_READ if filters.q else MOST_TRIED
    query = select(model.__table__).where(*given)
    return [Stream(query if number is None else query.where(number), columns["id"], tuple(tried), most) for number in numbers]
