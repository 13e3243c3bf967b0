"""Who wants no more messages: told by callbacks, by keywords, or entered by hand; what was told last counts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, CompoundSelect, Connection, Row, Select, bindparam, exists, func, or_, select, union_all

from app.errors import GatewayError
from app.extensions import db, writing
from app.models import Callback, OptOut, Reaction
from services.ledger.people import EVERY_SENDER, IN, OPT_OUT, OUT, mark_of, opt_in, opt_out, person_of
from services.proofs import is_proven
from services.reactions.keywords import MESSAGE, Rule, called_for

__all__ = ["bring_back", "enter", "opt_in", "opt_out", "opted_out", "person_who_left"]
# Numbers that are asked about in one statement
_TOGETHER = 1000
# What of a callback says who wants what
_TOLD = ("id", "kind", "state", "phone", "fields", "checks", "via", "due_at")


class UnknownOptOut(GatewayError):
    """No opt-out has this id."""

    status = 404


def _nothing(_happened: Any) -> None:
    """Stand where a rule has its function: here it is only asked which one is called for."""


_WORDS = (Rule(MESSAGE, _nothing, ("STOP",), OUT), Rule(MESSAGE, _nothing, ("START",), IN))


def opted_out(connection: Connection, phones: Sequence[str]) -> set[str]:
    """Return those of the numbers that opted out, from whichever sender, also by callbacks and words that wait for the worker.

    Which sender a bulk message will have is not always known here, and who said stop meant it.
    """
    found: set[str] = set()
    for first in range(0, len(phones), _TOGETHER):
        found |= _opted_out(connection, phones[first : first + _TOGETHER])
    return found


def enter(phone: str, sender: str, by: str) -> None:
    """Keep by hand that a person wants no more messages of a sender, "" for every sender. by: who says so."""
    now = datetime.now(UTC)
    with writing() as connection:
        opt_out(connection, phone, sender or EVERY_SENDER, by, now)


def person_who_left(opt_out_id: str) -> str:
    """Return the number of an opt-out. Raises UnknownOptOut."""
    with db.engine.connect() as connection:
        phone: str | None = connection.scalar(select(OptOut.phone).where(OptOut.id == opt_out_id))
    if phone is None:
        raise UnknownOptOut(f"No opt-out '{opt_out_id[:60]}'.")
    return phone


def bring_back(phone: str, by: str) -> bool:
    """Keep by hand that a person takes messages again, of all senders; return whether that changes anything. by: who says so."""
    now = datetime.now(UTC)
    with writing() as connection:
        if not opted_out(connection, [phone]):
            return False
        opt_in(connection, phone, by, now)
        return True


def _opted_out(connection: Connection, phones: Sequence[str]) -> set[str]:
    people = {phone: person_of(phone) or phone for phone in phones}
    left: dict[str, str] = defaultdict(str)
    back: dict[str, str] = defaultdict(str)
    for told in (_known(connection, set(people.values())), _waiting(connection, set(people.values()))):
        for person, word, mark in told:
            marks = left if word == OUT else back
            marks[person] = max(marks[person], mark)
    return {phone for phone, person in people.items() if left[person] > back[person]}


def _known(connection: Connection, people: set[str]) -> Iterator[tuple[str, str, str]]:
    query = select(OptOut.phone, OptOut.state, OptOut.callback_id, OptOut.updated_at).where(OptOut.phone.in_(people))
    for row in connection.execute(query):
        yield row.phone, row.state, mark_of(row.callback_id, row.updated_at)


def _waiting(connection: Connection, people: set[str]) -> Iterator[tuple[str, str, str]]:
    for query in _queries(people):
        for row in connection.execute(query):
            person, word = person_of(row.phone or ""), _word(row)
            if word and person in people:
                yield person, word, row.id


def _queries(people: set[str]) -> Iterator[Select | CompoundSelect]:
    """Give what finds the callbacks that may tell of these people and whose work is not done.

    Numbers as they usually come are looked up. Others, as `0711…` or `tel:…`, are looked for in what waits, which is little.
    """
    told = select(*(getattr(Callback, name) for name in _TOLD))
    told = told.where(Callback.kind.in_((OPT_OUT, MESSAGE)), Callback.state != "refused")
    usual = Callback.phone.in_([spelled for person in people for spelled in (person, person.removeprefix("+"))])
    unusual = or_(func.ltrim(Callback.phone, "+0123456789") != "", Callback.phone.startswith("0"))
    waiting = (Callback.due_at.is_not(None), Callback.last_error.is_not(None))
    open_ = [_is_open(state, datetime.now(UTC)) for state in ("waiting", "dead")]
    yield told.where(usual, or_(*waiting, exists().where(Reaction.callback_id == Callback.id, or_(*open_))))
    # One for each index: SQLite takes none for two of these conditions at once.
    reacting = told.join(Reaction, Reaction.callback_id == Callback.id)
    yield union_all(*(told.where(unusual, one) for one in waiting), *(reacting.where(unusual, one) for one in open_))


def _is_open(state: str, now: datetime) -> ColumnElement[bool]:
    """Return the condition for reactions in this state, but for one that runs just now: it may answer who said stop."""
    # Spelled out in the statement: SQLite takes the index of waiting ones for nothing else.
    is_so = Reaction.state == bindparam(None, state, literal_execute=True)
    return is_so & (Reaction.leased_until.is_(None) | (Reaction.leased_until <= now))


def _word(row: Row) -> str | None:
    """Return what a callback says: OUT, IN, or None for neither."""
    if row.kind == OPT_OUT:
        return OUT
    called = called_for(_WORDS, MESSAGE, str(row.fields.get("text") or "")) if row.state == "accepted" else []
    word = called[0].rule.name if called else None
    return None if word == IN and not _may_come_back(row) else word


def _may_come_back(row: Row) -> bool:
    """Whether a START will be heard: not one that was given up, nor, live, one that anybody may have posted."""
    is_live = current_app.config["POKEA"].is_live
    return row.due_at is not None and (not is_live or is_proven(row.checks) or row.via == "pulled")
