"""The lists that programs read, one entry each: which filters it has, what they mean, and how a row is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row

from app.extensions import Base
from app.models import Airtime, Callback, Invocation, Message, OptOut, Payment, Recipient, Recording, Session, SimSwap, Subscription
from app.schemas.callbacks import CALL_STATUSES, KINDS, PaymentNotification
from app.schemas.invokes import INVOKES
from services import archive, past_invocations
from services.invocations import recipients_of
from services.ledger.states import AIRTIME, MESSAGES, PAYMENTS, Ladder
from services.reading import rows

Tell = Callable[[Connection, Row, bool], dict[str, Any]]


_CATEGORIES: list[str] = list(PaymentNotification().fields["category"].words.values())  # type: ignore[attr-defined]


def _words(ladder: Ladder) -> tuple[str, ...]:
    return tuple(word for step in ladder.steps for word in step)


def _plainly(tell: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Tell:
    return lambda _connection, row, _hides: tell(dict(row._mapping))


@dataclass(frozen=True)
class List:
    """One list. ids: what its ids begin with. A filter without a column is one that the list does not have."""

    model: type[Base]
    ids: str
    tell: Tell
    kind: Column | None = None
    kinds: tuple[str, ...] = ()
    state: Column | None = None
    states: tuple[str, ...] = ()
    phone: Column | None = None
    # A column that holds several numbers
    phones: Column | None = None
    session: Column | None = None
    reference: Column | None = None
    searched: tuple[Column, ...] = ()
    # Where number and session stand in another table: their columns there, and that of our ids
    elsewhere: tuple[Column, Column, Column] | None = None

    @property
    def filters(self) -> tuple[str, ...]:
        """The names of the filters that it has."""
        has = {
            "kind": self.kind, "state": self.state, "phone": self.phone if self.phones is None else self.phones,
            "session": self.session, "reference": self.reference, "q": self.searched or None,
        }  # fmt: skip
        if self.elsewhere is not None:
            has |= {"phone": self.elsewhere[0], "session": self.elsewhere[1]}
        return (*(name for name, column in has.items() if column is not None), "since", "until")


def _callback(_connection: Connection, row: Row, hides: bool) -> dict[str, Any]:
    return archive.shown(Callback(**row._mapping), hides)


def _invocation(connection: Connection, row: Row, hides: bool) -> dict[str, Any]:
    return past_invocations.shown(Invocation(**row._mapping), recipients_of(connection, row.id), hides)


def column_of(model: type[Base], name: str) -> Column:
    """Return a column of a table by its name."""
    return model.__table__.c[name]  # type: ignore[return-value]


def _columns(model: type[Base], *names: str) -> tuple[Column, ...]:
    return tuple(column_of(model, name) for name in names)


LISTS: dict[str, List] = {
    "callbacks": List(
        Callback, "cb_", _callback, column_of(Callback, "kind"), tuple(KINDS), column_of(Callback, "state"),
        ("accepted", "differing", "refused"),
        column_of(Callback, "phone"), session=column_of(Callback, "reference"), reference=column_of(Callback, "reference"),
        searched=_columns(Callback, "fields", "answer"),
    ),
    "invocations": List(
        Invocation, "inv_", _invocation, column_of(Invocation, "kind"), tuple(INVOKES), column_of(Invocation, "state"),
        ("pending", "accepted", "refused", "unknown"), reference=column_of(Invocation, "reference"),
        searched=_columns(Invocation, "ordered", "answer", "problem"),
        elsewhere=(column_of(Recipient, "phone"), column_of(Recipient, "provider_id"), column_of(Recipient, "invocation_id")),
    ),
    "sessions": List(
        Session, "ses_", _plainly(rows.told_session), column_of(Session, "product"), ("ussd", "voice"),
        column_of(Session, "state"), ("open", "ended"),
        column_of(Session, "phone"), session=column_of(Session, "provider_id"), reference=column_of(Session, "provider_id"),
        searched=_columns(Session, "own", "status", "reason"),
    ),
    "messages": List(
        Message, "msg_", _plainly(rows.told), column_of(Message, "direction"), ("in", "out"), column_of(Message, "state"),
        ("received", *_words(MESSAGES)), column_of(Message, "phone"), reference=column_of(Message, "reference"),
        searched=_columns(Message, "text", "own", "reason"),
    ),
    "recordings": List(
        Recording, "rec_", _plainly(rows.told_recording), state=column_of(Recording, "status"),
        states=tuple(dict.fromkeys(CALL_STATUSES.values())),
        phones=column_of(Recording, "participants"), session=column_of(Recording, "session_id"),
        reference=column_of(Recording, "session_id"),
        searched=_columns(Recording, "url", "participants"),
    ),
    "payments": List(
        Payment, "pay_", _plainly(rows.told_payment), column_of(Payment, "category"),
        tuple(_CATEGORIES), column_of(Payment, "state"), _words(PAYMENTS),
        column_of(Payment, "phone"), reference=column_of(Payment, "provider_id"),
        searched=_columns(Payment, "product_name", "reason", "about"),
    ),
    "optouts": List(
        OptOut, "out_", _plainly(rows.told), state=column_of(OptOut, "state"), states=("out", "in"), phone=column_of(OptOut, "phone"),
        searched=_columns(OptOut, "sender"),
    ),
    "subscriptions": List(
        Subscription, "sub_", _plainly(rows.told), state=column_of(Subscription, "state"), states=("addition", "deletion"),
        phone=column_of(Subscription, "phone"), searched=_columns(Subscription, "short_code", "keyword"),
    ),
    "airtime": List(
        Airtime, "air_", _plainly(rows.told_airtime), state=column_of(Airtime, "state"), states=_words(AIRTIME),
        phone=column_of(Airtime, "phone"), reference=column_of(Airtime, "provider_id"), searched=_columns(Airtime, "reason"),
    ),
    "sim-swap/checks": List(
        SimSwap, "swp_", _plainly(rows.told_check), state=column_of(SimSwap, "state"),
        states=("pending", "swapped", "not_swapped", "failed"), phone=column_of(SimSwap, "phone"),
        reference=column_of(SimSwap, "provider_id"),
    ),
}  # fmt: skip
