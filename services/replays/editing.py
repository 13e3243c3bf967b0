"""A kept callback with other fields: as texts for a person to change, back to values, and as the body that would have brought them."""

import json
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, Protocol
from urllib.parse import urlencode

from app.schemas.bodies import Unreadable, read_json

FORM = "application/x-www-form-urlencoded"
_LINE_END = re.compile(r"\r\n|\r|\n")
# Longer texts are not compared line by line.
MOST_LINES = 1000


class Posted(Protocol):
    """What was posted: a row, or anything like one."""

    @property
    def fields(self) -> Any:
        """As sent, under the names on the wire."""

    @property
    def raw_body(self) -> Any:
        """Its bytes."""

    @property
    def content_type(self) -> Any:
        """How they are to be read."""


def as_text(value: Any) -> str:
    """Return a field as a person types it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def typed(kept: Any, text: str) -> Any:
    """Return a field's new value: of a number, truth or object in JSON its own type, where the text is one. kept: the value before."""
    if kept is None or isinstance(kept, str):
        return text
    try:
        return read_json(text)
    except Unreadable:
        return text


def paired(names: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return the fields of a form that has a name and a text for each; those whose name was emptied are left out."""
    return {name.strip(): text for name, text in zip(names, texts, strict=False) if name.strip()}


def changed(kept: dict[str, Any], given: dict[str, str], shown: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what is to be set, None for what is to be taken away, so that fields become what a person typed.

    shown: the fields as the person saw them, where some of them were masked: what stayed so stays as it was.
    """
    seen = {name: as_text(value) for name, value in (kept if shown is None else shown).items()}
    texts = {name: with_line_ends_of(seen.get(name, ""), text) for name, text in given.items()}
    values = {name: typed(kept.get(name), text) for name, text in texts.items() if seen.get(name) != text}
    return dict.fromkeys(name for name in kept if name not in given) | values


def with_line_ends_of(original: str, text: str) -> str:
    """Return a text that a person edited in a browser, which sends every line end as two characters, with those that it had before.

    A new line gets the line end that is the most frequent in the original.
    """
    lines, ends = _LINE_END.split(original), _LINE_END.findall(original)
    given = _LINE_END.split(text)
    kept = [max(ends, key=ends.count) if ends else "\n"] * (len(given) - 1)
    if len(set(ends)) > 1 and max(len(lines), len(given)) <= MOST_LINES:
        for block in SequenceMatcher(None, lines, given, autojunk=False).get_matching_blocks():
            size = min(block.size, len(ends) - block.a, len(kept) - block.b)
            kept[block.b : block.b + size] = ends[block.a : block.a + size]
    return "".join(line + end for line, end in zip(given, [*kept, ""], strict=True))


def edited(row: Posted, changes: dict[str, Any]) -> tuple[bytes, str]:
    """Return body and Content-Type of a callback with other fields, in the form in which it came: JSON keeps its types.

    All fields stand in the body then, those of the query too.
    """
    fields = {name: value for name, value in (row.fields | changes).items() if value is not None}
    media = row.content_type.partition(";")[0].strip().lower()
    raw = bytes(row.raw_body).removeprefix(b"\xef\xbb\xbf").lstrip()
    is_json = raw[:1] in (b"{", b"[") or (media.endswith("json") and b"=" not in raw)
    if is_json:
        return json.dumps(fields, ensure_ascii=False).encode(errors="replace"), row.content_type
    pairs = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    return urlencode(pairs, errors="replace").encode(), FORM if media == "multipart/form-data" else row.content_type
