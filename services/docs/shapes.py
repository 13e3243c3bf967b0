"""What a schema says of its fields, told to people in words and to programs as JSON Schema: the one table of both."""

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields
from marshmallow import missing as not_given

from app.schemas import endpoints, invokes, orders
from app.schemas import fields as came
from app.schemas.orders import MOST_PHONES
from services.campaigns import asked

_TEXT: dict[str, Any] = {"type": "string"}
# Of each type of field: words for people, and its JSON Schema. The nearest parent counts.
TYPES: dict[type[fields.Field], tuple[str, dict[str, Any]]] = {
    came.Text: ("text", _TEXT),
    came.Line: ("number, short code or name", _TEXT),
    came.PhoneNumber: ("phone number", _TEXT),
    came.Known: ("word", _TEXT),
    came.Money: ("amount, as KES 100.0000", {"type": ["string", "number"]}),
    came.ATTime: ("time, as 2026-03-04 10:30:00", _TEXT),
    came.SwapDate: ("date, as 28-02-2026", _TEXT),
    came.Whole: ("whole number", {"type": ["string", "integer"]}),
    came.Truth: ("1 or 0", {"type": ["string", "integer", "boolean"]}),
    came.Mapped: ("object", {"type": ["object", "string", "null"]}),
    orders.Phones: ("phone number", _TEXT),
    orders.Sum: ("amount above 0, two decimals at most", {"type": "string", "pattern": r"^[0-9]{1,7}(\.[0-9]{1,2})?$"}),
    orders.Currency: ("ISO 4217 code, as KES", {"type": "string", "pattern": "^[A-Z]{3}$"}),
    orders.Message: ("text", _TEXT),
    orders.Words: ("one line of text", _TEXT),
    orders.Sender: ("name or short code of yours", _TEXT),
    orders.Key: ("8 to 100 printable ASCII characters", {"type": "string", "minLength": 8, "maxLength": 100}),
    orders.Flag: ("1 or 0", {"type": "string", "enum": ["1", "0"]}),
    invokes.Metadata: ("JSON object of texts", _TEXT),
    endpoints.Truth: ("true or false", {"type": "boolean"}),
    asked._Moment: ("time, as 2026-03-04T10:30:00Z", _TEXT),
    asked._Rate: ("recipients a second", {"type": ["number", "string"]}),
    asked._QuietHours: ("JSON object", {"type": ["object", "string"]}),
    fields.List: ("list", {}),
    fields.String: ("text", {}),
}


# Words that say no more than the type does
PLAIN = ("text", "word", "list")


@dataclass(frozen=True)
class Shape:
    """One field of a schema. default and example: as people write them, "" for none."""

    name: str
    type: str
    is_required: bool
    words: tuple[str, ...] = ()
    default: str = ""
    example: str = ""


def shapes_of(schema: Schema, sample: dict[str, Any] | None = None) -> list[Shape]:
    """Return the fields of a schema, those that are required first. sample: examples by name on the wire."""
    told = [_shape(name, field, sample or {}) for name, field in schema.fields.items()]
    return sorted(told, key=lambda shape: not shape.is_required)


def _shape(name: str, field: fields.Field, sample: dict[str, Any]) -> Shape:
    name = field.data_key or name
    example = str(sample[name]) if name in sample else ""
    return Shape(name, words_for(field), field.required, known_words(field), default_of(field) or "", example)


def words_for(field: fields.Field) -> str:
    """Return what a field takes, in words."""
    if isinstance(field, orders.Phones) and field.several:
        return f"phone number, or up to {MOST_PHONES} by comma"
    return _type_of(field)[0]


def known_words(field: fields.Field) -> tuple[str, ...]:
    """Return the words that are known of a field; others are taken all the same where Africa's Talking sends it."""
    return tuple(dict.fromkeys(field.words.values())) if isinstance(field, came.Known) else ()


def default_of(field: fields.Field) -> str | None:
    """Return what stands for a field that is left out, as a person would write it; None for nothing."""
    value = field.load_default
    if value is not_given or value in (None, "") or callable(value):
        return None
    return str(int(value)) if isinstance(value, bool) else str(value)


def json_schema(field: fields.Field) -> dict[str, Any]:
    """Return the JSON Schema of one field, without its name."""
    found = dict(_type_of(field)[1])
    if words := known_words(field):
        # The list may grow.
        found = {"anyOf": [{"enum": list(words)}, found]}
    default = default_of(field)
    # What a change leaves out stays as it is.
    if default is not None and not getattr(field.parent, "partial", False):
        found["default"] = default if isinstance(field, orders.Strict) else field.load_default
    words_told = words_for(field)
    return found if words_told in PLAIN else found | {"description": words_told}


def _type_of(field: fields.Field) -> tuple[str, dict[str, Any]]:
    return next((TYPES[parent] for parent in type(field).__mro__ if parent in TYPES), ("anything", {}))
