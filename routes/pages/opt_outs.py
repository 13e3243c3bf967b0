"""Who wants no more messages, and who subscribed to what: two more pages of messages."""

from typing import Any

from flask import current_app, redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.wrappers import Response

from app.extensions import db
from app.schemas.bodies import clean
from app.schemas.orders import Sender, read_phone
from routes.pages import showing
from routes.pages.invocation import BY
from services.opt_outs import bring_back, enter, person_who_left
from services.reading import single
from services.reading.filters import Filters, spellings
from services.reading.lists import page_of
from services.reading.tables import LISTS

ROWS = 50
LONGEST_NUMBER = 40
EVER, OUT = "ever", "out"


def page() -> str:
    """A person looks who wants no more messages."""
    return _page({}, {})


def add() -> Response | tuple[str, int]:
    """A person was asked not to write to a number any more."""
    typed = {name: clean(request.form.get(name, "")).strip() for name in ("phone", "sender")}
    wrong: dict[str, str] = {}
    for name, read in (("phone", _read_phone), ("sender", lambda text: text and Sender().read(text))):
        try:
            typed[name] = read(typed[name])
        except ValidationError as error:
            wrong[name] = str(error.messages[0])
    if wrong:
        return _page(typed, wrong), 400
    enter(typed["phone"], typed["sender"], BY)
    showing.say(f"{showing.number(typed['phone'])} gets no more messages.", "good")
    return redirect(url_for("pages.messages.opt_outs"), 303)


def take_back(opt_out_id: str) -> Response:
    """A person was asked to write to a number again."""
    phone = person_who_left(clean(opt_out_id))
    had_left = bring_back(phone, BY)
    said = "gets messages again, of every sender." if had_left else "had not opted out."
    showing.say(f"{showing.number(phone)} {said}", "good")
    return redirect(url_for("pages.messages.opt_outs"), 303)


def subscriptions() -> str:
    """A person looks who subscribed to which keyword of which short code."""
    state = clean(request.args.get("state", "")) or None
    rows, following = _rows("subscriptions", state)
    return render_template(
        "messages_subscriptions.html", rows=rows, next=following, asked=_phone(), state=state, states=LISTS["subscriptions"].states
    )


def _page(typed: dict[str, str], wrong: dict[str, str]) -> str:
    state = clean(request.args.get("state", "")) or OUT
    rows, following = _rows("optouts", None if state == EVER else state)
    return render_template(
        "opt_outs.html", rows=rows, next=following, asked=_phone(), state=state, typed=typed, wrong=wrong, country=_country()
    )


def _rows(name: str, state: str | None) -> tuple[list[Any], str | None]:
    """Return a page of a list, by number and state. Raises Invalid for a state that there is not."""
    phone = _phone() or None
    single.bring_up_to_date(phone=spellings(phone, _country())[0] if phone else None)
    with db.engine.connect() as connection:
        found = page_of(connection, name, Filters(phone=phone, state=state), clean(request.args.get("after", "")) or None, ROWS, _country())
    return [row for _, row in found.rows], found.next


def _phone() -> str:
    return clean(request.args.get("phone", "")).strip()[:LONGEST_NUMBER]


def _read_phone(text: str) -> str:
    return read_phone(text, _country())


def _country() -> str:
    return str(current_app.config["POKEA"].default_country)
