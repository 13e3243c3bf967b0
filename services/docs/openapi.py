"""/openapi.json: every address as OpenAPI 3.1, made by apispec from the schemas that check what comes in. Knows no application."""

from collections.abc import Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin, OpenAPIConverter
from marshmallow import fields

from app import VERSION
from app.schemas.callbacks import KINDS
from services.docs import api_docs
from services.docs.api_docs import Operation
from services.docs.openapi_operations import CALLBACK_TOKEN, INVOKE_TOKEN, KEY, body_name, schema_name, tag_of, told
from services.docs.shapes import json_schema

_ABOUT = (
    "Callbacks that Africa's Talking posts, addresses that send for you, and what programs read under /api/v1. "
    "Callbacks keep fields that are not named here, and take a form and JSON alike."
)
_SECURITY = {
    KEY: {"type": "http", "scheme": "bearer", "description": "flask keys create; the scopes that open an address stand beside it"},
    CALLBACK_TOKEN: {"type": "apiKey", "in": "query", "name": "token", "description": "CALLBACK_TOKEN, where it is set"},
    INVOKE_TOKEN: {"type": "apiKey", "in": "query", "name": "token", "description": "INVOKE_TOKEN, in live mode"},
}
_GENERAL: dict[str, dict[str, Any]] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {"type": "string"},
            "success": {"type": "boolean", "description": "false; only under /api/v1"},
            "fields": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        },
    },
    "Success": {"type": "object", "required": ["success", "data"], "properties": {"success": {"const": True}, "data": {}}},
    "Page": {
        "type": "object",
        "required": ["success", "data", "next"],
        "properties": {
            "success": {"const": True},
            "data": {"type": "array", "items": {"type": "object"}},
            "next": {"type": ["string", "null"], "description": "`after` of the next page, null on the last"},
        },
    },
    "Invoked": {
        "type": "object",
        "properties": {
            "message": {"type": "string"},
            "error": {"type": "string"},
            "response": {"description": "Africa's Talking's own answer"},
            "invocation": {"type": "object", "description": "id, state, and recipients with phone, state, status, reason, advice, cost"},
            "repeated": {"const": True},
            "preview": {"type": "object"},
        },
    },
}


class _Converter(OpenAPIConverter):
    """Tells each field as services/docs/shapes.py does."""

    def field2property(self, field: fields.Field) -> dict[str, Any]:
        """Return the JSON Schema of one field."""
        own = json_schema(field)
        is_ours = not isinstance(field, fields.List | fields.String)
        return own if is_ours else {**super().field2property(field), **own}


class _Schemas(MarshmallowPlugin):
    Converter = _Converter


def document(operations: Sequence[Operation], servers: Sequence[str]) -> dict[str, Any]:
    """Return the whole document. servers: the addresses at which this app is reached."""
    spec = APISpec(
        "Pokea", VERSION, "3.1.0", plugins=[_Schemas()], info={"description": _ABOUT},
        servers=[{"url": server} for server in servers], tags=[{"name": tag} for tag in dict.fromkeys(map(tag_of, operations))],
    )  # fmt: skip
    for name, scheme in _SECURITY.items():
        spec.components.security_scheme(name, scheme)
    for name, general in _GENERAL.items():
        spec.components.schema(name, component=general)
    for kind, row in KINDS.items():
        one_of = [{"required": [name]} for name in api_docs.ONE_OF.get(kind, ())]
        about = {"description": row.purpose} | ({"anyOf": one_of} if one_of else {})
        spec.components.schema(schema_name(kind), schema=row.schema, component=about)
    for body in api_docs.BODIES.values():
        if not isinstance(body, dict):
            spec.components.schema(body_name(body), schema=body)
    for path in dict.fromkeys(operation.path for operation in operations):
        spec.path(path, operations={one.method.lower(): told(one) for one in operations if one.path == path})
    return spec.to_dict()
