"""The one table of your own code: what answers which service code or number, and what runs after which callback.

A menu or flow is a name from this folder; an address (`"https://…"`) is a program of yours elsewhere, which gets what
Africa's Talking posts and whose answer is passed on. "*" is for every code and number that is not named.

A reaction runs after a callback of its kind is kept. One with a keyword is for messages that begin with that word, and has
them to itself; those without one get all others.
"""

from flows.airtime import is_expected
from flows.calls import survey, welcome
from flows.menus import account
from flows.reactions import confirmed, rejected, send_help, start, stop, two_way_reply
from services.apps import Flows
from services.reactions.keywords import on

FLOWS = Flows(
    menus={"*": account},
    calls={"*": welcome, "+254711082001": survey},
    airtime=is_expected,
    reactions=(
        on("sms.incoming_message", stop, keyword="STOP"),
        on("sms.incoming_message", start, keyword="START"),
        on("sms.incoming_message", send_help, keyword="HELP"),
        on("sms.incoming_message", confirmed, keyword="YES-*"),
        on("sms.incoming_message", rejected, keyword="NO-*"),
        on("sms.incoming_message", two_way_reply),
    ),
)
