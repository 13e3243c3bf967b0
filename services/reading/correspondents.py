"""Whose conversation is meant, and what their last message allows."""

from sqlalchemy import Connection, Select, select

from app.errors import GatewayError
from app.models import Message, Recipient
from app.schemas.callbacks import SAMPLE_LINK_ID
from services.ledger.readings import e164, phone_of

MESSAGE, TRY = "msg_", "inv_"
# The linkId of somebody's last message is looked for among so many.
MOST_RECENT = 100


class NoConversation(GatewayError):
    """Nobody was written to, or wrote, under this name."""

    status = 404


def person_of_thread(connection: Connection, who: str, country: str) -> str | None:
    """Return whose conversation is meant, as the ledger holds the number: by the number in any spelling, or the id of an entry.

    Raises NoConversation.
    """
    if not who.startswith((MESSAGE, TRY)) and (number := e164(who, country)):
        return number
    row = connection.execute(_query(who)).first()
    if row is None:
        raise NoConversation(f"Nothing is known of a conversation with '{who[:60]}'.")
    phone: str | None = row.phone
    return phone


def _query(who: str) -> Select:
    if who.startswith(MESSAGE):
        return select(Message.phone).where(Message.id == who)
    order, _, position = who.partition(".")
    if order.startswith(TRY) and position.isascii() and position.isdigit() and len(position) < 6:
        return select(Recipient.phone).where(Recipient.invocation_id == order, Recipient.position == int(position))
    return select(Message.phone).where(Message.phone == (phone_of(who) or "")).limit(1)


def last_link_id(connection: Connection, phone: str) -> str | None:
    """Return the linkId of the last message that came from a number: an answer from the short code names it. None of our own sample."""
    recent = select(Message.id, Message.direction, Message.link_id).where(Message.phone == phone).order_by(Message.id.desc())
    last = recent.limit(MOST_RECENT).subquery()
    found: str | None = connection.scalar(select(last.c.link_id).where(last.c.direction == "in").order_by(last.c.id.desc()).limit(1))
    return None if found == SAMPLE_LINK_ID else found
