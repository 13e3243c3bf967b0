"""Lists of recipients, as JSON or as CSV: lines with a phone number and columns. Knows no database."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from marshmallow import ValidationError

from app.errors import Invalid
from app.schemas.bodies import clean
from app.schemas.orders import read_phone

MOST_RECIPIENTS = 50_000
MOST_COLUMNS = 50
MOST_VALUE = 1000
PHONE = "phone"
# What people write into numbers so that they read well, in the characters of spreadsheets and phones
_BETWEEN = re.compile(r"[\s\u2010-\u2015-]+")
# Tells Excel the separator; no sheet shows it as a row.
_SEPARATOR = re.compile(r'"?sep=([,;\t])"?[,;\t]*(?:\n|$)', re.IGNORECASE)
_HEADER = re.compile(r'^[^\n]*[^\s,;"][^\n]*', re.MULTILINE)
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Listed:
    """One line of a list: its place (in a CSV that of the sheet, whose header is row 1), its number, and its columns."""

    row: int
    phone: str
    columns: dict[str, str] = field(default_factory=dict)


@dataclass
class Sorted:
    """A list as it can be used: each number once, in E.164."""

    good: list[Listed] = field(default_factory=list)
    # {"row", "phone", "why"}
    invalid: list[dict[str, Any]] = field(default_factory=list)
    repeated: int = 0


def from_list(entries: Any) -> list[Listed]:
    """Return the lines of a JSON list of numbers, or of objects with `phone` and columns. Raises Invalid."""
    if not isinstance(entries, list) or not entries:
        raise Invalid("'recipients' must be a list of phone numbers, or of objects with 'phone' and columns, and not empty")
    _insist_on_number_of(entries)
    return [_listed(row, entry) for row, entry in enumerate(entries, 1)]


def _listed(row: int, entry: Any) -> Listed:
    if isinstance(entry, str | int) and not isinstance(entry, bool):
        return Listed(row, str(entry).strip())
    if not isinstance(entry, dict) or not isinstance(entry.get(PHONE), str | int):
        raise Invalid(f"Recipient {row} has no 'phone': write a number, or an object with 'phone' and columns")
    if len(entry) > MOST_COLUMNS:
        raise Invalid(f"Recipient {row} has more than {MOST_COLUMNS} columns")
    columns = {str(name).strip(): _value(row, name, value) for name, value in entry.items() if name != PHONE and value is not None}
    return Listed(row, str(entry[PHONE]).strip(), columns)


def from_csv(raw: bytes) -> list[Listed]:
    """Return the lines of a CSV with a header row: comma, semicolon or tab, with or without BOM. Raises Invalid."""
    separator, text = _separated(_text(raw))
    rows = ((row, cells) for row, cells in enumerate(_rows(text, separator), 1) if _width(cells))
    _, first = next(rows, (0, []))
    header = [name.strip() for name in first[: _width(first)]]
    place = _place_of_phone(header)
    listed = []
    for row, cells in rows:
        if _width(cells) > len(header):
            raise Invalid(f"Row {row} has more cells than the first row: put quotes around {_SEPARATORS[separator]}")
        named = enumerate(zip(header, cells, strict=False))
        columns = {name: _value(row, name, cell) for at, (name, cell) in named if at != place and name}
        listed.append(Listed(row, cells[place].strip() if place < len(cells) else "", columns))
        _insist_on_number_of(listed)
    if not listed:
        raise Invalid("The CSV has no recipients below its first row")
    return listed


def _width(cells: list[str]) -> int:
    """Return how many cells a row has up to the last one that is not blank."""
    return next((place for place in range(len(cells), 0, -1) if cells[place - 1].strip()), 0)


def _place_of_phone(header: list[str]) -> int:
    """Return which column holds the numbers. Raises Invalid where the header is none."""
    places = [place for place, name in enumerate(header) if name.lower() == PHONE]
    if not places:
        found = ", ".join(clean(name)[:30] for name in header[:10]) or "nothing"
        raise Invalid(f"The first row of the CSV must name the columns, one of them 'phone'; it says: {found}")
    names = [name for name in header if name]
    if len(header) > MOST_COLUMNS or len(set(names)) < len(names) or len(places) > 1:
        raise Invalid(f"The first row of the CSV must name each column once, and {MOST_COLUMNS} at most")
    if any(clean(name) != name for name in names):
        raise Invalid("The first row of the CSV must name the columns without control characters")
    return places[0]


def sort_out(listed: Iterable[Listed], default_country: str) -> Sorted:
    """Return those whose number is one, each number once, and what is wrong with the others. Raises Invalid when none is left."""
    found, seen = Sorted(), set()
    for line in listed:
        try:
            phone = read_phone(_BETWEEN.sub("", line.phone), default_country)
        except ValidationError as error:
            found.invalid.append({"row": line.row, "phone": clean(line.phone)[:40], "why": str(error.messages[0])})
            continue
        if phone in seen:
            found.repeated += 1
        else:
            seen.add(phone)
            found.good.append(replace(line, phone=phone))
    if not found.good:
        raise Invalid(f"No recipient is left. Row {found.invalid[0]['row']}: {found.invalid[0]['why']}")
    return found


def _insist_on_number_of(entries: list[Any]) -> None:
    if len(entries) > MOST_RECIPIENTS:
        raise Invalid(f"A campaign takes {MOST_RECIPIENTS} recipients at most: make several")


def _value(row: int, name: Any, value: Any) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise Invalid(f"Row {row}: '{str(name)[:40]}' must be text or a number")
    text = str(value).replace("\r\n", "\n").strip()
    if len(text) > MOST_VALUE or clean(text) != text or "\ufffd" in text:
        raise Invalid(f"Row {row}: '{str(name)[:40]}' must be text without control characters, {MOST_VALUE} characters at most")
    return text


def _text(raw: bytes) -> str:
    try:
        # Spreadsheets call it "Unicode text".
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("The CSV must be UTF-8 text: in a spreadsheet, save it as 'CSV UTF-8'") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _separated(text: str) -> tuple[str, str]:
    """Return what stands between the cells, and the text without the line that says so."""
    if told := _SEPARATOR.match(text):
        return told.group(1), text[told.end() :]
    header = _HEADER.search(text)
    return max(_SEPARATORS, key=header.group().count if header else text.count), text


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    except csv.Error as error:
        raise Invalid(f"The CSV cannot be read: {error}") from error
