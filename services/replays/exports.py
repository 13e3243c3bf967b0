"""Kept callbacks as lines for other programs: JSON, CSV that a spreadsheet may open, and curl commands that post them again."""

import csv
import io
import json
import shlex
from urllib.parse import quote, quote_plus, unquote_plus

from app.models import Callback
from services.archive import exported
from services.replays.again import again

CSV_HEADER = "id,kind,received_at,state,repeats,fields,raw_body,raw_encoding"
FORMS = ("json", "csv", "curl")
# A spreadsheet runs a cell that begins so.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def line_of(row: Callback, form: str, hide_numbers: bool, address: str) -> str:
    """Return a callback as one line (in CSV a cell may hold line breaks). form: one of FORMS. address: where this app listens."""
    if form == "csv":
        return _csv_line(row, hide_numbers)
    if form == "curl":
        return _curl_line(row, hide_numbers, address)
    return json.dumps(exported(row, hide_numbers), ensure_ascii=False)


def _csv_line(row: Callback, hide_numbers: bool) -> str:
    line = io.StringIO()
    values = exported(row, hide_numbers)
    cells = [
        *(values[name] for name in ("id", "kind", "received_at", "state", "repeats")),
        json.dumps(values["fields"], ensure_ascii=False),
    ]
    csv.writer(line).writerow([_safe(str(cell)) for cell in (*cells, values["raw_body"], values.get("raw_encoding", ""))])
    return line.getvalue().rstrip("\r\n")


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _curl_line(row: Callback, hide_numbers: bool, address: str) -> str:
    posted = again(row, hide_numbers)
    # Braces and brackets in an address mean several addresses to curl.
    words = ["curl", "-X", "POST", *(["--globoff"] if set(posted.target) & set("[]{}") else [])]
    words += [address + posted.target, "-H", f"Content-Type: {posted.content_type}"]
    if _is_text(posted.body):
        return shlex.join([*words, *_data(posted.body.decode())])
    # No shell takes such bytes as a word, but every printf writes them.
    return f"printf {shlex.quote(_for_printf(posted.body))} | {shlex.join([*words, '--data-binary', '@-'])}"


def _is_text(body: bytes) -> bool:
    try:
        return _is_pasteable(body.decode())
    except UnicodeDecodeError:
        return False


def _is_pasteable(text: str) -> bool:
    return all(char == "\n" or char.isprintable() for char in text)


def _data(text: str) -> list[str]:
    """Return a body as words for curl: each field of a form to be read and changed, where curl then posts the same bytes."""
    pairs = text.split("&")
    return [word for pair in pairs for word in _field(pair)] if all(map(_is_field, pairs)) else ["--data-raw", text]


def _is_field(pair: str) -> bool:
    name, equals, value = pair.partition("=")
    return name.isascii() and name.isidentifier() and bool(equals) and quote_plus(unquote_plus(value)) == value


def _field(pair: str) -> list[str]:
    name, _, value = pair.partition("=")
    plain = unquote_plus(value)
    # curl writes a space as %20.
    is_alike = quote(plain, safe="") == value and _is_pasteable(plain)
    return ["--data-urlencode", f"{name}={plain}"] if is_alike else ["--data-raw", pair]


def _for_printf(raw: bytes) -> str:
    """Return bytes as the format of printf(1); one that begins with a dash would be an option."""
    plain = {ord("%"): "%%", ord("\\"): "\\\\"}
    written = "".join(plain.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in raw)
    return f"\\055{written[1:]}" if written.startswith("-") else written
