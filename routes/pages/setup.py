"""What to paste into Africa's Talking's dashboard, whether it arrives, and how this app is set."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.errors import NotReady
from app.extensions import db
from app.schemas.callbacks import KINDS
from app.settings import EMULATOR_DEFAULTS, Settings
from routes.health import instance_name
from routes.pages import sampling, showing
from routes.pages.pasted import OTHER, ago, pasted
from services import balance, public_reach
from services.field_news import NOW, WINDOW, field_news
from services.settings_table import ending, settings_table
from services.tunnel import local_address

bp = Blueprint("setup", __name__)
# One of each product, as somebody would type it who tries it
TRIES = (
    ("SMS", "a message", "/api/sms/invoke-bulk-sms?phone=254711000000&message=Hello"),
    ("SMS, two-way", "an answer from your short code", "/api/sms/invoke-twoway-sms?phone=254711000000&message=Hello"),
    ("Voice", "a call", "/api/voice/invoke-call?phone=254711000000"),
    ("Airtime", "KES 10", "/api/airtime/invoke-send-airtime?phone=254711000000&amount=10&currency=KES"),
    ("SIM swap", "a check", "/api/sim-swap/invoke-check-simswap?phone=254711000000"),
    ("Payments", "a checkout", "/api/payments/invoke-mobile-checkout?phone=254711000000&amount=10&currency=KES&productName=duka"),
)


@bp.get("/setup")
def page() -> str:
    """A person connects this app with Africa's Talking."""
    values = pasted(_settings()) | _reach() | _account()
    return render_template("setup.html", tries=TRIES, table=settings_table(_settings()), other=OTHER, kinds=KINDS, **values)


@bp.get("/setup/ticks")
def new_ticks() -> str | Response:
    """An open page asks how the ticks stand; where the address changed, the whole page is to be shown again."""
    values = pasted(_settings())
    if request.args.get("base") != values["base"]:
        return Response("", headers={"HX-Refresh": "true"})
    return render_template("setup_ticks.html", have=set(request.args.getlist("have")), **values)


@bp.post("/setup/check-public")
def check_public() -> str | BaseResponse:
    """An open page, or a person, asks whether the public address leads here."""
    if request.form.get("now") or not showing.is_part():
        public_reach.check(_settings(), instance_name(), datetime.now(UTC))
    else:
        public_reach.check_if_due(_settings(), instance_name(), datetime.now(UTC))
    return render_template("setup_public.html", **_reach()) if showing.is_part() else redirect(url_for(".page"), 303)


@bp.post("/setup/check-account")
def check_account() -> str | BaseResponse:
    """A person asks whether Africa's Talking takes the key."""
    balance.ask_now()
    return render_template("setup_account.html", **_account()) if showing.is_part() else redirect(url_for(".page"), 303)


@bp.post("/setup/sample")
def sample() -> BaseResponse:
    """A person wants to see a callback arrive, the way that Africa's Talking's would."""
    kind = sampling.kind_asked()
    base = _base_of_samples(_settings())
    sampling.tell(kind, sampling.send(kind, base), base)
    return redirect(url_for(".page"), 303)


@bp.get("/setup/fields")
def fields() -> str:
    """A person asks which fields are new, or come no more."""
    with db.engine.connect() as connection:
        news = field_news(connection)
    return showing.shown("setup_fields.html", "setup_fields_part.html", news=news, window=WINDOW, newest=NOW)


def _base_of_samples(settings: Settings) -> str:
    """Return the address that a sample goes to. Another program that answers at the public one is not shown the token."""
    found = public_reach.check(settings, instance_name(), datetime.now(UTC))
    if found.state in ("other", "silent"):
        raise NotReady(f"{found.message} No sample was posted.")
    return found.url or local_address(settings)


def _reach() -> dict[str, Any]:
    found = public_reach.last_check()
    return {"reach": found[0] if found else None, "checked_at": found[1] if found else None, "ago": ago}


def _account() -> dict[str, Any]:
    settings, told = _settings(), balance.last_told()
    asked_at = datetime.fromisoformat(told["tried_at"]) if told else None
    key = "the emulator's own key" if settings.at_api_key == EMULATOR_DEFAULTS["at_api_key"] else f"key {ending(settings.at_api_key)}"
    return {"settings": settings, "key": key, "told": told, "asked_at": asked_at, "ago": ago}


def _settings() -> Settings:
    return current_app.config["POKEA"]
