"""The validation rule: whether airtime that is about to be sent, or a payment, is one that you expect."""

from decimal import Decimal
from typing import Any


def is_expected(order: dict[str, Any]) -> bool:
    """Return whether an order is fine. order: phone_number, amount (Decimal), currency, and the callback's own fields.

    It is asked after the program's own check (AIRTIME_VALIDATION), and can only refuse what that let pass.
    """
    amount: Decimal = order["amount"]
    return amount > 0
