"""Conversations by phone number, one of them whole, and the form to write in."""

from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import GatewayError
from app.extensions import db
from app.schemas.bodies import clean
from app.schemas.fields import is_phone
from routes.pages import composing, opt_outs, showing
from routes.pages.composing import Draft
from services import past_invocations
from services.opt_outs import opted_out
from services.reading import single, threads
from services.reading.correspondents import last_link_id, person_of_thread
from services.reading.entries import Entry

bp = Blueprint("messages", __name__)
ROWS = 50
LONGEST_SEARCH = 100
bp.add_url_rule("/dashboard/messages/opt-outs", "opt_outs", opt_outs.page)
bp.add_url_rule("/dashboard/messages/opt-outs", "add_opt_out", opt_outs.add, methods=["POST"])
bp.add_url_rule("/dashboard/messages/opt-outs/<opt_out_id>/back", "take_back", opt_outs.take_back, methods=["POST"])
bp.add_url_rule("/dashboard/messages/subscriptions", "subscriptions", opt_outs.subscriptions)
Shown = str | Response | tuple[str, int]


@bp.get("/dashboard/messages")
def page() -> str:
    """A person looks who wrote and who was written to."""
    single.bring_up_to_date()
    return render_template("messages.html", person=None, **_list())


@bp.get("/dashboard/messages/new")
def new() -> str:
    """A person wants to write to somebody."""
    return _new_page(composing.new_draft(clean(request.args.get("to", ""))[:LONGEST_SEARCH]))


@bp.post("/dashboard/messages/new")
def send_new() -> Shown:
    """A person wrote to one number or several, and wants to see what it would be, or sends it."""
    return _composed(composing.draft_of(request.form), _new_page)


@bp.get("/dashboard/messages/<path:who>")
def thread(who: str) -> str:
    """A person reads one conversation: of a number, or of the number of a message or order by its id."""
    return _thread_page(who)


@bp.post("/dashboard/messages/<path:who>")
def send(who: str) -> Shown:
    """A person answers in a conversation."""
    with db.engine.connect() as connection:
        phone = person_of_thread(connection, clean(who), _country())
    draft = composing.draft_of(request.form, phone or "")
    return _composed(draft, lambda draft, **values: _thread_page(who, draft, **values))


def _composed(draft: Draft, shows: Any) -> Shown:
    """Send a draft, or show what it would be; where it is not sent, what was typed stays."""
    try:
        order = composing.order_of(draft)
        if not composing.may_send(request.form):
            return str(shows(draft, prospect=composing.prospect_of(order)))
        placed = composing.PLACES[order.kind](order)
    except GatewayError as error:
        problem, draft = composing.problem_of(error, draft)
        return str(shows(draft, problem=problem, fields=error.fields or {})), error.status
    showing.say(*composing.outcome_of(placed, order))
    return redirect(_address(placed.recipients[0].phone, f"{placed.invocation.id}.0"), 303)


def _new_page(draft: Draft, **values: Any) -> str:
    return render_template("compose.html", draft=draft, **(_form_values() | values))


def _thread_page(who: str, draft: Draft | None = None, **values: Any) -> str:
    wanted, before = clean(who), clean(request.args.get("before", "")) or None
    with db.engine.connect() as connection:
        phone = person_of_thread(connection, wanted, _country())
    single.bring_up_to_date(phone=phone)
    entries, older = _entries(phone, before)
    if any(entry.is_open for entry in entries):
        past_invocations.bring_up_to_date()
        entries, older = _entries(phone, before)
    with db.engine.connect() as connection:
        has_left = phone is not None and phone in opted_out(connection, [phone])
        link_id = last_link_id(connection, phone) if phone else None
    values = _form_values() | {"person": phone or "", "who": wanted, "entries": entries, "older": older, "has_left": has_left} | values
    values |= {
        "is_number": is_phone(phone or ""),
        "draft": draft or composing.new_draft(phone or "", link_id, bool(entries) and not entries[-1].is_ours),
    }
    return showing.shown("messages.html", "thread.html", **values, **({} if showing.is_part() else _list()))


def _entries(phone: str | None, before: str | None) -> tuple[list[Entry], str | None]:
    with db.engine.connect() as connection:
        return threads.thread(connection, phone, before, ROWS)


def _form_values() -> dict[str, Any]:
    return {"obstacle": composing.stands_in_the_way(), "prospect": None, "problem": None, "fields": {}, "is_number": True}


def _list() -> dict[str, Any]:
    """Return what the list of conversations needs: all of them, or what was searched for."""
    wanted, after = clean(request.args.get("q", "")).strip()[:LONGEST_SEARCH], clean(request.args.get("after", "")) or None
    with db.engine.connect() as connection:
        if wanted:
            found, following = threads.search(connection, wanted, after, ROWS, _country())
        else:
            found, following = threads.conversations(connection, after, ROWS)
    return {"found": found, "next": following, "wanted": wanted, "address": _address}


def _address(phone: str | None, entry_id: str) -> str:
    """Return where a conversation is read: by its number, but by an id where that must not be shown, or is no number."""
    who = phone if phone and is_phone(phone) and not showing.hides_numbers() else entry_id
    return url_for("pages.messages.thread", who=who)


def _country() -> str:
    return str(current_app.config["POKEA"].default_country)
