"""What of a value may be shown or logged: numbers by their last three digits, PINs and secrets not at all."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

# Also as it stands in a form: phoneNumber=%2B254711000017
_NUMBER = re.compile(r"(?<![\w.])(?:\+|%2[Bb])?\d{9,15}(?!\w)")
# A PIN is what a person types: four digits and more in one answer. One or two digits are choices from a menu.
_PIN = re.compile(r"\d{4,}")
_TYPED = {"text", "input", "dtmfDigits"}
_ECHO = {"lastAppResponse"}
_TYPED_IN_BODY = re.compile(r'(\b(?:text|input|dtmfDigits|lastAppResponse)(?:=|"\s*:\s*"?))([^&"]*)')
_SECRET_NAME = re.compile(r"token|secret|api[-_]?key|password|authorization|cookie|signature|\bpin\b", re.IGNORECASE)
_HINT = re.compile(r"token|key|secret|password|bearer", re.IGNORECASE)
_TOKEN = re.compile(r"(?i)\b(token|api[-_]?key|secret|password|bearer)([\"']?[=: ]+[\"']?)[^\s&\"',}]+")
MASK = "****"


def number(value: str) -> str:
    """Return a phone number as its last three digits: `***017`."""
    return f"***{value[-3:]}" if len(value) > 3 else value


def numbers_in(text: str) -> str:
    """Return the text with every phone number in it masked."""
    return _NUMBER.sub(lambda match: number(match.group()), text)


def tokens_in(text: str, known: Iterable[str] = ()) -> str:
    """Return the text with the values of tokens, keys and the like masked (`?token=****`), and those that are known."""
    for secret in known:
        text = text.replace(secret, MASK)
    return _TOKEN.sub(r"\1\2" + MASK, text) if _HINT.search(text) else text


def is_secret_name(name: str) -> bool:
    """Whether a header or field of this name carries a secret."""
    return bool(_SECRET_NAME.search(name))


def typed(text: str, secret_places: Iterable[int] = ()) -> str:
    """Return what a person typed, `*`-joined, with PINs and the answers at the given places masked."""
    hidden = set(secret_places)
    return "*".join(MASK if place in hidden else _PIN.sub(MASK, part) for place, part in enumerate(text.split("*")))


def fields(kind: str, values: dict, secret_places: Iterable[int] = (), hide_numbers: bool = False) -> dict:
    """Return a callback's fields for showing: PINs and secrets masked, numbers too when asked."""
    return {name: _shown(kind, name, value, secret_places, hide_numbers) for name, value in values.items()}


def query(kind: str, text: str, hide_numbers: bool = False) -> str:
    """Return the query of a callback for showing, masked as its fields are."""
    return urlencode(fields(kind, dict(parse_qsl(text, keep_blank_values=True)), hide_numbers=hide_numbers), safe="*+ ")


def raw(text: str) -> str:
    """Return a body as it came with the PINs in it masked."""
    return _TYPED_IN_BODY.sub(lambda match: match.group(1) + _PIN.sub(MASK, match.group(2)), text)


def everything(value: Any) -> Any:
    """Return any value with every phone number in it masked."""
    if isinstance(value, dict):
        return _each_named({name: everything(entry) for name, entry in value.items()})
    if isinstance(value, list):
        return [everything(entry) for entry in value]
    if isinstance(value, bool) or not isinstance(value, str | int):
        return value
    masked = numbers_in(str(value))
    return value if masked == str(value) else masked


def _each_named(values: dict) -> dict:
    """Return the entries under names that show no number; those that end alike stay apart."""
    shown: dict = {}
    for name, entry in values.items():
        wanted = number(name) if isinstance(name, str) and _NUMBER.fullmatch(name) else name
        alike = 1
        while (spelled := wanted if alike == 1 else f"{wanted} ({alike})") in shown:
            alike += 1
        shown[spelled] = entry
    return shown


def _shown(kind: str, name: str, value: Any, secret_places: Iterable[int], hide_numbers: bool) -> Any:
    if is_secret_name(name):
        return MASK
    if isinstance(value, dict):
        return fields(kind, value, hide_numbers=hide_numbers)
    if isinstance(value, list):
        return [_shown(kind, name, entry, secret_places, hide_numbers) for entry in value]
    if name in _TYPED and not kind.startswith("sms.") and isinstance(value, str | int):
        value = typed(str(value), secret_places)
    elif name in _ECHO and isinstance(value, str):
        value = _PIN.sub(MASK, value)
    return everything(value) if hide_numbers else value
