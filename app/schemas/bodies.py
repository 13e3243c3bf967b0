"""From the bytes of a callback to one dict of its fields. Knows forms and JSON, and no kind."""

import json
import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from werkzeug.formparser import parse_form_data

MOST_FIELDS = 100
MOST_LEVELS = 50
SECRET_PARAMETERS = ("token",)
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Unreadable(ValueError):
    """A body that is no form and no JSON object, or too large a one; the text says why."""


@dataclass
class Body:
    """The fields of one body and query together, and what is odd about how they came."""

    fields: dict[str, Any]
    flags: list[str] = field(default_factory=list)


@dataclass
class Query:
    """What stands behind the `?` of an address: as sent but without secrets, its fields, and the secrets."""

    kept: str
    fields: dict[str, Any]
    tokens: list[str]


def read_query(text: str) -> Query:
    """Return what a query says."""
    query = Query("", {}, [])
    parts = []
    for part in text.split("&") if text else ():
        name, _, value = (clean(unquote_plus(piece, errors="replace")) for piece in part.partition("="))
        if name.lower() in SECRET_PARAMETERS:
            query.tokens.append(value)
        else:
            parts.append(part)
            query.fields[name] = value
    query.kept = clean("&".join(parts))
    return query


def read_body(raw: bytes, content_type: str, query: Query) -> Body:
    """Return the fields of a callback: those of the body, and of the query where the body has none.

    The Content-Type decides how the body is read; where it lies, the body's own shape does. Strings lose what no
    database takes (controls, lone surrogates). Raises Unreadable.
    """
    body = Body(query.fields)
    if raw.strip():
        body.fields = {**query.fields, **_fields(raw, content_type, body.flags)}
    if len(body.fields) > MOST_FIELDS:
        raise Unreadable(f"More than {MOST_FIELDS} fields.")
    return body


def clean(value: str) -> str:
    """Return the text with control characters (but tab and newlines) and lone surrogates replaced."""
    return _UNSTORABLE.sub("\ufffd", value) if _UNSTORABLE.search(value) else value


def _fields(raw: bytes, content_type: str, flags: list[str]) -> dict[str, Any]:
    media = content_type.partition(";")[0].strip().lower()
    if media == "multipart/form-data" and (fields := _from_multipart(raw, content_type, flags)):
        return fields
    text = raw.decode("utf-8-sig", "replace")
    looks_json = text.lstrip()[:1] in ("{", "[")
    says_json = media.endswith("json")
    if looks_json or (says_json and "=" not in text):
        if not says_json:
            flags.append(f"the body is JSON, but its Content-Type is '{media}'")
        return _from_json(text)
    if says_json:
        flags.append("the body is a form, but its Content-Type says JSON")
    return _from_form(text, flags)


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace")
    except ValueError as error:
        raise Unreadable(f"More than {MOST_FIELDS} fields.") from error
    return [(clean(name), clean(value)) for name, value in pairs]


def _from_form(text: str, flags: list[str]) -> dict[str, Any]:
    return _last_of_each(_pairs(text), flags)


def _from_multipart(raw: bytes, content_type: str, flags: list[str]) -> dict[str, Any]:
    environ = {"wsgi.input": BytesIO(raw), "CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(raw)), "REQUEST_METHOD": "POST"}
    _, form, _ = parse_form_data(environ)
    return _last_of_each([(clean(name), clean(value)) for name, value in form.items(multi=True)], flags)


def _last_of_each(pairs: list[tuple[str, str]], flags: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        flags += [f"'{name}' came {names.count(name)} times: the last is used" for name in fields if names.count(name) > 1]
    return fields


def read_json(text: str) -> Any:
    """Return a JSON value that can be stored and written again: strings clean, numbers finite, not too deep. Raises Unreadable."""
    try:
        value = json.loads(text, parse_float=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable("The body is neither a form nor JSON.") from error
    return _cleaned(value, MOST_LEVELS)


def _from_json(text: str) -> dict[str, Any]:
    value = read_json(text)
    if not isinstance(value, dict):
        raise Unreadable("The JSON body must be one object.")
    return value


def _number(text: str) -> float | str:
    # What no float holds stays text: 1e400 would come back as a word that is not JSON.
    value = float(text)
    return text if value in (float("inf"), float("-inf")) else value


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _cleaned(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        raise Unreadable(f"More than {MOST_LEVELS} levels of nesting.")
    if isinstance(value, list):
        return [_cleaned(entry, levels - 1) for entry in value]
    return {clean(name): _cleaned(entry, levels - 1) for name, entry in value.items()}
