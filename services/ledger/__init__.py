"""What callbacks and calls add up to: each kept callback, and each order that ended, is folded in once, in the caller's transaction.

Whatever the order in which they come, they add up to the same: a state never goes back, and nothing takes the place of
what is known.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.models import Callback, Invocation, Recipient
from app.schemas.callbacks import KINDS
from app.statuses import ACCEPTED
from services.ledger import airtime, messages, payments, people, recordings, sessions, sim_swaps

Fold = Callable[[Connection, Callback, dict[str, Any], datetime], None]
FoldOrder = Callable[[Connection, Invocation, Sequence[Recipient], datetime], None]

# Recordings before calls: the end of a call is told with its recording.
_FOLDS: dict[str, tuple[Fold, ...]] = {
    "sms.delivery_report": (messages.report,),
    "sms.incoming_message": (messages.incoming,),
    "sms.opt_out": (people.opted_out,),
    "sms.subscription": (people.subscription,),
    "voice.instructions": (recordings.told, sessions.call),
    "voice.event": (recordings.told, sessions.call),
    "voice.recording": (recordings.told,),
    "airtime.status": (airtime.status,),
    "sim_swap.status": (sim_swaps.status,),
    "ussd.session": (sessions.hop,),
    "ussd.session_end": (sessions.ussd_end,),
    "payments.notification": (payments.notification,),
}
_ORDERS: dict[str, FoldOrder] = {
    "sms.bulk": messages.sent,
    "sms.premium": messages.sent,
    "voice.call": sessions.called,
    "airtime.send": airtime.sent,
    "sim_swap.check": sim_swaps.asked,
    "payments.checkout": payments.started,
}


def fold(connection: Connection, callback: Callback, now: datetime) -> None:
    """Add a kept callback (accepted or differing) to what is known, and publish the events that follow from it."""
    functions = _FOLDS.get(callback.kind, ())
    if functions:
        data = KINDS[callback.kind].schema.load(callback.fields)
        for function in functions:
            function(connection, callback, data, now)


def fold_order(connection: Connection, invocation: Invocation, recipients: Sequence[Recipient], now: datetime) -> None:
    """Add an order that ended, or was settled: messages, top-ups, checks, payments, calls and what they cost."""
    function = _ORDERS.get(invocation.kind)
    taken = [recipient for recipient in recipients if recipient.state == ACCEPTED and recipient.provider_id]
    if function and taken:
        # In one order for all, so that nobody waits for somebody who waits for them.
        function(connection, invocation, sorted(taken, key=lambda recipient: str(recipient.provider_id)), now)
