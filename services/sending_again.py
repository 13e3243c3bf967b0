"""Sends an order once more whose end nobody knows, because a person chose so: on its own row, with its own key, once for each choice."""

from collections.abc import Iterable
from dataclasses import dataclass

from app import masking
from app.models import Invocation
from app.schemas.invokes import INVOKES
from services import past_invocations
from services.invocations import Order, Placed
from services.reactions.asking import CALLS
from services.settling import why_not_again


@dataclass(frozen=True)
class Choice:
    """What is chosen about. attempt: the try that was seen. amount: the money for each number, "" for none.

    words: all of it, `airtime of KES 10 to +254711000017`. why_not: why it cannot be sent again, None where it can.
    """

    id: str
    attempt: int
    to: str
    amount: str
    words: str
    why_not: str | None


def send_again(invocation_id: str, attempt: int, by: str) -> Placed:
    """Place an unknown order again, and return how it ended. attempt: the try of it that the person saw.

    Raises UnknownInvocation, Conflict where it is not unknown any more or was tried again meanwhile, and what place() raises;
    then it stays as it was.
    """
    invocation, _ = past_invocations.one(invocation_id)
    ordered = dict(invocation.ordered)
    phones, force = ordered.pop("phones"), ordered.pop("force", False)
    order = Order(
        invocation.kind, phones, ordered, invocation.idempotency_key, invocation.reference, again=True, force=force, asked_by=by,
        after_attempt=attempt,
    )  # fmt: skip
    return CALLS[invocation.kind](order)


def choice_of(invocation: Invocation, states: Iterable[str], is_real: bool, hides: bool) -> Choice:
    """Return what a person chooses about, of an order whose end nobody knows. states: of its recipients. hides: numbers are masked."""
    ordered, row = invocation.ordered, INVOKES[invocation.kind]
    phones = ordered["phones"]
    to = phones[0] if len(phones) == 1 else f"{len(phones)} numbers"
    amount = f"{ordered.get('currency') or ''} {ordered['amount']}".strip() if "amount" in ordered else ""
    to = masking.numbers_in(to) if hides else to
    words = f"{row.real if is_real else row.thing}{f' of {amount}' if amount else ''} to {to}"
    return Choice(invocation.id, invocation.attempts, to, amount, words, why_not_again(invocation, states))
