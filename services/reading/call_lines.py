"""Calls in the order of what happened: ringing, what each answer of ours made them hear, what they pressed, how it ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.models import Callback
from services import archive
from services.reading.endings import ending_of
from services.voice_answers import NotAnAnswer, in_words

INSTRUCTIONS, EVENT = "voice.instructions", "voice.event"
_RECORDED = "recorded"
_STATES = {"transferred": "passed on", "transfercompleted": "passed on, and that ended", "active": "talking"}


@dataclass(frozen=True)
class Line:
    """One thing that happened. what: a word, or the name of an action. url: of a recording, "" where it leads nowhere safe."""

    id: str
    at: datetime
    what: str
    said: str = ""
    tone: str = "calm"
    url: str = ""
    is_ours: bool = False
    ms: int | None = None


def call_lines(steps: Sequence[Callback], hides: bool) -> list[Line]:
    """Return what happened in a call, PINs masked, numbers where asked. steps: its callbacks, in order."""
    found: list[Line] = []
    heard: set[str] = set()
    for step in steps:
        shown = archive.shown(step, hides)
        lines = list(_LINES[step.kind](step, shown, shown["fields"], not found))
        if (url := str(shown["fields"].get("recordingUrl", ""))) in heard:
            # The end of the call tells of it again.
            lines = [line for line in lines if line.what != _RECORDED]
        heard.add(url)
        if step.replay_of:
            lines.insert(0, Line(step.id, step.received_at, "replay", "what follows was replayed with effects", "warn"))
        found += lines
    return found


def safe_address(url: str | None) -> str:
    """Return an address that a page may link to, "" for any other, as javascript:… would be one."""
    return url if url and url.lower().startswith(("https://", "http://")) else ""


def _asked(step: Callback, shown: dict[str, Any], fields: dict[str, Any], is_first: bool) -> Iterator[Line]:
    at, digits = step.received_at, fields.get("dtmfDigits")
    if digits not in (None, ""):
        yield Line(step.id, at, "pressed", str(digits))
    yield from _recorded(step, fields)
    if is_first:
        sides = f"{fields.get('callerNumber', '')} → {fields.get('destinationNumber', '')}"
        yield Line(step.id, at, str(fields.get("callSessionState") or "ringing").lower(), sides)
    yield from (Line(step.id, at, "odd", flag, "warn") for flag in [*_wrong(shown), *(shown["flags"] or [])])
    yield from _answered(step, shown["answer"])


def _answered(step: Callback, answer: str) -> Iterator[Line]:
    at = step.received_at + timedelta(milliseconds=step.ms)
    try:
        actions = in_words(answer)
    except NotAnAnswer as problem:
        yield Line(step.id, at, "answer", f"{problem}. It was: {answer[:200]}", "bad", is_ours=True, ms=step.ms)
        return
    for action in actions:
        yield Line(step.id, at, action.name, action.said, is_ours=True, ms=step.ms)
    if not actions:
        yield Line(step.id, at, "answer", "nothing more to do: the call ends", is_ours=True, ms=step.ms)


def _happened(step: Callback, shown: dict[str, Any], fields: dict[str, Any], _is_first: bool) -> Iterator[Line]:
    yield from _recorded(step, fields)
    dialled = ("dialDestinationNumber", "dequeuedToPhoneNumber", "callTransferredToNumber")
    facts = [str(fields[name]) for name in dialled if fields.get(name)]
    facts += [f"{fields[name]} s" for name in ("dialDurationInSeconds", "queueDurationInSeconds") if fields.get(name)]
    state, cause = str(fields.get("callSessionState") or fields.get("eventType") or "event"), fields.get("hangupCause")
    if str(fields.get("isActive")) != "0" and not cause:
        yield Line(step.id, step.received_at, _STATES.get(state.lower(), state.lower()), " · ".join(facts))
        return
    ending = ending_of("voice", "ended", fields.get("status"), cause)
    facts += [f"{fields['durationInSeconds']} s"] if fields.get("durationInSeconds") else []
    facts += [f"{fields.get('currencyCode', '')} {fields['amount']}".strip()] if fields.get("amount") else []
    said = " ".join(one for one in (ending.reason, ending.advice) if one)
    yield Line(step.id, step.received_at, "hang-up", " · ".join(one for one in (ending.word, said, *facts) if one), ending.tone)


def _told_of_recording(step: Callback, shown: dict[str, Any], fields: dict[str, Any], _is_first: bool) -> Iterator[Line]:
    if not fields.get("recordingUrl"):
        yield Line(step.id, step.received_at, "recording", str(fields.get("status") or ""))
    yield from _recorded(step, fields)


def _recorded(step: Callback, fields: dict[str, Any]) -> Iterator[Line]:
    if url := fields.get("recordingUrl"):
        # One that holds a number which is hidden leads nowhere.
        address = safe_address(str(url)) if url == step.fields.get("recordingUrl") else ""
        length = fields.get("duration")
        yield Line(step.id, step.received_at, _RECORDED, f"{length} s" if length else "" if address else str(url), url=address)


def _wrong(shown: dict[str, Any]) -> list[str]:
    return [f"{name}: {' '.join(reasons)}" for name, reasons in (shown["errors"] or {}).items()]


_LINES = {INSTRUCTIONS: _asked, EVENT: _happened, "voice.recording": _told_of_recording}
