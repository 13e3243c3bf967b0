"""One thing that a person did, or that was done for them, as a line: of whichever table of the ledger it is. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from app import masking
from app.statuses import Meaning, is_failure, meaning_of
from services.reading.endings import ending_of

MOST_TEXT = 160
_TONES = {"accepted": "good", "refused": "bad", "skipped": "warn", "unknown": "bad"}
_MINUTE = timedelta(minutes=1)
_FINE = ("success", "delivered")


@dataclass(frozen=True)
class Deed:
    """One line. direction: in, out or "". why: reason and advice. link: the id of what tells more (ses_, inv_, cb_), "" for nothing."""

    id: str
    at: datetime
    product: str
    direction: str
    what: str
    state: str
    tone: str = "calm"
    why: str = ""
    cost: Decimal | None = None
    currency: str | None = None
    link: str = ""
    network_code: str | None = None


def deed_of(row: Any, callback_id: str | None, hides: bool) -> Deed:
    """Return a row of the ledger, or of an order that was not taken, as a line. callback_id: the newest callback that tells of it."""
    deed = _DEEDS[row.id.partition("_")[0]](row, callback_id or "")
    if not hides:
        return deed
    return replace(deed, what=masking.numbers_in(deed.what), state=masking.numbers_in(deed.state), why=masking.numbers_in(deed.why))


def _message(row: Any, callback_id: str) -> Deed:
    is_in = row.direction == "in"
    means, reason = meaning_of("delivery", row.state), row.reason
    tone = "good" if is_in or row.state.lower() in _FINE else "bad" if is_failure("delivery", row.state) else "calm"
    why = _why(meaning_of("failure", reason), reason) if reason else "" if tone == "good" else _why(means)
    end = f"{'to' if is_in else 'from'} {row.own}: " if row.own else ""
    text = row.text if row.text is not None else "(text not known)"
    return Deed(
        row.id, row.created_at, "sms", row.direction, _cut(f"{end}{text}"), row.state, tone, why, row.cost, row.currency,
        callback_id if is_in else row.invocation_id or callback_id, row.network_code,
    )  # fmt: skip


def _session(row: Any, _callback_id: str) -> Deed:
    is_call = row.product == "voice"
    ending = ending_of(row.product, row.state, row.status, row.reason)
    way = {"inbound": "in", "outbound": "out"}.get((row.direction or "").lower(), "") if is_call else "in"
    length = f", {row.duration_s} s" if row.duration_s is not None else ""
    what = f"{'call' if is_call else 'USSD'} {row.own or ''} · {row.steps} step{'' if row.steps == 1 else 's'}{length}"
    why = "" if ending.tone == "good" else " ".join(one for one in (ending.reason, ending.advice) if one)
    return Deed(
        row.id, row.started_at, row.product, way, what, ending.word, ending.tone, why, row.cost, row.currency, row.id, row.network_code
    )


def _airtime(row: Any, callback_id: str) -> Deed:
    return _money(row, callback_id, "airtime", "out", "airtime")


def _payment(row: Any, callback_id: str) -> Deed:
    way = "out" if (row.category or "").lower() in ("mobileb2c", "mobileb2b", "banktransfer", "wallettransfer", "mobiledata") else "in"
    what = " ".join(one for one in ("payment", row.category, row.product_name) if one)
    return replace(_money(row, callback_id, "payments", way, what), cost=row.fee)


def _money(row: Any, callback_id: str, family: str, way: str, what: str) -> Deed:
    tone = "good" if row.state.lower() == "success" else "bad" if is_failure(family, row.state) else "calm"
    why = "" if tone == "good" else _why(meaning_of(family, row.state), said=row.reason)
    amount = f": {row.currency or ''} {row.value:,.2f}" if row.value is not None else ""
    link = row.invocation_id or callback_id
    return Deed(row.id, row.created_at, family, way, _cut(f"{what}{amount}"), row.state, tone, why, None, row.currency, link)


def _check(row: Any, callback_id: str) -> Deed:
    failed = row.state == "failed"
    words = {"pending": "asked", "swapped": f"SIM swapped {row.swapped_on or 'at an unknown time'}", "not_swapped": "not swapped"}
    tone = {"failed": "bad", "swapped": "warn", "not_swapped": "good"}.get(row.state, "calm")
    why = _why(meaning_of("sim_swap", row.status), row.status) if failed else ""
    what, link = "SIM swap check", row.invocation_id or callback_id
    return Deed(row.id, row.created_at, "sim_swap", "out", what, words.get(row.state, row.state), tone, why, link=link)


def _opt_out(row: Any, _callback_id: str) -> Deed:
    is_out = row.state == "out"
    # The line stands where the first opt-out was told; what was said last may be newer.
    since = f", since {row.updated_at:%Y-%m-%d %H:%M} UTC" if row.updated_at - row.created_at > _MINUTE else ""
    what = f"messages of {row.sender or 'every sender'}, by {row.by}{since}"
    state = "wants no more" if is_out else "takes them again"
    return Deed(row.id, row.created_at, "sms", "in", what, state, "warn" if is_out else "good", link=row.callback_id or "")


def _subscription(row: Any, _callback_id: str) -> Deed:
    state = {"addition": "subscribed", "deletion": "left"}.get(row.state, row.state)
    what = " ".join(one for one in ("subscription", row.keyword, "of", row.short_code) if one)
    return Deed(row.id, row.created_at, "sms", "in", what, state, "good" if row.state == "addition" else "calm", link=row.callback_id)


def _order(row: Any, _callback_id: str) -> Deed:
    product = row.kind.partition(".")[0]
    text = row.ordered.get("message") or (f"{row.currency or ''} {row.amount:,.2f}" if row.amount is not None else "")
    why = " ".join(dict.fromkeys(one for one in (row.reason or row.problem, row.advice) if one))
    return Deed(
        row.id,
        row.asked_at,
        product,
        "out",
        _cut(f"{row.kind} {text}".rstrip()),
        row.state,
        _TONES.get(row.state, "calm"),
        why,
        link=row.id,
    )


def _why(means: Meaning | None, word: str | None = None, said: str | None = None) -> str:
    """Return reason and advice of a word, and the word itself where it is told. said: a reason that was told in a sentence."""
    if means is None:
        return said or word or ""
    reason = f"{said.rstrip('. ')}." if said else means.reason
    return f"{reason} {f'({word}) ' if word else ''}{means.advice}"


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"


_DEEDS: dict[str, Callable[[Any, str], Deed]] = {
    "msg": _message, "ses": _session, "air": _airtime, "pay": _payment, "swp": _check, "out": _opt_out, "sub": _subscription,
    "inv": _order,
}  # fmt: skip
