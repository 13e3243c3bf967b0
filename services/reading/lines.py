"""A callback or an order to Africa's Talking as one line of a list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from app import masking
from app.models import Recipient
from app.schemas.callbacks import KINDS
from services.reading.signs import others_of_callback, sign_of_callback, sign_of_invocation
from services.reading.tables import LISTS

MOST_FACT = 60
# What a line is made of: bodies and headers are not read for a list.
COLUMNS = {
    "callbacks": (
        "id", "received_at", "kind", "phone", "fields", "errors", "secret_places", "state", "checks", "ms", "answer", "answer_status",
        "due_at", "last_error", "replay_of", "repeats", "pinned_at",
    ),
    "invocations": ("id", "asked_at", "kind", "ordered", "state", "ms"),
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What a line shows. others: names of signs besides the first. is_open: it will change by itself."""

    id: str
    at: datetime
    kind: str
    phone: str | None
    fact: str
    sign: str
    others: tuple[str, ...]
    said: str
    ms: int | None
    is_ours: bool
    is_open: bool = False

    @property
    def place(self) -> str:
        """Where it stands in the list: its id without prefix, a ULID."""
        return self.id.partition("_")[2]


def lines_of(connection: Connection, rows: Sequence[Any], hides: bool) -> list[Line]:
    """Return a line for each row, of callbacks or invocations, with COLUMNS. hides: whether numbers are masked."""
    ours = [row.id for row in rows if not _is_callback(row)]
    phones = _phones(connection, ours) if ours else {}
    found = [_of_callback(row) if _is_callback(row) else _of_invocation(row, *phones.get(row.id, ("", 0))) for row in rows]
    return [_hidden(line) for line in found] if hides else found


def _is_callback(row: Any) -> bool:
    return bool(row.id.startswith(LISTS["callbacks"].ids))


def _hidden(line: Line) -> Line:
    return replace(line, phone=masking.numbers_in(line.phone) if line.phone else None, fact=masking.numbers_in(line.fact))


def _phones(connection: Connection, invocation_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return the first number of each invocation, and how many there are."""
    first = select(Recipient.invocation_id, Recipient.phone).where(Recipient.invocation_id.in_(invocation_ids), Recipient.position == 0)
    counts = select(Recipient.invocation_id, func.count()).where(Recipient.invocation_id.in_(invocation_ids))
    of = {row.invocation_id: row.phone for row in connection.execute(first)}
    return {one: (of.get(one, ""), count) for one, count in connection.execute(counts.group_by(Recipient.invocation_id))}


def _of_callback(row: Any) -> Line:
    # PINs are masked, a secret answer of a menu too.
    fields = masking.fields(row.kind, row.fields, row.secret_places or [])
    fact = " ".join(str(fields[name]) for name in KINDS[row.kind].facts if fields.get(name) not in (None, ""))
    if row.errors:
        fact = f"wrong: {', '.join(row.errors)}"
    said = row.answer[:3] if row.answer[:4] in ("CON ", "END ") else ""
    return Line(
        row.id, row.received_at, row.kind, row.phone, fact[:MOST_FACT], sign_of_callback(row), others_of_callback(row),
        f"{row.answer_status} {said}".rstrip(), row.ms, is_ours=False,
    )  # fmt: skip


def _of_invocation(row: Any, phone: str, count: int) -> Line:
    fact = " ".join(str(row.ordered[name]) for name in ("message", "currency", "amount") if row.ordered.get(name))
    who = phone if count < 2 else f"{count} numbers"
    return Line(
        row.id, row.asked_at, row.kind, who or None, fact[:MOST_FACT], sign_of_invocation(row.state), (), row.state, row.ms,
        is_ours=True, is_open=row.state == "pending",
    )  # fmt: skip
