"""USSD sessions and calls: the list, each one's transcript, the whole of it replayed, and where people leave a menu."""

from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app import masking
from app.errors import GatewayError
from app.extensions import db
from app.operators import operator_of
from app.schemas.bodies import clean
from routes import replays
from routes.api import success
from routes.asked import cursor, filters_given
from routes.pages import showing
from routes.pages.fixture import keep_fixture
from services.reading import drop_off, single
from services.reading.call_lines import call_lines, safe_address
from services.reading.endings import ENDED, ending_of
from services.reading.filters import Filters
from services.reading.lists import page_of
from services.reading.replayed import originals, replayed_steps
from services.reading.sessions import sessions
from services.reading.transcripts import transcript
from services.replays import fixtures
from services.replays.replaying import Wish

bp = Blueprint("sessions", __name__)
ROWS = 50
# A menu elsewhere may be slow: after so long no further step is begun.
REPLAY_S = 20.0
VIEWS = (("", "Sessions and calls"), ("drop-off", "Drop-off"), ("recordings", "Recordings"))


@bp.get("/dashboard/sessions")
def page() -> str:
    """A person looks at sessions and calls; ?view=drop-off: where people leave; ?view=recordings."""
    view = request.args.get("view", "")
    single.bring_up_to_date()
    values = {"drop-off": _left, "recordings": _recordings}.get(view, _list)()
    return render_template("sessions.html", view=view, tabs=_tabs(view), **values)


def _tabs(view: str) -> list[tuple[str, str, bool]]:
    own = request.args.get("own", "")
    links = [(url_for(".page", view=name or None, own=own or None), label) for name, label in VIEWS]
    return [(href, label, name == view) for (href, label), (name, _) in zip(links, VIEWS, strict=True)]


def _list() -> dict[str, Any]:
    asked, (after, _) = filters_given(), cursor()
    ended, own = request.args.get("ended", ""), clean(request.args.get("own", ""))
    with db.engine.connect() as connection:
        found = sessions(connection, asked, ended, own, after, ROWS, _country())
    rows = [(row, ending_of(row.product, row.state, row.status, row.reason)) for _, row in found.rows]
    return {"rows": rows, "next": found.next, "asked": asked, "ended": ended, "own": own, "endings": tuple(ENDED)}


def _left() -> dict[str, Any]:
    with db.engine.connect() as connection:
        codes = drop_off.codes(connection)
        own = clean(request.args.get("own", "")) or next(iter(codes), current_app.config["POKEA"].at_ussd_code or "")
        found = drop_off.drop_off(connection, own, datetime.now(UTC), showing.hides_numbers())
    return {"codes": codes, "own": own, "left": found, "most": drop_off.MOST_SESSIONS}


def _recordings() -> dict[str, Any]:
    after, _ = cursor()
    asked = replace(filters_given(), kind=None, state=None)
    with db.engine.connect() as connection:
        found = page_of(connection, "recordings", asked, after, ROWS, _country())
    return {"rows": [_recording(row) for _, row in found.rows], "next": found.next, "asked": asked}


def _recording(row: Any) -> dict[str, Any]:
    """Return a recording with the address that it may be heard at, none where that would show a number."""
    url = safe_address(row.url)
    is_shown = not showing.hides_numbers() or masking.numbers_in(url) == url
    return {"row": row, "url": url if is_shown else "", "text": row.url}


@bp.get("/dashboard/sessions/<session_id>")
def one(session_id: str) -> str:
    """A person reads one session or call as it went."""
    row, steps = single.session_with_steps(clean(session_id))
    hides = showing.hides_numbers()
    is_call = row["product"] == "voice"
    with db.engine.connect() as connection:
        heard = page_of(connection, "recordings", Filters(session=row["provider_id"]), None, ROWS) if is_call else None
    return render_template(
        "session.html", row=row, is_call=is_call, ending=ending_of(row["product"], row["state"], row["status"], row["reason"]),
        operator=operator_of(row["network_code"], row["phone"]), steps=steps, is_cut=len(steps) == single.MOST_STEPS,
        told=None if is_call else transcript(steps, hides), lines=call_lines(steps, hides) if is_call else [],
        recordings=[_recording(found) for _, found in heard.rows] if heard else [], dial=_dial(row["phone"]),
    )  # fmt: skip


def _dial(phone: str | None) -> str:
    """Return where this phone is in the emulator, "" outside of it, and where it would show a number."""
    settings = current_app.config["POKEA"]
    if settings.at_mode != "emulator" or not phone or settings.privacy:
        return ""
    return f"{settings.emulator_url}/?{urlencode({'phone': phone})}"


@bp.get("/dashboard/sessions/<session_id>/export")
def export(session_id: str) -> Response:
    """A person takes a session elsewhere, as /api/v1 tells it."""
    hides = showing.hides_numbers()
    told = single.session(clean(session_id), hides)
    response = success(masking.everything(told) if hides else told)
    response.headers["Content-Disposition"] = f'attachment; filename="{told["id"]}.json"'
    return response


@bp.post("/dashboard/sessions/<session_id>/fixture")
def fixture(session_id: str) -> BaseResponse:
    """A person keeps all callbacks of a session under a name, as a file beside the tests."""
    row, steps = single.session_with_steps(clean(session_id))
    keep_fixture(fixtures.whole(steps))
    return redirect(url_for(".one", session_id=row["id"]), 303)


@bp.post("/dashboard/sessions/<session_id>/replay")
def replay(session_id: str) -> BaseResponse:
    """A person wants every callback of a session answered again, in order, without effects."""
    row, steps = single.session_with_steps(clean(session_id))
    wanted, until = originals(steps), monotonic() + REPLAY_S
    made: list[str] = []
    for step in wanted:
        if monotonic() > until:
            break
        try:
            made.append(replays.answer_again(step.id, Wish()).id)
        except GatewayError as error:
            showing.say(f"{step.kind} {step.id} was not replayed: {error.message}", "bad")
            break
    of = f"the first {len(wanted)}" if len(steps) == single.MOST_STEPS else len(wanted)
    showing.say(f"Replayed {len(made)} of {of} steps, without sending anything.", "good" if len(made) == len(wanted) else "bad")
    since = made[0] if made else None
    return redirect(url_for(".replayed", session_id=row["id"], since=since), 303)


@bp.get("/dashboard/sessions/<session_id>/replays")
def replayed(session_id: str) -> str:
    """A person reads what the steps of a session were answered when they were replayed; ?since= the id of the first replay."""
    row, steps = single.session_with_steps(clean(session_id))
    with db.engine.connect() as connection:
        found = replayed_steps(connection, steps, clean(request.args.get("since", "")), showing.hides_numbers())
    return render_template("session_replays.html", row=row, steps=found)


def _country() -> str:
    return str(current_app.config["POKEA"].default_country)
