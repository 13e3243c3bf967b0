"""What happened around one callback, in the order in which it did: from its arrival to reactions and deliveries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select

from app.models import Callback, Delivery, Endpoint, Invocation, Reaction
from app.schemas.callbacks import KINDS
from services.replays.replaying import ELSEWHERE

MOST_RELATED = 20
_FINE = ("delivered", "done", "accepted")


@dataclass(frozen=True)
class Moment:
    """One thing that happened. tone: good, bad, warn or calm. link: ids of rows that tell more."""

    at: datetime
    what: str
    said: str
    tone: str = "calm"
    id: str = ""
    # A traceback, or an answer, too long for a line
    more: str = ""


@dataclass(frozen=True)
class Related:
    """Another callback, and how it belongs to this one."""

    id: str
    kind: str
    at: datetime
    how: str


def timeline(connection: Connection, row: Any) -> list[Moment]:
    """Return all that is known to have happened with a callback, oldest first. row: with the columns of a callback."""
    found = [*_arrival(row), *_reactions(connection, row.id), *_deliveries(connection, row.id)]
    if row.repeats:
        often = "once" if row.repeats == 1 else f"{row.repeats} times"
        found.append(Moment(row.repeated_at, "came again", f"{often}, at last from {row.repeated_from}; answered alike, not acted on"))
    if row.last_error:
        found.append(
            Moment(row.due_at or row.received_at, "given up" if row.due_at is None else "to be tried again", row.last_error, "bad")
        )
    return sorted(found, key=lambda moment: moment.at)


def related(connection: Connection, row: Any) -> list[Related]:
    """Return other callbacks of the same session, message or transaction, its replays, and what it is a replay of; newest first."""
    conditions = [Callback.replay_of == row.id, Callback.id.in_([one for one in (row.replay_of, row.differs_from) if one])]
    if row.reference:
        conditions.append(Callback.reference == row.reference)
    query = select(Callback.id, Callback.kind, Callback.received_at, Callback.replay_of).where(or_(*conditions), Callback.id != row.id)
    rows = connection.execute(query.order_by(Callback.id.desc()).limit(MOST_RELATED))
    return [Related(one.id, one.kind, one.received_at, _how(one, row)) for one in rows]


def _how(one: Any, row: Any) -> str:
    if one.replay_of == row.id:
        return "replay of this"
    if one.id == row.replay_of:
        return "this is a replay of it"
    return "this differs from it" if one.id == row.differs_from else "same reference"


def _arrival(row: Any) -> list[Moment]:
    done = row.received_at + timedelta(milliseconds=row.ms)
    checks = ", ".join(f"{name} {'ok' if passed else 'failed'}" for name, passed in row.checks.items()) or "not checked"
    tone = "calm" if all(row.checks.values()) else "warn"
    how = {"replay": "replayed here", "pulled": "fetched from Africa's Talking"}.get(row.via, f"POST {row.path}")
    if row.source == ELSEWHERE:
        how = f"posted to {row.app['url']}"
    said = f"{how} · {len(row.raw_body)} B · {row.source} · {checks}"
    schema, spent = type(KINDS[row.kind].schema).__name__, row.spent or {}
    wrong = "; ".join(f"{name}: {' '.join(reasons)}" for name, reasons in (row.errors or {}).items())
    others = "".join(f", {ms} ms by {'your program' if name == 'app' else 'the ' + name}" for name, ms in spent.items() if name != "own")
    return [
        Moment(row.received_at, "received", said, tone),
        Moment(done, "refused" if row.errors else "validated", wrong or _fields_told(row, schema), "bad" if row.errors else "good"),
        Moment(
            done, "answered", f"{row.answer_status} {row.answer_type} in {row.ms} ms{others}", "good" if row.answer_status < 400 else "bad"
        ),
        Moment(done, "stored", row.state if row.has_effects else f"{row.state}, without effects"),
    ]


def _fields_told(row: Any, schema: str) -> str:
    known = {field.data_key or name for name, field in KINDS[row.kind].schema.fields.items()}
    unknown = [name for name in row.fields if name not in known]
    extra = f" · {len(unknown)} not known, kept: {', '.join(unknown[:5])}" if unknown else ""
    return f"{schema} · {len(row.fields)} fields{extra}"


def _reactions(connection: Connection, callback_id: str) -> list[Moment]:
    rows = connection.execute(select(Reaction.__table__).where(Reaction.callback_id == callback_id).order_by(Reaction.id))
    return [moment for row in rows for moment in (_reaction(row), *_orders(connection, row))]


def _reaction(row: Any) -> Moment:
    at = row.finished_at or row.created_at
    tone = "bad" if row.state == "dead" else "good" if row.state == "done" else "warn" if row.last_error else "calm"
    tries = f" after {row.tries} tries" if row.tries > 1 else ""
    not_sent = "; ".join(f"{one['kind']} {one['state']}: {one['reason']}" for one in row.did or [] if one.get("reason"))
    return Moment(
        at, "reaction", f"{row.name}: {row.state}{tries}{' · ' + not_sent if not_sent else ''}", tone, row.id, row.last_error or ""
    )


def _orders(connection: Connection, reaction: Any) -> list[Moment]:
    ids = [one["invocation"] for one in reaction.did or [] if one.get("invocation")]
    if not ids:
        return []
    query = select(Invocation.id, Invocation.kind, Invocation.state, Invocation.asked_at, Invocation.problem).where(Invocation.id.in_(ids))
    return [
        Moment(row.asked_at, row.kind, f"{row.state}{' · ' + row.problem if row.problem else ''}", _tone(row.state), row.id)
        for row in connection.execute(query.order_by(Invocation.id))
    ]


def _deliveries(connection: Connection, callback_id: str) -> list[Moment]:
    query = select(Delivery.__table__, Endpoint.url).join(Endpoint, Endpoint.id == Delivery.endpoint_id)
    return [_delivery(row) for row in connection.execute(query.where(Delivery.callback_id == callback_id).order_by(Delivery.id))]


def _delivery(row: Any) -> Moment:
    tries = f"try {row.attempts}" if row.attempts else "not tried yet"
    outcome = f"{row.status}" if row.status else row.problem or row.state
    waits = f" · next try {row.due_at:%H:%M:%S} UTC" if row.state == "waiting" else ""
    said = f"{row.url.partition('?')[0]} · {outcome} · {row.state}, {tries}{waits}"
    return Moment(row.attempted_at or row.created_at, "webhook", said, _tone(row.state) if row.attempts else "calm", row.id)


def _tone(state: str) -> str:
    return "good" if state in _FINE else "warn" if state in ("waiting", "pending") else "bad"
