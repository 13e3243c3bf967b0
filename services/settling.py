"""What becomes of orders whose end nobody knows: pending ones by age, unknown ones by a callback, or by a person.

A call is known exactly, by the id that its callbacks carry. Anything else is a guess, made only where a single unknown
order could be meant, and marked as one.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Text, func, select, type_coerce, update
from ulid import ULID

from app.errors import Conflict
from app.models import Callback, Invocation, Recipient
from app.schemas.fields import Amount, Money
from app.settings import Settings
from app.statuses import ACCEPTED, REFUSED, UNKNOWN, meaning_of
from services.ledger import fold_order

# Longer than any call takes, by so much, and whoever made it is gone.
GRACE_S = 60
WINDOW = timedelta(hours=24)
GONE = "This program ended, or lost its database, before the answer came."
# Kinds of invocation that a callback could be about, the kind of that callback, and the table of its status words.
_TOLD_BY = {
    "sms.bulk": ("sms.delivery_report", "delivery"),
    "sms.premium": ("sms.delivery_report", "delivery"),
    "airtime.send": ("airtime.status", "airtime"),
    "payments.checkout": ("payments.notification", "payments"),
}
_OF_CALLS = ("voice.instructions", "voice.event")


def patience_s(settings: Settings) -> float:
    """Return the seconds after which a call that is still pending is nobody's any more."""
    return settings.at_timeout_s + GRACE_S


def aged(connection: Connection, invocation: Invocation, settings: Settings, now: datetime) -> Invocation:
    """Return the invocation, as unknown if it is pending for longer than a call can take."""
    if invocation.state != "pending" or now - invocation.called_at <= timedelta(seconds=patience_s(settings)):
        return invocation
    values = {"state": UNKNOWN, "problem": GONE, "advice": "See Africa's Talking's dashboard before you repeat it."}
    same_try = (Invocation.state == "pending") & (Invocation.attempts == invocation.attempts)
    changed = connection.execute(update(Invocation).where(Invocation.id == invocation.id, same_try).values(values))
    if changed.rowcount:
        pending = (Recipient.invocation_id == invocation.id) & (Recipient.state == "pending")
        connection.execute(update(Recipient).where(pending).values(state=UNKNOWN, reason=GONE, advice=values["advice"]))
        _set(invocation, values)
    return invocation


def age_all(connection: Connection, settings: Settings, now: datetime) -> None:
    """Make every order unknown that is pending for longer than a call can take."""
    overdue = (Invocation.state == "pending") & (Invocation.called_at < now - timedelta(seconds=patience_s(settings)))
    for row in connection.execute(select(Invocation.__table__).where(overdue)).all():
        aged(connection, Invocation(**row._mapping), settings, now)


def told_by_callbacks(connection: Connection, invocation: Invocation) -> dict[str, Any]:
    """Return the callback that tells of each unknown recipient, by phone, as far as there is one. Only reads."""
    if invocation.state != UNKNOWN:
        return {}
    look = _of_call if invocation.kind == "voice.call" else _guessed
    found = {
        phone: look(connection, invocation, phone, Amount(amount, currency) if amount is not None else None)
        for phone, amount, currency in _unknown(connection, invocation.id)
    }
    return {phone: callback for phone, callback in found.items() if callback is not None}


def settle_by_callbacks(connection: Connection, invocation: Invocation, now: datetime) -> Invocation:
    """Return the invocation, settled as far as kept callbacks tell what became of its unknown recipients."""
    found = told_by_callbacks(connection, invocation)
    if not found:
        return invocation
    for phone, callback in found.items():
        _settle(connection, invocation, phone, callback)
    last = next(reversed(found.values()))
    how = {"by": "callback", "callback": last.id, "is_guess": invocation.kind != "voice.call"}
    return _settled(connection, invocation, how, now)


def settle_by_hand(connection: Connection, invocation: Invocation, state: str, by: str, note: str, now: datetime) -> Invocation:
    """Return the invocation with its unknown recipients as a person says they are: accepted or refused.

    A refused one may be ordered again with the same key. Raises Conflict for one whose end is known.
    """
    if invocation.state != UNKNOWN:
        raise Conflict(f"{invocation.id} is {invocation.state}: only an unknown one can be settled.")
    unknown = (Recipient.invocation_id == invocation.id) & (Recipient.state == UNKNOWN)
    words = {"state": state, "reason": f"{by} settled it as {state}.", "advice": None}
    connection.execute(update(Recipient).where(unknown).values(words))
    return _settled(connection, invocation, {"by": by, "note": note, "is_guess": False}, now)


def why_not_again(invocation: Invocation, states: Iterable[str]) -> str | None:
    """Return why an unknown order cannot be sent again as it is, None where it can. states: of its recipients."""
    if invocation.asked_by.startswith("campaign "):
        return "It is a batch of a campaign: choose there whether it is sent again."
    if ACCEPTED in states:
        return "Some of its numbers were taken, and would get it twice: say what became of it, then send a new order to the others."
    return None


def settle_to_repeat(connection: Connection, invocation: Invocation, attempt: int, by: str, now: datetime) -> Invocation:
    """Return an unknown order as refused, so that it can be placed once more: a person chose so, having seen this try of it.

    connection: of `services.spending.counting()`. Raises Conflict where it ended, or was tried again, meanwhile, or cannot be sent again.
    """
    if invocation.state != UNKNOWN or invocation.attempts != attempt:
        raise Conflict(f"{invocation.id} is {invocation.state} by now, or was tried again: nothing was sent. Look first.")
    states = connection.scalars(select(Recipient.state).where(Recipient.invocation_id == invocation.id)).all()
    if reason := why_not_again(invocation, states):
        raise Conflict(f"{reason} Nothing was sent.")
    return settle_by_hand(connection, invocation, REFUSED, by, "to send it again", now)


def _unknown(connection: Connection, invocation_id: str) -> list[Any]:
    columns = select(Recipient.phone, Recipient.amount, Recipient.currency)
    return list(connection.execute(columns.where(Recipient.invocation_id == invocation_id, Recipient.state == UNKNOWN)))


def _since(moment: datetime) -> tuple[str, str]:
    """Return the ids between which the callbacks lie that came in the window after a moment."""
    return f"cb_{ULID.from_datetime(moment)}"[:13], f"cb_{ULID.from_datetime(moment + WINDOW)}"[:13]


def _of_call(connection: Connection, invocation: Invocation, phone: str, _money: Amount | None) -> Any:
    first, last = _since(invocation.called_at)
    # As JSONText writes it.
    named = type_coerce(Callback.fields, Text).contains(f'"clientRequestId":"{invocation.id}"', autoescape=True)
    # Either end may stand where callbacks are found by number.
    ends = [spelled for number in (phone, invocation.ordered["own_number"]) for spelled in (number, number.lstrip("+"))]
    near = (Callback.phone.in_(ends)) & (Callback.id >= first) & (Callback.id < last)
    query = select(Callback.__table__).where(near, Callback.kind.in_(_OF_CALLS), Callback.has_effects, named)
    callbacks = list(connection.execute(query.order_by(Callback.id)))
    of_one = [row for row in callbacks if phone in (row.fields.get("callerNumber"), row.fields.get("destinationNumber"))]
    return next(iter(of_one), None) or (callbacks[0] if callbacks and len(invocation.ordered["phones"]) == 1 else None)


def _guessed(connection: Connection, invocation: Invocation, phone: str, money: Amount | None) -> Any:
    if invocation.kind not in _TOLD_BY or _how_many(connection, invocation, phone, money) != 1:
        return None
    return next((row for row in _about(connection, invocation, phone) if money is None or _is_sum(row.fields, money)), None)


def _how_many(connection: Connection, invocation: Invocation, phone: str, money: Amount | None) -> int:
    """Return how many orders a callback about this number, and amount, could mean."""
    alike = [kind for kind, told_by in _TOLD_BY.items() if told_by == _TOLD_BY[invocation.kind]]
    joined = Invocation.__table__.join(Recipient.__table__, Invocation.id == Recipient.invocation_id)
    near = Invocation.called_at.between(invocation.called_at - WINDOW, invocation.called_at + WINDOW)
    # One that is under way, or that was taken without an id, may be meant too.
    is_open = Recipient.state.in_([UNKNOWN, "pending"]) | ((Recipient.state == ACCEPTED) & Recipient.provider_id.is_(None))
    query = select(func.count()).select_from(joined).where(Invocation.kind.in_(alike), near, is_open, Recipient.phone == phone)
    if money:
        query = query.where(Recipient.amount == money.value, Recipient.currency == money.currency)
    return connection.scalar(query) or 0


def _about(connection: Connection, invocation: Invocation, phone: str) -> Iterator[Any]:
    first, last = _since(invocation.called_at)
    kind = _TOLD_BY[invocation.kind][0]
    query = select(Callback.__table__).where(
        Callback.phone.in_([phone, phone[1:]]), Callback.id >= first, Callback.id < last, Callback.kind == kind,
        Callback.state != "refused", Callback.has_effects, Callback.reference.is_not(None), Callback.received_at > invocation.called_at,
        # That one tells of an order whose end we know.
        ~select(1).where(Recipient.provider_id == Callback.reference).exists(),
    )  # fmt: skip
    yield from connection.execute(query.order_by(Callback.id))


def _is_sum(fields: dict[str, Any], money: Amount) -> bool:
    """Whether a callback tells of this sum; one that names no currency means that of the order."""
    try:
        told = Money().read(str(fields.get("value") or fields.get("amount")))
    except ValueError:
        return False
    return told.value == money.value and (told.currency or fields.get("currencyCode") or money.currency) == money.currency


def _settle(connection: Connection, invocation: Invocation, phone: str, callback: Any) -> None:
    word = callback.fields.get("status")
    family = _TOLD_BY.get(invocation.kind, (None, None))[1]
    meaning = meaning_of(family, word) if family else None
    values = {"state": ACCEPTED, "status": word and str(word)[:100], "provider_id": callback.reference,
        "reason": meaning.reason if meaning else "A callback tells of it.", "advice": meaning.advice if meaning else None}  # fmt: skip
    where = (Recipient.invocation_id == invocation.id) & (Recipient.phone == phone)
    connection.execute(update(Recipient).where(where).values(values))


def _settled(connection: Connection, invocation: Invocation, how: dict[str, Any], now: datetime) -> Invocation:
    states = set(connection.scalars(select(Recipient.state).where(Recipient.invocation_id == invocation.id)))
    state = next(state for state in (UNKNOWN, ACCEPTED, REFUSED) if state in states)
    values: dict[str, Any] = {"state": state, "settled": how, "settled_at": now}
    if state != UNKNOWN:
        values |= {"problem": None, "advice": None}
    connection.execute(update(Invocation).where(Invocation.id == invocation.id).values(values))
    _set(invocation, values)
    recipients = connection.execute(select(Recipient.__table__).where(Recipient.invocation_id == invocation.id))
    fold_order(connection, invocation, [Recipient(**row._mapping) for row in recipients], now)
    return invocation


def _set(invocation: Invocation, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(invocation, name, value)
