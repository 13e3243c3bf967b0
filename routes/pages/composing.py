"""The form that messages are written in: what was typed, the order that it stands for, and how that ended, in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from flask import current_app

from app import masking
from app.errors import Conflict, GatewayError, Invalid
from app.extensions import db
from app.schemas.bodies import clean
from app.settings import Settings
from routes.orders import read_order
from routes.pages import showing
from routes.telling import tell, tell_real
from services import past_invocations, sms
from services.invocations import EVERYBODY_LEFT, Order, Placed
from services.preview import preview, why_refused
from services.reading.correspondents import last_link_id

BY = "dashboard"
CONFIRMED = "send"
OWN, PREMIUM = "own", "premium"
PLACES: dict[str, Callable[[Order], Placed]] = {"sms.bulk": sms.send_bulk, "sms.premium": sms.send_premium}
_NOBODY = "To whom? Give a number, for example 254711000000, or several by comma."
_BLOCKED = "Blocked, will not send: everybody here wants no more messages."
_KEY_TAKEN = "This form sent another message already: nothing was sent now. Press Send again to send this one, too."


@dataclass(frozen=True)
class Draft:
    """What was typed. key: made with the form, so that it sends once, however often it comes."""

    to: str = ""
    message: str = ""
    sender: str = OWN
    link_id: str = ""
    key: str = ""


@dataclass(frozen=True)
class Prospect:
    """What a draft would be, before it is sent. told: as services.preview tells it. real: what it is in live mode, in words."""

    told: dict[str, Any]
    real: str | None


def new_draft(to: str = "", link_id: str | None = None, is_answer: bool = False) -> Draft:
    """Return an empty draft with a key of its own. link_id: of their last message; is_answer: nobody wrote since then."""
    sender = PREMIUM if is_answer and link_id and _settings().at_shortcode else OWN
    return Draft(to, sender=sender, link_id=link_id or "", key=_new_key())


def draft_of(form: Mapping[str, str], to: str | None = None) -> Draft:
    """Return what was typed. to: the number of the thread that it was typed in."""
    sender = PREMIUM if form.get("sender") == PREMIUM else OWN
    whom = clean(form.get("to", "")) if to is None else to
    return Draft(whom, form.get("message", ""), sender, clean(form.get("link_id", "")).strip(), form.get("key", ""))


def order_of(draft: Draft) -> Order:
    """Return the order that a draft stands for. Raises Invalid, with the names of the fields of the form."""
    phones = ",".join(part.strip() for part in draft.to.split(",") if part.strip())
    if not phones:
        raise Invalid(_NOBODY, {"phone": [_NOBODY]})
    if not draft.key:
        raise Invalid("This form has no key, so that it could be sent twice: nothing was sent. Reload the page.")
    kind = "sms.premium" if draft.sender == PREMIUM else "sms.bulk"
    parameters = {"phone": phones, "message": draft.message, "idempotencyKey": draft.key}
    if kind == "sms.premium" and draft.link_id:
        parameters["linkId"] = draft.link_id
    order, _ = read_order(kind, parameters, _settings(), BY)
    # Orders of different kinds do not know each other's keys.
    if any(past_invocations.stands_under(draft.key, other) for other in PLACES if other != kind):
        raise Conflict(_KEY_TAKEN)
    return _with_link_id(order) if kind == "sms.premium" and not draft.link_id else order


def _with_link_id(order: Order) -> Order:
    """Return a premium order as the answer to the last message of its number; of several it answers none."""
    if len(order.phones) > 1:
        return order
    with db.engine.connect() as connection:
        link_id = last_link_id(connection, order.phones[0])
    return replace(order, details={**order.details, "link_id": link_id})


def prospect_of(order: Order) -> Prospect:
    """Return what an order would be; nothing is sent. Raises StorageUnavailable."""
    told = preview(order)
    if told["refused"] == EVERYBODY_LEFT:
        told["refused"] = _BLOCKED
    if not _settings().is_live or told["refused"]:
        return Prospect(told, None)
    costs = " and ".join(showing.money(amount, currency) for currency, amount in (told["estimated_cost"] or {}).items())
    real = tell_real(replace(order, phones=told["recipients"]), _settings())
    return Prospect(
        told, _masked(f"{real} and {f'costs about {costs}' if costs else 'costs what the network takes: no earlier one tells how much'}.")
    )


def may_send(form: Mapping[str, str]) -> bool:
    """Whether a form is to be sent now: live, only one that was confirmed on the page before."""
    return not form.get("preview") and (not _settings().is_live or form.get("confirm") == CONFIRMED)


def stands_in_the_way() -> str | None:
    """Return why nothing can be sent now, None where nothing is in the way."""
    with db.engine.connect() as connection:
        return why_refused(connection, Order("sms.bulk", ["one"]), ["one"])


def problem_of(error: GatewayError, draft: Draft) -> tuple[str, Draft]:
    """Return why a draft was not sent, and the draft to go on with."""
    if not isinstance(error, Conflict) or error.retry_after_s:
        return error.message, draft
    if error.message == EVERYBODY_LEFT:
        return f"{_BLOCKED} Nothing was sent.", draft
    # Only here a new key is safe: what the old one stands for was another order.
    return _KEY_TAKEN, replace(draft, key=_new_key())


def outcome_of(placed: Placed, order: Order) -> tuple[str, str]:
    """Return how an order ended, in words, and their tone."""
    _, body = tell(placed, order)
    state = placed.invocation.state
    said = str(body.get("error") or body.get("message")).rstrip(".") + "."
    if placed.is_repeated:
        ago_s = round((datetime.now(UTC) - placed.invocation.called_at).total_seconds())
        said = f"{said} That was {ago_s} s ago; this form was not sent a second time."
    skipped = sum(recipient.state == "skipped" for recipient in placed.recipients)
    if skipped:
        said = f"{said} {skipped} skipped: they want no more messages."
    return _masked(f"{state.capitalize()}: {said}"), "good" if state == "accepted" else "bad"


def _masked(text: str) -> str:
    return masking.numbers_in(text) if showing.hides_numbers() else text


def _new_key() -> str:
    return f"form-{token_hex(16)}"


def _settings() -> Settings:
    return current_app.config["POKEA"]
