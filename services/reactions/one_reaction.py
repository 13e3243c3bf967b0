"""Runs one function of flows/ for one kept callback, and says how its row ends."""

import logging
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import select

from app import masking
from app.extensions import db
from app.models import Callback, Reaction
from app.schemas.bodies import clean
from app.schemas.callbacks import KINDS
from app.settings import secrets_of
from services import proofs
from services.reactions.acting import Happened
from services.reactions.asking import LATER, e164, settings
from services.reactions.keywords import Rule, match_of

logger = logging.getLogger(__name__)
# One that fails is tried again so long after its end; after the last it is dead.
PAUSES_S = (10, 60, 600, 3600)
# An order was under way already, or there was no room for it: nothing failed.
LATER_S = 5
MOST_FRAMES = 30
CUT_OFF = f"Its process ended while it ran, {len(PAUSES_S) + 1} times."


def ended(reaction: Reaction, now: datetime) -> dict[str, Any]:
    """Run a reaction, which begins now, and return the values that its row ends with."""
    if reaction.tries > len(PAUSES_S) + 1:
        return _dead(CUT_OFF, now)
    rule = next((rule for rule in rules() if rule.name == reaction.name), None)
    callback = _callback(reaction.callback_id)
    if callback is None:
        return _dead(f"The callback {reaction.callback_id} is kept no more.", now)
    happened, began = None, datetime.now(UTC)
    try:
        if rule is None:  # a worker with another version of flows/ may know it
            raise LookupError(f"flows/ lists no reaction '{reaction.name}'.")
        happened = _happened(callback, rule, reaction)
        rule.function(happened)
    except LATER as later:
        over_at = now + _took(began)
        return _later(reaction, over_at) if later.retry_after_s else _failed(reaction, later, happened, over_at)
    except (Exception, SystemExit) as error:  # a developer's code may raise anything
        return _failed(reaction, error, happened, now + _took(began))
    return {"state": "done", "did": happened.did, "last_error": None, "finished_at": datetime.now(UTC)}


def _took(began: datetime) -> timedelta:
    # Whole seconds, as those of the pauses.
    return timedelta(seconds=max(0, int((datetime.now(UTC) - began).total_seconds())))


def _happened(callback: Callback, rule: Rule, reaction: Reaction) -> Happened:
    data = KINDS[callback.kind].schema.load(callback.fields)
    text = str(data.get("text") or "")
    return Happened(
        id=callback.id, kind=callback.kind, data=data, fields=callback.fields, phone=e164(callback.phone or "") or callback.phone or "",
        received_at=callback.received_at, text=text, match=match_of(rule, text),
        is_proven=proofs.is_proven(callback.checks) or callback.via == "pulled", reaction_id=reaction.id, name=rule.name,
    )  # fmt: skip


def _dead(why: str, now: datetime) -> dict[str, Any]:
    return {"state": "dead", "last_error": why, "finished_at": now}


def _later(reaction: Reaction, now: datetime) -> dict[str, Any]:
    return {"state": "waiting", "tries": reaction.tries - 1, "due_at": now + timedelta(seconds=LATER_S)}


def _failed(reaction: Reaction, error: BaseException, happened: Happened | None, now: datetime) -> dict[str, Any]:
    # From the developer's function on; the message of an error may quote what a person typed.
    frames = "".join(traceback.format_tb(error.__traceback__)[1:][-MOST_FRAMES:])
    said = "".join(traceback.format_exception_only(error)).rstrip()
    message = f": {said}" if settings().log_payloads else " (LOG_PAYLOADS=1 shows its message)"
    logger.error("reaction %s failed: %s%s", reaction.name, type(error).__name__, message, extra={"frames": frames.rstrip()})
    told = masking.tokens_in(masking.numbers_in(clean(frames + said)), secrets_of(settings()))
    values: dict[str, Any] = {"last_error": told, "did": happened.did if happened else None}
    if reaction.tries > len(PAUSES_S):
        return values | {"state": "dead", "finished_at": now}
    return values | {"state": "waiting", "due_at": now + timedelta(seconds=PAUSES_S[reaction.tries - 1])}


def _callback(callback_id: str) -> Callback | None:
    with db.engine.connect() as connection:
        row = connection.execute(select(Callback.__table__).where(Callback.id == callback_id)).one_or_none()
    return Callback(**row._mapping) if row else None


def rules() -> tuple[Rule, ...]:
    """Return the developer's table of reactions."""
    found: tuple[Rule, ...] = current_app.extensions["pokea.apps"].flows.reactions
    return found
