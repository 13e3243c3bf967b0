"""USSD sessions as people saw them: each screen of ours, and what they typed to it. Calls are told by call_lines.py."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app import masking
from app.models import Callback
from services import archive, gsm7, ussd

# Many networks show no more, whatever the one of this session does.
SCREEN = 182
HOP, END = "ussd.session", "ussd.session_end"
_SEPARATOR = "*"


@dataclass(frozen=True)
class Bubble:
    """What one side said: they, or we with a screen. id: of its callback. word: CON or END, of screens."""

    id: str
    at: datetime
    is_theirs: bool
    text: str
    word: str = ""
    ms: int = 0
    length: int = 0
    room: int = 0
    warnings: tuple[str, ...] = ()
    # That it is a replay, or differs from an earlier one
    note: str = ""


@dataclass(frozen=True)
class Transcript:
    """A USSD session. sent: all that was typed as it came at last; path: the same, step by step. end: the callback of its end."""

    bubbles: list[Bubble]
    sent: str
    path: list[str]
    end: dict[str, Any] | None


def transcript(steps: Sequence[Callback], hides: bool) -> Transcript:
    """Return what was said in a session, PINs and secrets masked, numbers where asked. steps: its callbacks, in order."""
    hops = [step for step in steps if step.kind == HOP]
    secrets = sorted({place for hop in hops for place in hop.secret_places or []})
    ends = [step for step in steps if step.kind == END]
    texts = [str(hop.fields.get("text") or "") for hop in hops]
    path = typed_parts(max(texts, key=len, default=""), 0, secrets, hides)
    end = archive.shown(ends[-1], hides) if ends else None
    return Transcript(list(_bubbles(hops, secrets, hides)), _SEPARATOR.join(path), path, end)


def typed_parts(text: str, place: int, secrets: Sequence[int], hides: bool) -> list[str]:
    """Return what was typed, answer by answer, masked as everywhere. place: that of the first one in the session."""
    parts = text.split(_SEPARATOR) if text else []
    shown = [masking.typed(part, [0] if number in secrets else ()) for number, part in enumerate(parts, place)]
    return [masking.numbers_in(part) for part in shown] if hides else shown


def _bubbles(hops: Sequence[Callback], secrets: Sequence[int], hides: bool) -> Iterator[Bubble]:
    before: str | None = None
    for hop in hops:
        text = str(hop.fields.get("text") or "")
        new, place = _new_part(before, text)
        if new is not None:
            typed = _SEPARATOR.join(typed_parts(new, place, secrets, hides))
            yield Bubble(hop.id, hop.received_at, True, typed, note=_note(hop))
        yield _screen(hop, hides)
        before = text


def _new_part(before: str | None, text: str) -> tuple[str | None, int]:
    """Return what was typed since the hop before, None where that is nothing, and its place. What does not go on is new as a whole."""
    if before is not None and text != before and text.startswith(f"{before}{_SEPARATOR}" if before else ""):
        return (text[len(before) + 1 :] if before else text), len(before.split(_SEPARATOR)) if before else 0
    return (text if text and text != before else None), 0


def _screen(hop: Callback, hides: bool) -> Bubble:
    shown = archive.shown(hop, hides)
    is_screen = hop.answer[:4] in ("CON ", "END ")
    text = shown["answer"][4:] if is_screen else shown["answer"]
    length = gsm7.length(hop.answer[4:] if is_screen else hop.answer)
    room = gsm7.room(hop.answer, SCREEN)
    return Bubble(
        hop.id, hop.received_at, False, text, hop.answer[:3] if is_screen else "", hop.ms, length, room,
        tuple(_warnings(hop, shown, length, room)), _note(hop),
    )  # fmt: skip


def _warnings(hop: Callback, shown: dict[str, Any], length: int, room: int) -> list[str]:
    wrong = [f"{name}: {' '.join(reasons)}" for name, reasons in (shown["errors"] or {}).items()]
    found = [*wrong, *(shown["flags"] or [])]
    if length > room:
        found.append(f"{length} characters: many networks cut at {room}")
    strange = [one for one in ussd.warnings(hop.answer, length + room) if one.startswith("unusual")]
    return [*found, *(one for one in strange if one not in found)]


def _note(hop: Callback) -> str:
    if hop.replay_of:
        return "replay"
    return "" if hop.state == "accepted" else hop.state
