"""The answer that goes back to a message by itself, and what keeps it from going round in circles, spending, or disturbing."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select, update
from ulid import ULID

from app.models import Callback, Invocation, Reaction, Recipient
from app.settings import Settings
from services import opt_outs
from services.reactions.acting import Happened
from services.reactions.asking import asked_by, e164, key_of, settings
from services.spending import COUNTED, counting

KIND = "sms.premium"
# Answers by reactions to one number
MOST_A_MINUTE = 3
MOST_A_DAY = 20
TOO_MANY = f"{MOST_A_MINUTE} answers a minute and {MOST_A_DAY} a day are the most for one number"
# Nothing is tried again by itself so long after it came.
_LOOKS_BACK = timedelta(days=3)


def answer(message: Happened, text: str, now: datetime | None = None) -> None:
    """Answer a message, unless one of the guards is against it; then `message.did` says why not."""
    reason = why_not(message, settings()) or _why_not_now(message, now or datetime.now(UTC))
    if reason:
        message.skip(KIND, reason)
    else:
        message.reply(sendable(text))


def why_not(message: Happened, own: Settings) -> str | None:
    """Return what is against answering a message at all, None where nothing is."""
    if not own.twoway_auto_reply:
        return "TWOWAY_AUTO_REPLY is off"
    if own.is_live and not message.is_proven:
        return "the callback is not proven"
    if e164(message.phone) is None:
        return "the sender is not a phone number"
    if _bare(message.phone) in _own_ends(message, own):
        return "the sender is a number or code of our own"
    return None


def sendable(text: str) -> str:
    """Return a text with what no message may hold, and an incoming one might, as blanks."""
    return re.sub("\ufffd", "?", "".join(" " if _is_control(letter) else letter for letter in text))


def _is_control(letter: str) -> bool:
    return letter != "\n" and unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def _own_ends(message: Happened, own: Settings) -> set[str]:
    ends = (own.at_shortcode, own.at_voice_number, own.at_ussd_code, own.at_sender_id, str(message.data.get("to") or ""))
    return {_bare(spelled) for end in ends if end for spelled in (end, e164(end) or end)}


def _bare(end: str) -> str:
    return re.sub(r"[\s+]", "", end).casefold()


def _why_not_now(message: Happened, now: datetime) -> str | None:
    """Return what is against answering just now. Where nothing is, the answer is counted before anybody else counts."""
    with counting() as connection:
        if opt_outs.opted_out(connection, [message.phone]):
            return "this person opted out"
        ordered = _ordered(connection, message.phone, now)
        if message.next_key in ordered:
            return None  # it was placed before: the same key sends nothing twice
        under_way = sum(not any(key.startswith(begin) for key in ordered) for begin in _under_way(connection, message, now))
        of_minute = [at for at in ordered.values() if at > now - timedelta(minutes=1)]
        if len(of_minute) + under_way >= MOST_A_MINUTE or len(ordered) + under_way >= MOST_A_DAY:
            return TOO_MANY
        connection.execute(update(Reaction).where(Reaction.id == message.reaction_id).values(did=[]))
        return None


def _ordered(connection: Connection, phone: str, now: datetime) -> dict[str, datetime]:
    """Return when which answers went to a number, within a day: {idempotency key: time}."""
    query = (
        select(Invocation.idempotency_key, Invocation.called_at)
        .join(Recipient, Recipient.invocation_id == Invocation.id)
        .where(Recipient.phone == phone, Recipient.invocation_id > f"inv_{_oldest(now)}", COUNTED)
        .where(Invocation.kind == KIND, Invocation.asked_by.startswith(asked_by("")), Invocation.called_at > now - timedelta(days=1))
    )
    return {row.idempotency_key: row.called_at for row in connection.execute(query)}


def _under_way(connection: Connection, message: Happened, now: datetime) -> list[str]:
    """Return how the keys of other answers to this number begin that were counted, run, and may have no order yet."""
    spellings = {message.phone, message.phone[1:], str(message.data.get("sender"))}
    query = (
        select(Reaction.callback_id, Reaction.name)
        .join(Callback, Callback.id == Reaction.callback_id)
        .where(Callback.phone.in_(spellings), Callback.id > f"cb_{_oldest(now)}", Callback.kind == message.kind)
        .where(Reaction.leased_until > now, Reaction.did.is_not(None), Reaction.id != message.reaction_id)
    )
    return [key_of(row.callback_id, row.name) for row in connection.execute(query)]


def _oldest(now: datetime) -> ULID:
    return ULID.from_datetime(now - _LOOKS_BACK)
