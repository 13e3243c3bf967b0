"""Reads what is sent here: whole JSON objects of a sane size and depth, texts that can be sent on, numbers that are numbers."""

import json
from typing import Any

from flask import request

from emulator.errors import Refused

MOST_DEPTH = 50
NO_OBJECT = "The body must be a JSON object"


def read_json(text: str | bytes) -> Any:
    """Read JSON. Raises ValueError for what is none: also for NaN, half characters, or what is nested deeper than 50."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None
    _inspect(value)
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _inspect(value: Any) -> None:
    left = [(value, 1)]
    while left:
        one, depth = left.pop()
        if depth > MOST_DEPTH:
            raise ValueError(f"nested deeper than {MOST_DEPTH}")
        if isinstance(one, str):
            # A half of a character cannot be sent on.
            one.encode()
        elif isinstance(one, dict):
            left += [(part, depth + 1) for pair in one.items() for part in pair]
        elif isinstance(one, list):
            left += [(part, depth + 1) for part in one]


def given() -> dict[str, Any]:
    """Return the JSON object of a request, an empty one where there is no body. Raises Refused."""
    body = request.get_data()
    if not body:
        return {}
    try:
        fields = read_json(body)
    except ValueError as wrong:
        raise Refused(f"{NO_OBJECT}: {wrong}" if "nested" in str(wrong) else NO_OBJECT) from wrong
    if not isinstance(fields, dict):
        raise Refused(NO_OBJECT)
    return fields


def text_of(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    """Return a field that must be text. Raises Refused."""
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise Refused(f"'{name}' must be text" + ("" if name in fields else ": it is missing"))
    return value


def number_of(text: str) -> str:
    """Return a phone number as it was meant: a plus that a form made a space, or that was left out, is put back."""
    stripped = text.strip()
    is_bare = stripped.isascii() and stripped.isdigit() and not stripped.startswith("0") and len(stripped) > 6
    return f"+{stripped}" if is_bare else stripped


def amount_of(value: Any, name: str, least: float, most: float) -> float:
    """Return a number between two, from a number or from text. Raises Refused."""
    try:
        number = float(value) if not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not least <= number <= most:
        raise Refused(f"'{name}' must be a number from {least:g} to {most:g}, not {value!s:.40}")
    return number


def whole_of(text: str, name: str) -> int:
    """Return a whole number of 0 or more that a query brought, 0 for none. Raises Refused."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(f"The query parameter '{name}' was malformed: it must be a whole number")
    return int(text)
