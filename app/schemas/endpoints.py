"""The shape of an endpoint as a developer names it. Knows no event and no address."""

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

FORMATS = ("json", "original")
MOST_PATTERNS = 20


class Truth(fields.Field):
    """True or false, as JSON has them, and nothing that looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("'active' must be true or false.")
        return value


class EndpointBody(Schema):
    """What may be said of an endpoint when it is made; each of it alone when it is changed."""

    class Meta:
        unknown = EXCLUDE

    url = fields.String(
        required=True, error_messages={"required": "'url' is missing: where webhooks are posted.", "invalid": "'url' must be text."}
    )
    events = fields.List(
        fields.String(error_messages={"invalid": "Each event must be text."}),
        required=True,
        validate=validate.Length(1, MOST_PATTERNS, error=f"Name from 1 to {MOST_PATTERNS} events; 'sms.*' stands for all of a family."),
        error_messages={"required": "'events' is missing: a list, as [\"sms.*\"].", "invalid": "'events' must be a list, as [\"sms.*\"]."},
    )
    active = Truth(load_default=True)
    format = fields.String(load_default="json", validate=validate.OneOf(FORMATS, error="'format' must be json or original."))


def reasons_of(error: ValidationError) -> dict[str, list[str]]:
    """Return what is wrong by field, each reason once; those of a list's entries count as the list's."""
    found = error.normalized_messages()
    return {name: list(dict.fromkeys(_flat(reasons))) for name, reasons in found.items()}


def _flat(reasons: Any) -> list[str]:
    if isinstance(reasons, dict):
        return [reason for inner in reasons.values() for reason in _flat(inner)]
    return reasons if isinstance(reasons, list) else [str(reasons)]
