"""Reactions: what happens after a callback is kept. They run in the worker, may take their time, and may run again."""

import logging

from services.reactions.acting import Happened
from services.reactions.two_way import answer

logger = logging.getLogger(__name__)
HELP = "Send STOP to get no more messages from us, START to get them again."


def stop(message: Happened) -> None:
    """Send nothing more to a person who asks for that."""
    message.opt_out()


def start(message: Happened) -> None:
    """Send to a person again who asks for that."""
    message.opt_in()


def send_help(message: Happened) -> None:
    """Say what can be sent to us."""
    answer(message, HELP)


def confirmed(message: Happened) -> None:
    """Take a YES-<ref>; your own code goes here."""
    logger.info("confirmed by %s", message.id)


def rejected(message: Happened) -> None:
    """Take a NO-<ref>; your own code goes here."""
    logger.info("rejected by %s", message.id)


def two_way_reply(message: Happened) -> None:
    """Answer any other message with what it said, where TWOWAY_AUTO_REPLY is on."""
    answer(message, f'This is a response to: "{message.text}"')
