"""What it costs, what may be spent, and the switch that stops it."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, redirect, render_template, url_for
from werkzeug.wrappers import Response

from app import masking
from app.errors import GatewayError
from app.extensions import db
from app.models import Invocation
from app.settings import Settings
from app.statuses import is_failure, meaning_of
from routes.api import moment
from routes.asked import cursor, filters_given
from routes.pages import showing
from routes.pages.invocation import BY
from routes.pages.real import insist_on_word
from services import past_invocations, plots, spend_switch
from services.balance import current_balance
from services.caps import caps, is_without_caps
from services.reading import cost_tables, single
from services.reading.costs import costs
from services.reading.filters import Filters
from services.reading.lists import page_of
from services.reading.tables import LISTS
from services.reading.unknown_orders import page_of_unknown, states_of
from services.sending_again import choice_of

bp = Blueprint("money", __name__)
ROWS = 50
DEAREST = 10
# What one sees of it on the first page
MOST_UNKNOWN = 10


@bp.get("/dashboard/money")
def page() -> str:
    """A person wants to know what it costs, and what bounds it."""
    settings, now = _settings(), datetime.now(UTC)
    single.bring_up_to_date()
    with db.engine.connect() as connection:
        tables = cost_tables.cost_tables(connection, moment("since"), now)
        bounds, switch = caps(connection, settings, now), spend_switch.read_switch(connection)
        unknown = len(page_of_unknown(connection, None, MOST_UNKNOWN).rows)
    shown = tables[: cost_tables.MOST_CURRENCIES]
    drawn = [(table, plots.stacked(table.days, table.sums)) for table in shown]
    return render_template(
        "money.html", drawn=drawn, left_out=len(tables) - len(shown), caps=bounds, switch=switch, unknown=unknown,
        most_unknown=MOST_UNKNOWN, is_without_caps=is_without_caps(settings), passed_on=cost_tables.PASSED_ON,
        most_days=cost_tables.MOST_DAYS,
    )  # fmt: skip


@bp.get("/dashboard/money/balance")
def balance() -> str:
    """An open page, or a person, asks what is left at Africa's Talking; that it was not told is told."""
    values: dict[str, Any] = {"balance": None, "problem": None, "below": _settings().alert_balance_below}
    try:
        values["balance"] = current_balance()
    except GatewayError as error:
        values["problem"] = error.message
    return showing.shown("money_more.html", "money_balance.html", title="Balance", inner="money_balance.html", **values)


@bp.get("/dashboard/money/numbers")
def numbers() -> str:
    """An open page, or a person, asks which numbers cost most."""
    now = datetime.now(UTC)
    since = cost_tables.begin_of(moment("since"), now)
    with db.engine.connect() as connection:
        rows = costs(connection, Filters(since=since), "number", DEAREST, now)
    inner = "money_numbers.html"
    return showing.shown("money_more.html", inner, title="Most expensive numbers", inner=inner, rows=rows, hides=showing.hides_numbers())


@bp.post("/dashboard/money/stop")
def stop() -> Response:
    """A person wants nothing sent any more, at once."""
    spend_switch.stop(BY)
    # A banner on every page says it.
    return _set("")


@bp.post("/dashboard/money/allow")
def allow() -> Response:
    """A person lets orders be sent again; live, they type a word."""
    insist_on_word("This account is live: orders would be sent again.")
    return _set(spend_switch.allow(BY).said())


def _set(said: str) -> Response:
    current_app.extensions["pokea.surroundings"].forget()
    if said:
        showing.say(said, "good")
    return redirect(url_for(".page"), 303)


@bp.get("/dashboard/money/unknown")
def unknown() -> str:
    """A person looks at orders that may have happened or not, and says what became of them."""
    past_invocations.bring_up_to_date()
    after, _ = cursor()
    with db.engine.connect() as connection:
        found = page_of_unknown(connection, after, ROWS)
        states = states_of(connection, [row_id for row_id, _ in found.rows])
    rows = [Invocation(**row._mapping) for _, row in found.rows]
    is_live, hides = _settings().is_live, showing.hides_numbers()
    choices = [(row, choice_of(row, states[row.id], is_live, hides)) for row in rows]
    return render_template("money_unknown.html", choices=choices, next=found.next)


@bp.get("/dashboard/money/payments")
def payments() -> str:
    """A person looks at payments, newest first."""
    return _listed("payments", "money_payments.html", "payments")


@bp.get("/dashboard/money/airtime")
def airtime() -> str:
    """A person looks at top-ups, newest first."""
    return _listed("airtime", "money_airtime.html", "airtime")


def _listed(name: str, template: str, family: str) -> str:
    asked, (after, _) = filters_given(), cursor()
    single.bring_up_to_date()
    with db.engine.connect() as connection:
        found = page_of(connection, name, asked, after, ROWS, _settings().default_country)
    rows = [_row(dict(row._mapping), family) for _, row in found.rows]
    return render_template(template, rows=rows, next=found.next, asked=asked, states=LISTS[name].states, hides=showing.hides_numbers())


def _row(row: dict[str, Any], family: str) -> dict[str, Any]:
    """Return a row of the ledger for showing, with what its state means."""
    tone = "bad" if is_failure(family, row["state"]) else "good" if row["state"] == "Success" else "calm"
    return (masking.everything(row) if showing.hides_numbers() else row) | {"meaning": meaning_of(family, row["state"]), "tone": tone}


def _settings() -> Settings:
    settings: Settings = current_app.config["POKEA"]
    return settings
