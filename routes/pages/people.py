"""Everything that one number did and that was done for it, in one line of time."""

import re
from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.wrappers import Response

from app.errors import Invalid
from app.extensions import db
from app.schemas.bodies import clean
from app.schemas.fields import is_phone
from app.schemas.orders import read_phone
from app.settings import Settings
from routes.pages import showing
from services.reading import people, single
from services.reading.deeds import Deed
from services.reading.filters import spellings

bp = Blueprint("people", __name__)
_PLACE = re.compile(r"[0-9A-Z]{10,26}", re.ASCII)
ROWS = 50
LONGEST = 100


@bp.get("/dashboard/people")
def page() -> tuple[str, int] | Response:
    """A person looks for somebody by number; without one, who was active lately."""
    settings, wanted = _settings(), clean(request.args.get("phone", ""))
    problem = None
    if wanted.strip():
        try:
            return redirect(url_for(".one", number=_number(wanted)), 302)
        except Invalid as error:
            problem = error.message
    single.bring_up_to_date()
    with db.engine.connect() as connection:
        found = people.lately(connection, ROWS, settings.default_country, (settings.at_voice_number, settings.at_shortcode))
    return render_template("people.html", people=found, problem=problem, wanted=wanted), 400 if problem else 200


@bp.get("/dashboard/people/<path:number>")
def one(number: str) -> str:
    """A person reads what one number did, or the one that an id names; ?after= where the next page begins."""
    settings, asked = _settings(), clean(number)[:LONGEST]
    after = request.args.get("after") or None
    if after and not _PLACE.fullmatch(after):
        raise Invalid("'after' must be the 'next' of the page before")
    with db.engine.connect() as connection:
        phone = spellings(people.named(connection, asked) or asked, settings.default_country)[0]
    single.bring_up_to_date(phone=phone)
    hides = showing.hides_numbers()
    with db.engine.connect() as connection:
        found, following = people.deeds(connection, phone, after, ROWS, settings.default_country, hides)
        code = next((deed.network_code for deed in found if deed.network_code), None)
        standing = people.standing(connection, phone, datetime.now(UTC), settings.default_country, code)
    return render_template(
        "person.html", phone=phone, deeds=found, next=following, standing=standing, href=_href, is_first=after is None,
        is_number=is_phone(phone), **_ways(phone, found),
    )  # fmt: skip


def _number(text: str) -> str:
    try:
        return str(read_phone(text.rstrip(), _settings().default_country))
    except ValidationError as error:
        raise Invalid(str(error.messages[0])) from error


def _ways(phone: str, deeds: list[Deed]) -> dict[str, str]:
    """Return where one may go on with a number: by the id of a message, or not at all, where PRIVACY hides it."""
    settings, message = _settings(), next((deed.id for deed in deeds if deed.id.startswith("msg_")), None)
    if settings.privacy or not is_phone(phone):
        return {"write": url_for("pages.messages.thread", who=message) if message else "", "open_phone": ""}
    is_emulated = settings.at_mode == "emulator"
    return {
        "write": url_for("pages.messages.thread", who=phone),
        "open_phone": f"{settings.emulator_url}/?{urlencode({'phone': phone})}" if is_emulated else "",
    }


def _href(deed: Deed) -> str:
    """Return the page of what tells more of a line, "" for none."""
    match deed.link.partition("_")[0]:
        case "ses":
            return url_for("pages.sessions.one", session_id=deed.link)
        case "inv":
            return url_for("pages.invocation.page", invocation_id=deed.link)
        case "cb":
            return url_for("pages.callback.page", callback_id=deed.link)
        case _:
            return ""


def _settings() -> Settings:
    return current_app.config["POKEA"]
