"""Input checks for menus: each returns a sentence for what is wrong, None for what is right."""

import re
from collections.abc import Callable
from decimal import Decimal

Check = Callable[[str], str | None]
_AMOUNT = re.compile(r"[0-9]{1,7}(\.[0-9]{1,2})?", re.ASCII)


def something(typed: str) -> str | None:
    """Refuse an empty answer."""
    return None if typed.strip() else "Please type an answer."


def digits(least: int, most: int) -> Check:
    """Make a check for so many digits, as in a PIN or an account number."""

    def check(typed: str) -> str | None:
        if re.fullmatch(rf"[0-9]{{{least},{most}}}", typed, re.ASCII):
            return None
        return f"Please type {least} digits." if least == most else f"Please type {least} to {most} digits."

    return check


def amount(least: Decimal, most: Decimal) -> Check:
    """Make a check for a sum of money within bounds, both included."""

    def check(typed: str) -> str | None:
        if _AMOUNT.fullmatch(typed) and least <= Decimal(typed) <= most:
            return None
        return f"Please type an amount from {least} to {most}."

    return check
