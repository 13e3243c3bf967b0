"""/api/v1, read: callbacks, invocations, sessions, messages, recordings, payments, opt-outs, subscriptions, costs, events, balance."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, current_app, request

from app import masking
from app.errors import Invalid
from app.extensions import db
from app.models import Callback
from app.schemas.bodies import clean
from routes.api import listed, needs, page, success
from routes.asked import cursor, filters_of, wait_s
from services import archive, past_invocations
from services.balance import current_balance
from services.reading import costs, events, single
from services.reading.filters import Filters, spellings
from services.reading.lists import page_of
from services.reading.paging import Page
from services.reading.tables import LISTS
from services.replays import exports
from services.tunnel import local_address

bp = Blueprint("reading", __name__)
PAGES = ("after", "limit")
MEDIA = {"csv": "text/csv", "curl": "text/plain", "jsonl": "application/x-ndjson"}
# The id that begins the next page of what is not JSON.
NEXT = "X-Pokea-Next"


def _masked(data: Any) -> Any:
    return masking.everything(data) if current_app.config["POKEA"].privacy else data


def _country() -> str:
    return str(current_app.config["POKEA"].default_country)


def _read(name: str, filters: Filters) -> Page:
    after, limit = cursor()
    with db.engine.connect() as connection:
        return page_of(connection, name, filters, after, limit, _country())


def _list(name: str) -> Response:
    entry, filters = LISTS[name], filters_of(name, LISTS[name].filters, PAGES)
    if name == "invocations":
        past_invocations.bring_up_to_date()
    elif name != "callbacks":
        single.bring_up_to_date(phone=spellings(filters.phone, _country())[0] if filters.phone else None)
    found = _read(name, filters)
    hides = current_app.config["POKEA"].privacy
    with db.engine.connect() as connection:
        rows = [entry.tell(connection, row, hides) for _, row in found.rows]
    return listed(_masked(rows), found.next)


def _view_of(name: str) -> Callable[[], Response]:
    @needs("read")
    def view() -> Response:
        return _list(name)

    return view


for _name in LISTS:
    if _name != "callbacks":
        bp.add_url_rule(f"/{_name}", f"list_{_name}", _view_of(_name))


@bp.get("/callbacks")
@needs("read")
def list_callbacks() -> Response:
    """What Africa's Talking posted, newest first; as JSON, or one line each, without replays: ?format=csv, curl or jsonl (&replays=1)."""
    form = request.args.get("format", "json")
    if form == "json":
        entry = LISTS["callbacks"]
        found = _read("callbacks", filters_of("callbacks", entry.filters, (*PAGES, "format")))
        hides = current_app.config["POKEA"].privacy
        return listed([archive.shown(Callback(**row._mapping), hides) for _, row in found.rows], found.next)
    if form not in MEDIA:
        raise Invalid(f"'format' must be one of json, {', '.join(MEDIA)}, not '{clean(form)[:40]}'")
    return _lines(form)


def _lines(form: str) -> Response:
    found = _read("callbacks", filters_of("callbacks", LISTS["callbacks"].filters, (*PAGES, "format", "replays")))
    settings, has_replays = current_app.config["POKEA"], _flag("replays")
    # A page may be short so, as where few rows match: its next one goes on.
    rows = [Callback(**row._mapping) for _, row in found.rows if has_replays or row.replay_of is None]
    lines = [exports.line_of(row, form, settings.privacy, local_address(settings)) for row in rows]
    text = "".join(f"{line}\n" for line in ([exports.CSV_HEADER, *lines] if form == "csv" else lines))
    response = Response(text.encode("utf-8", "surrogateescape"), mimetype=MEDIA[form])
    if found.next:
        response.headers[NEXT] = found.next
    return response


def _flag(name: str) -> bool:
    value = request.args.get(name, "0")
    if value not in ("0", "1"):
        raise Invalid(f"'{name}' must be 0 or 1")
    return value == "1"


@bp.get("/events")
@needs("read")
def list_events() -> Response:
    """What receivers are told of, newest first: callbacks, and what was made here."""
    filters = filters_of("events", events.FILTERS, PAGES)
    single.bring_up_to_date()
    after, limit = cursor()
    with db.engine.connect() as connection:
        found = events.page_of(connection, filters, after, limit, _country())
    return listed(_masked([events.told(row) for _, row in found.rows]), found.next)


@bp.get("/costs")
@needs("read")
def list_costs() -> Response:
    """What things cost, added up by product, day or number."""
    filters = filters_of("costs", costs.FILTERS, ("by", "limit"))
    single.bring_up_to_date()
    _, limit = page()
    with db.engine.connect() as connection:
        sums = costs.costs(connection, filters, request.args.get("by") or "product,day", limit, datetime.now(UTC), _country())
    return listed(_masked(sums), None)


@bp.get("/callbacks/<callback_id>")
@needs("read")
def one_callback(callback_id: str) -> Response:
    """All that is kept of one callback."""
    row = archive.one(clean(callback_id))
    if row is None:
        raise single.Unknown(f"No callback '{clean(callback_id)[:60]}'.")
    return success(archive.shown(row, current_app.config["POKEA"].privacy))


@bp.get("/invocations/<invocation_id>")
@needs("read")
def one_invocation(invocation_id: str) -> Response:
    """One order, as far as it is known now."""
    invocation, recipients = past_invocations.one(clean(invocation_id))
    return success(past_invocations.shown(invocation, recipients, current_app.config["POKEA"].privacy))


@bp.get("/sessions/<session_id>")
@needs("read")
def one_session(session_id: str) -> Response:
    """One USSD session or call, step by step."""
    return success(_masked(single.session(clean(session_id), current_app.config["POKEA"].privacy)))


@bp.get("/messages/<path:message_id>")
@needs("read")
def one_message(message_id: str) -> Response:
    """The state of a message now, or when it changes within ?wait= seconds."""
    return success(_masked(single.message(clean(message_id), wait_s())))


@bp.get("/payments/<payment_id>")
@needs("read")
def one_payment(payment_id: str) -> Response:
    """One payment."""
    return success(_masked(single.payment(clean(payment_id))))


@bp.get("/events/<event_id>")
@needs("read")
def one_event(event_id: str) -> Response:
    """One event, as receivers were told of it."""
    single.bring_up_to_date()
    found = events.one(clean(event_id))
    if found is None:
        raise single.Unknown(f"No event '{clean(event_id)[:60]}'.")
    return success(_masked(found))


@bp.get("/sim-swap/checks/<request_id>")
@needs("read")
def one_check(request_id: str) -> Response:
    """The answer to a SIM swap check now, or when it comes within ?wait= seconds."""
    return success(_masked(single.sim_swap_check(clean(request_id), wait_s())))


@bp.get("/balance")
@needs("read")
def balance() -> Response:
    """What is left on the account at Africa's Talking."""
    return success(current_balance().told())
