"""How the control API reads what it is sent."""

from typing import Any

from flask import request

from emulator.errors import Refused


def given() -> dict[str, Any]:
    """Return the JSON object of a request, an empty one where there is no body. Raises Refused."""
    if not request.get_data():
        return {}
    fields = request.get_json(force=True, silent=True)
    if not isinstance(fields, dict):
        raise Refused("The body must be a JSON object")
    return fields


def text_of(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    """Return a field that must be text. Raises Refused."""
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise Refused(f"'{name}' must be text" + ("" if name in fields else ": it is missing"))
    return value


def number_of(text: str) -> str:
    """Return a number as it was meant: a plus that a form made a space, or that was left out, is put back."""
    stripped = text.strip()
    return f"+{stripped}" if stripped.isascii() and stripped.isdigit() else stripped
