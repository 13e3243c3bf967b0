"""The one table of your own code: which menu, call flow or program answers which service code or number.

A menu or flow is a name from this folder; an address (`"https://…"`) is a program of yours elsewhere, which gets what
Africa's Talking posts and whose answer is passed on. "*" is for every code and number that is not named.
"""

from flows.airtime import is_expected
from flows.calls import survey, welcome
from flows.menus import account
from services.apps import Flows

FLOWS = Flows(
    menus={"*": account},
    calls={"*": welcome, "+254711082001": survey},
    airtime=is_expected,
)
