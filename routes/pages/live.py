"""The first page: callbacks and orders as they come, one line each, and the chosen one beside them."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.errors import GatewayError, Invalid
from app.extensions import db, writing
from app.schemas.bodies import clean
from app.schemas.callbacks import KINDS
from app.schemas.invokes import INVOKES
from routes.api import read_moment
from routes.asked import filters_given
from routes.pages import callback, invocation, sampling, showing
from services.reading import live
from services.reading.known import Known, moment_of, place_of, since_for
from services.reading.latest import Latest, Shared, read_latest
from services.reading.lines import Line
from services.reading.wanted import look_at_all
from services.tunnel import local_address

bp = Blueprint("live", __name__)
ROWS = 50
# What an open page shows at most.
MOST_NEW = 100


@bp.get("/dashboard")
def page() -> str:
    """A person watches what comes in, or looks for something."""
    asked, now, after = filters_given(), datetime.now(UTC), _place("after")
    with db.engine.connect() as connection:
        lines, following = live.lines(connection, asked, after or None, ROWS, _country(), showing.hides_numbers(), _only_looks())
    sel = clean(request.args.get("sel", ""))
    ours, theirs = _wholes()
    return render_template(
        "live.html", lines=lines, next=following, next_at=moment_of(following) if following and len(lines) < ROWS else None,
        asked=asked, only_looks=_only_looks(), sel=sel, now_is=now, since=since_for(now), here=_here(),
        families=live.FAMILIES, kinds=KINDS, invokes=INVOKES, states=live.STATES, ours=ours, theirs=theirs, **_chosen(sel),
    )  # fmt: skip


@bp.get("/dashboard/new")
def new() -> Response:
    """An open page asks what came since: rows, or 204 for nothing. Headers say what to ask from the next time, and how old it is."""
    now, tails = datetime.now(UTC), request.args.get("have", "").split(".")
    known = Known(_place("from"), _place("oldest"), frozenset(tails[-MOST_NEW:]))
    if not known.since:
        raise Invalid("'from' must be a place in the list")
    asked, hides = filters_given(), showing.hides_numbers()

    def read(since: datetime) -> Latest:
        with db.engine.connect() as connection:
            return read_latest(connection, asked, since, now, 2 * MOST_NEW, _country(), hides, _only_looks())

    if _only_looks():
        # Told as it is: somebody may have looked at all of it just now.
        latest = read(moment_of(known.first_place()))
    else:
        shared: Shared = current_app.extensions["pokea.latest"]
        latest = shared.look((_here(), hides), known, now, read)
    found = latest.lacking(known, MOST_NEW)
    if found is None:
        return Response(status=200, headers={"HX-Refresh": "true"})
    headers = {"X-From": since_for(latest.read_at), "Age": str(max(0, round((now - latest.read_at).total_seconds())))}
    return Response(_rows(found, _here(), *_wholes()) if found else "", 200 if found else 204, headers)


@bp.get("/dashboard/pulse")
def pulse() -> str:
    """An open page asks how things are around it."""
    return render_template("pulse.html")


@bp.post("/dashboard/looked")
def looked() -> BaseResponse:
    """A person looked at all that wanted it."""
    with writing() as connection:
        look_at_all(connection, read_moment(request.form.get("until", ""), "until"), datetime.now(UTC))
    current_app.extensions["pokea.surroundings"].forget()
    return redirect(url_for(".page"), 303)


@bp.post("/dashboard/sample")
def sample() -> BaseResponse:
    """A person wants to see a callback arrive: one of this kind is posted to this app, as Africa's Talking would."""
    kind = sampling.kind_asked()
    sent = sampling.send(kind, local_address(current_app.config["POKEA"]))
    sampling.tell(kind, sent)
    return redirect(url_for(".page", sel=sent.id), 303)


def _only_looks() -> bool:
    return request.args.get("looks") == "1"


def _place(name: str) -> str:
    """Return a place in the list out of the query, "" for none. Raises Invalid."""
    given = request.args.get(name, "")
    return place_of(given, name) if given else ""


def _country() -> str:
    return str(current_app.config["POKEA"].default_country)


def _here() -> str:
    """Return the address of this list without what one page of it chose or knows: where lines lead without scripts."""
    return showing.with_query(url_for("pages.live.page"), **dict.fromkeys(("sel", "from", "oldest", "have")))


def _wholes() -> tuple[str, str]:
    """Return what the addresses of all that is known of a line begin with: of orders, and of callbacks."""
    return url_for("pages.invocation.page", invocation_id="_")[:-1], url_for("pages.callback.page", callback_id="_")[:-1]


# Pages that are told at the same time are told much the same.
@lru_cache(maxsize=16)
def _rows(lines: tuple[Line, ...], here: str, ours: str, theirs: str) -> str:
    """Return lines that are new, as rows of the table."""
    return render_template("live_rows.html", lines=lines, here=here, ours=ours, theirs=theirs)


def _chosen(row_id: str) -> dict[str, Any]:
    """Return the template that shows the chosen callback or order beside the list, and its values."""
    if not row_id:
        return {"chosen": None}
    is_callback = row_id.startswith("cb_")
    try:
        values = callback.values(row_id) if is_callback else invocation.values(row_id)
    except GatewayError as error:
        return {"chosen": "error_part.html", "message": error.message}
    return {"chosen": "callback_part.html" if is_callback else "invocation_part.html", **values}


@bp.get("/c/<row_id>")
def short(row_id: str) -> BaseResponse:
    """A person pastes an id from the terminal."""
    return redirect(url_for(".page", sel=clean(row_id)), 302)
