"""What became of one call, read from Africa's Talking's answer: the shapes, and what all products read alike. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from app.schemas.bodies import clean
from app.schemas.fields import Amount, Money
from app.statuses import ACCEPTED, REFUSED, UNKNOWN, Meaning, meaning_of
from services.slots import index_key
from services.transport import Reply

MOST_TEXT = 300
UNEXPECTED = "Africa's Talking answered with something that is not an answer to this."
NOT_TOLD = "Africa's Talking's answer does not tell what became of this number."
# What goes wrong on the other side may go wrong after the order was taken.
_OF_THEIR_OWN = re.compile(r"time.?out|timed out|internal|server error|gateway", re.IGNORECASE)
_REPEAT = re.compile(r"duplicate|idempoten", re.IGNORECASE)
_ASK = "See Africa's Talking's dashboard before you repeat it."
_WRONG_KEY = (
    "Africa's Talking did not accept the API key for '{username}'. A sandbox key works only with user name 'sandbox', "
    "a live key only with your app's; a new key can take 20 minutes."
)


@dataclass(frozen=True)
class Result:
    """What became of one recipient."""

    state: str
    status: str | None = None
    reason: str | None = None
    advice: str | None = None
    cost: Amount | None = None
    provider_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one call. results: by phone number, one for each that was asked for."""

    results: dict[str, Result]
    answer_status: int | None = None
    answer: Any = None
    problem: str | None = None
    advice: str | None = None
    was_reached: bool = True
    retry_after: str | None = None

    @property
    def state(self) -> str:
        """Unknown if any recipient is, else accepted if any is, else refused."""
        states = {result.state for result in self.results.values()}
        return next(state for state in (UNKNOWN, ACCEPTED, REFUSED) if state in states)


class NotAnAnswer(Exception):
    """A 2xx whose body is not the expected JSON."""


@dataclass(frozen=True)
class Refusal(Exception):
    """Africa's Talking refused the whole of an order. word: its own; it may be of the family's table."""

    word: str


def not_reached(phones: Iterable[str], problem: str) -> Outcome:
    """Return the outcome of a call that was never made."""
    return Outcome(dict.fromkeys(phones, Result(REFUSED, reason="Nothing was sent.")), problem=problem, was_reached=False)


def no_answer(phones: Iterable[str], problem: str, reply: Reply | None = None) -> Outcome:
    """Return the outcome of a call that may have been made."""
    status, answer = (reply.status, shortened(reply.body)) if reply else (None, None)
    return Outcome(dict.fromkeys(phones, Result(UNKNOWN, reason=problem, advice=_ASK)), status, answer, problem, _ASK)


Entries = Callable[[Any], Iterable[tuple[str, Result]]]


def read(reply: Reply, phones: list[str], family: str, username: str, entries: Entries) -> Outcome:
    """Return what an answer says. entries: from the JSON of a 2xx to (phone, result); may raise Refusal and NotAnAnswer."""
    if 400 <= reply.status < 500:
        return _refused(reply, phones, username)
    if not 200 <= reply.status < 300:
        return no_answer(phones, f"Africa's Talking answered {reply.status}.", reply)
    try:
        results = _matched(phones, entries(reply.body))
    except Refusal as refusal:
        return _all_refused(reply, phones, family, refusal.word)
    except (NotAnAnswer, KeyError, TypeError, ValueError, AttributeError):
        return no_answer(phones, UNEXPECTED, reply)
    outcome = Outcome(results, reply.status, reply.body)
    if outcome.state == ACCEPTED:
        return outcome
    first = next(result for result in results.values() if result.state == outcome.state)
    problem = f"Africa's Talking refused: '{first.status}'. {first.reason} {first.advice}" if outcome.state == REFUSED else first.reason
    return replace(outcome, problem=problem, advice=first.advice)


def without_repeats(outcome: Outcome, attempts: int) -> Outcome:
    """Return the outcome of a later try: Africa's Talking calling it a duplicate means that an earlier one was taken."""
    if attempts > 1 and outcome.state == REFUSED and _REPEAT.search(f"{outcome.problem} {outcome.answer}"):
        problem = "Africa's Talking takes this for a repeat: an earlier try was sent, it seems."
        return replace(no_answer(outcome.results, problem), answer_status=outcome.answer_status, answer=outcome.answer)
    return outcome


def result_of(family: str, word: Any, cost: Any = None, provider_id: Any = None, shown: Any = None) -> Result:
    """Return the result that a status word stands for. A word that is not in the table is unknown: it may have happened.

    shown: the word that people are told, where that is another one.
    """
    meaning = meaning_of(family, word) or Meaning(UNKNOWN, f"'{shortened(str(word))}' is not a status we know.", _ASK)
    status = shortened(str(word if shown is None else shown))[:100]
    return Result(meaning.state or UNKNOWN, status, meaning.reason, meaning.advice, money(cost), index_key(word_or_none(provider_id)))


def refused_because(family: str, result: Result, said: str) -> Result:
    """Return a refused result with what Africa's Talking said of it besides its status; unknown, if that leaves it open."""
    meaning, told = meaning_of(family, said), shortened(said)[:200]
    if (meaning and meaning.state != REFUSED) or (meaning is None and _OF_THEIR_OWN.search(told)):
        return replace(result, state=UNKNOWN, reason=told, advice=_ASK)
    reason = f"{told}: {meaning.reason}" if meaning else told
    return replace(result, reason=reason, advice=meaning.advice if meaning else result.advice, cost=None)


def money(value: Any) -> Amount | None:
    """Return a cost as Africa's Talking writes it, `KES 0.8000` or {"amount", "currencyCode"}; None for none."""
    if isinstance(value, dict):
        value = f"{value.get('currencyCode', '')} {value.get('amount', '')}"
    try:
        found = Money().read(str(value))
    except (ValueError, ArithmeticError):
        return None
    # A cost of "0" without currency is that of nothing.
    return found if found.currency and abs(found.value) < Decimal(10) ** 12 else None


def word_or_none(value: Any) -> str | None:
    """Return a word, None for what Africa's Talking writes for none: the word "None"."""
    return None if value in (None, "", "None") else str(value)


def shortened(answer: Any) -> Any:
    """Return an answer as it may be kept and shown: text is cut and stripped of markup and controls, JSON stays."""
    if not isinstance(answer, str):
        return answer
    text = clean(re.sub(r"<[^>]*>", " ", answer))
    return " ".join(text.split())[:MOST_TEXT]


def _refused(reply: Reply, phones: list[str], username: str) -> Outcome:
    said = shortened(reply.body if isinstance(reply.body, str) else str(reply.body)) or f"HTTP {reply.status}"
    problem, advice = f"Africa's Talking refused: '{said}'.", "Correct the order and try again."
    if reply.status == 401:
        problem, advice = _WRONG_KEY.format(username=username), "Check AT_USERNAME and AT_API_KEY in your settings."
    elif reply.status in (404, 405):
        advice = "The address is not Africa's Talking's: check AT_BASE_URL."
    elif reply.status == 402:
        advice = "Top up the account at Africa's Talking."
    elif reply.status == 429:
        problem, advice = "Africa's Talking refused: too many requests.", "Wait a minute, then try again."
    results = dict.fromkeys(phones, Result(REFUSED, str(reply.status), problem, advice))
    return Outcome(results, reply.status, shortened(reply.body), problem, advice, retry_after=reply.retry_after)


def _all_refused(reply: Reply, phones: list[str], family: str, word: str) -> Outcome:
    meaning, said = meaning_of(family, word), shortened(word)
    if (meaning and meaning.state != REFUSED) or (meaning is None and _OF_THEIR_OWN.search(said)):
        return no_answer(phones, f"Africa's Talking said '{said}' and named nobody.", reply)
    reason = meaning.reason if meaning else f"Africa's Talking said: {said}"
    advice = meaning.advice if meaning else "Correct the order and try again."
    results = dict.fromkeys(phones, Result(REFUSED, said[:100], reason, advice))
    return Outcome(results, reply.status, reply.body, f"Africa's Talking refused: '{said}'. {advice}", advice)


def _matched(phones: list[str], found: Iterable[tuple[str, Result]]) -> dict[str, Result]:
    """Return a result for each phone that was asked for: by its digits, or the one that is left for the one that is left.

    Of two about one number that counts which says that something may have happened.
    """
    by_digits: dict[str, Result] = {}
    for number, result in found:
        digits = re.sub(r"\D", "", number)
        if digits not in by_digits or by_digits[digits].state == REFUSED:
            by_digits[digits] = result
    results = {phone: by_digits.pop(phone[1:], None) for phone in phones}
    lost = [phone for phone, result in results.items() if result is None]
    if len(lost) == 1 and len(by_digits) == 1:
        results[lost[0]] = by_digits.popitem()[1]
    return {phone: result or Result(UNKNOWN, reason=NOT_TOLD, advice=_ASK) for phone, result in results.items()}
