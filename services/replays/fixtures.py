"""Named fixtures: callbacks and sessions worth keeping, each a JSON file beside the tests.

Never a secret; numbers masked where PRIVACY asks for it.
"""

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from app import masking
from app.errors import Conflict, Forbidden, GatewayError, Invalid
from app.models import Callback
from app.schemas.callbacks import KINDS
from app.settings import Settings
from services.reading.replayed import originals
from services.reading.single import MOST_STEPS
from services.replays.editing import edited
from services.replays.hiding import masked_body, masked_fields, secret_places

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}", re.ASCII)
# Of this app and nowhere else: what is posted there carries the secret that proves it.
_PATH = re.compile(r"/api/[a-z0-9/-]+", re.ASCII)
_WRONG_NAME = "A fixture's name is small letters, digits and dashes, 61 at most, as balance-menu; '{}' is not."


class UnknownFixture(GatewayError):
    """No fixture has this name."""

    status = 404


@dataclass(frozen=True)
class Fixture:
    """One callback that was kept under a name, alone or as a step of a session."""

    name: str
    kind: str
    path: str
    query: str
    content_type: str
    fields: dict[str, Any]
    raw_body: bytes
    answer: str
    answer_status: int


def whole(steps: Sequence[Callback]) -> list[Callback]:
    """Return what came from outside of a session's callbacks, as they were read. Raises Invalid where there may be more of them."""
    if len(steps) >= MOST_STEPS:
        how = "Keep the callbacks that matter, one by one: flask fixtures save NAME CALLBACK_ID"
        raise Invalid(f"A session is kept whole or not at all, and one of {MOST_STEPS} callbacks or more is too long. {how}")
    return originals(steps)


def save(settings: Settings, name: str, rows: Sequence[Callback], replaces: bool = False) -> Path:
    """Keep a callback, or those of a session in their order, under a name and return the file.

    Raises Forbidden in live mode; Invalid for a name that is none, and for no callback at all; Conflict where the name is taken.
    """
    if settings.is_live:
        raise Forbidden("A live account's callbacks do not become files of the project: they are of real people. Nothing was kept.")
    folder = settings.fixtures_dir
    path = _file(folder, name)
    if not rows:
        raise Invalid("No callback of it is kept any more, so there is nothing to keep under a name.")
    told = [_told(_fixture(name, row, settings.privacy)) for row in rows]
    text = json.dumps(told[0] if len(told) == 1 else {"steps": told}, ensure_ascii=False, indent=2) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    # Whole under its name or not there at all, and never over another: nor does anybody else write to its file.
    part = folder / f".{name}.{token_hex(8)}.part"
    part.write_text(text, encoding="utf-8")
    try:
        if replaces:
            part.replace(path)
        else:
            path.hardlink_to(part)
    except FileExistsError as error:
        raise Conflict(
            f"There is a fixture '{name}' already. Take another, or replace it: flask fixtures save {name} ID --force"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def names(folder: Path) -> list[str]:
    """Return the names of all fixtures, in order."""
    return sorted(path.stem for path in folder.glob("*.json") if _NAME.fullmatch(path.stem))


def load(folder: Path, name: str) -> list[Fixture]:
    """Return the callback that is kept under this name, or those of a session. Raises Invalid for a file that is none, UnknownFixture."""
    path = _file(folder, name)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(names(folder)) or "none yet: flask fixtures save NAME CALLBACK_ID"
        raise UnknownFixture(f"There is no fixture '{name}'. There are: {known}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise Invalid(f"{path} is not JSON: {error}") from error
    steps = told["steps"] if isinstance(told, Mapping) and "steps" in told else [told]
    if not isinstance(steps, list) or not steps:
        raise Invalid(f"{path} is not a fixture: its steps must be a list of callbacks.")
    return [_read(name, step, path) for step in steps]


def _file(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise Invalid(_WRONG_NAME.format(name[:61]))
    return folder / f"{name}.json"


def _fixture(name: str, row: Callback, hide_numbers: bool) -> Fixture:
    raw, media, fields = _open_parts(row)
    query = masking.query(row.kind, row.query) if any(map(masking.is_secret_name, row.fields)) else row.query
    answer = row.answer
    if hide_numbers:
        text, media = masked_body(row)
        raw, fields = text.encode(), masked_fields(row)
        query, answer = masking.numbers_in(masking.query(row.kind, row.query, True)), masking.numbers_in(answer)
    return Fixture(name, row.kind, row.path, query, media, fields, raw, answer, row.answer_status)


def _open_parts(row: Callback) -> tuple[bytes, str, dict[str, Any]]:
    """Return body, Content-Type and fields; where a field holds a secret, the body is made again without it."""
    closed = _closed(row.fields)
    for name in ("text", "input") if (places := secret_places(row)) else ():
        typed = str(closed.get(name, "")).split("*")
        closed |= {name: "*".join(masking.MASK if place in places else part for place, part in enumerate(typed))} if name in closed else {}
    hidden = {name: value for name, value in closed.items() if value != row.fields[name]}
    if not hidden:
        return bytes(row.raw_body), row.content_type, row.fields
    return *edited(row, hidden), closed


def _closed(value: Any) -> Any:
    """Return a value without what stands under the names of secrets."""
    if isinstance(value, dict):
        return {name: masking.MASK if masking.is_secret_name(name) else _closed(entry) for name, entry in value.items()}
    return [_closed(entry) for entry in value] if isinstance(value, list) else value


def _told(fixture: Fixture) -> dict[str, Any]:
    told = {"kind": fixture.kind, "path": fixture.path, "query": fixture.query, "content_type": fixture.content_type}
    try:
        body = {"raw_body": fixture.raw_body.decode()}
    except UnicodeDecodeError:
        body = {"base64": b64encode(fixture.raw_body).decode()}
    return told | {"fields": fixture.fields, **body, "answer": fixture.answer, "answer_status": fixture.answer_status}


def _read(name: str, told: Any, path: Path) -> Fixture:
    shape = {"kind": str, "path": str, "query": str, "content_type": str, "fields": dict, "answer": str, "answer_status": int}
    if not isinstance(told, Mapping) or not all(isinstance(told.get(one), wanted) for one, wanted in shape.items()):
        raise Invalid(f"{path} is not a fixture: it needs {', '.join(shape)} and raw_body or base64.")
    if told["kind"] not in KINDS or not _PATH.fullmatch(told["path"]):
        raise Invalid(f"{path} is not a fixture: its kind or path is none of this app's.")
    try:
        raw = told["raw_body"].encode() if "raw_body" in told else b64decode(told["base64"], validate=True)
    except (KeyError, AttributeError, TypeError, NotBase64, ValueError) as error:
        raise Invalid(f"{path} is not a fixture: raw_body must be text, or base64 that.") from error
    return Fixture(name, raw_body=raw, **{one: told[one] for one in shape})
