"""What the page of documents shows, put together from the schemas and the addresses that there are."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app.schemas.answers import Answer
from app.schemas.callbacks import KINDS
from app.schemas.invokes import INVOKES
from app.settings import Settings
from services.docs import api_docs
from services.docs.api_docs import Operation
from services.docs.openapi_operations import tag_of
from services.docs.shapes import Shape, shapes_of
from services.replays.editing import as_text
from services.samples import encoded, make_sample

# What parameters of an invoke are in its example
EXAMPLES = {"phone": "254711000000", "message": "Hello", "amount": "10", "currency": "KES", "productName": "duka"}
# What of an id stands on the page; each that is posted has its own.
NEW = "new"
# In a command an id ends in the second at which it is run.
_MARK, _SECOND = "NEWIDHERE", "$(date +%s)"
VERIFY = """\
import base64, hmac

def is_ours(secret, headers, raw_body):  # secret: whsec_…; raw_body: the bytes as they came
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw_body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split())
"""


@dataclass(frozen=True)
class Place:
    """The addresses of a callback that answer alike, and what they do."""

    paths: list[str]
    accepted: Answer
    refused: Answer


@dataclass(frozen=True)
class CallbackDocs:
    """One kind of callback. fields: of a sample, as a person may change them."""

    kind: str
    purpose: str
    at_field: str
    places: list[Place]
    shapes: list[Shape]
    one_of: tuple[str, ...]
    fields: dict[str, str]
    curl: str


@dataclass(frozen=True)
class InvokeDocs:
    """One address that sends. example: path and query; real: what it sends in live mode."""

    kind: str
    paths: list[str]
    summary: str
    real: str
    shapes: list[Shape]
    example: str


def callbacks_told(operations: Sequence[Operation], settings: Settings, address: str) -> list[CallbackDocs]:
    """Return every kind of callback. address: where this app is reached."""
    return [_callback(kind, [one for one in operations if one.kind == kind], settings, address) for kind in KINDS]


def _callback(kind: str, operations: Sequence[Operation], settings: Settings, address: str) -> CallbackDocs:
    row, fields = KINDS[kind], shown_sample(kind, settings)
    usual_first = sorted(operations, key=lambda one: one.path.startswith(api_docs.API))
    places = [Place([one.path for one in alike], *answers) for answers, alike in _alike(usual_first)]
    url = f"{address}{usual_first[0].path}" + ("?token=CALLBACK_TOKEN" if settings.callback_token else "")
    texts = {name: as_text(value) for name, value in fields.items()}
    shapes = shapes_of(row.schema, fields)
    return CallbackDocs(kind, row.purpose, row.at_field, places, shapes, api_docs.ONE_OF.get(kind, ()), texts, _curl(kind, url, settings))


def _alike(operations: Sequence[Operation]) -> list[tuple[tuple[Answer, Answer], list[Operation]]]:
    """Return addresses by what they answer, those with the same answers together."""
    found: list[tuple[tuple[Answer, Answer], list[Operation]]] = []
    for one in operations:
        answers = api_docs.answers_of(one)
        same = next((operations for known, operations in found if known == answers), None)
        if same is None:
            found.append((answers, [one]))
        else:
            same.append(one)
    return found


def shown_sample(kind: str, settings: Settings) -> dict[str, Any]:
    """Return the fields of a sample as the page shows them; ids end in a word that stands for a new one."""
    return make_sample(kind, settings, {}, lambda: NEW)


def _curl(kind: str, url: str, settings: Settings) -> str:
    fields = make_sample(kind, settings, {}, lambda: _MARK)
    if KINDS[kind].sends_json:
        body, media = encoded(KINDS[kind], fields)
        words = ["curl", url, "-H", f"Content-Type: {media}", "--data-raw", body.decode()]
    else:
        words = ["curl", url, *(word for name, value in fields.items() for word in ("--data-urlencode", f"{name}={value}"))]
    return " ".join(map(_with_second, words))


def _with_second(word: str) -> str:
    quoted = shlex.quote(word)
    return quoted.replace(_MARK, f"'\"{_SECOND}\"'" if quoted.startswith("'") else f'"{_SECOND}"')


def invokes_told(operations: Sequence[Operation]) -> list[InvokeDocs]:
    """Return every address that sends, those of one kind together."""
    return [_invoke(kind, [one for one in operations if one.order == kind and one.method == "GET"]) for kind in INVOKES]


def _invoke(kind: str, operations: Sequence[Operation]) -> InvokeDocs:
    row, shapes = INVOKES[kind], shapes_of(INVOKES[kind].schema())
    paths = [one.path for one in operations]
    example = {shape.name: EXAMPLES[shape.name] for shape in shapes if shape.is_required}
    return InvokeDocs(kind, paths, operations[0].summary, row.real, shapes, f"{paths[-1]}?{urlencode(example)}")


def groups_told(operations: Sequence[Operation]) -> dict[str, list[Operation]]:
    """Return what needs a key, by what it is about."""
    keyed = [one for one in operations if one.scopes]
    return {tag: [one for one in keyed if tag_of(one) == tag] for tag in dict.fromkeys(map(tag_of, keyed))}
