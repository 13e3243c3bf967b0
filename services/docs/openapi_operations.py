"""How OpenAPI tells one method at one address: what it takes, who may, and what it answers. Pure."""

import re
from typing import Any

from marshmallow import Schema

from app.schemas.answers import JSON, Answer
from app.schemas.callbacks import KINDS
from app.schemas.invokes import INVOKES
from services.docs import api_docs
from services.docs.api_docs import Operation

FORM = "application/x-www-form-urlencoded"
KEY, CALLBACK_TOKEN, INVOKE_TOKEN = "key", "callbackToken", "invokeToken"


def told(operation: Operation) -> dict[str, Any]:
    """Return one operation; schemas in it are for apispec to resolve."""
    if operation.kind:
        about = _callback(operation)
    elif operation.order:
        about = _invoke(operation)
    else:
        about = _asked(operation)
    places = [{"in": "path", "name": name, "required": True, "schema": {"type": "string"}} for name in _places(operation)]
    about["parameters"] = [*places, *about.get("parameters", [])]
    return {"operationId": _id(operation), "tags": [tag_of(operation)], "summary": operation.summary, **about}


def _callback(operation: Operation) -> dict[str, Any]:
    kinds = [kind for kind in (operation.kind, api_docs.ALSO.get(operation.path)) if kind]
    refs = [{"$ref": f"#/components/schemas/{schema_name(kind)}"} for kind in kinds]
    schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
    sample = KINDS[operation.kind].sample
    accepted, refused = api_docs.answers_of(operation)
    answers: dict[str, Any] = {"503": _error("It could not be kept: to be sent again.")} if not KINDS[operation.kind].is_interactive else {}
    for words, answer in (("Refused", refused), ("Taken", accepted)):
        code = str(answer.status)
        answers[code] = _said(f"{words}. {answers[code]['description']}" if code in answers else f"{words}.", answer)
    return {
        "description": f"In Africa's Talking's dashboard: {KINDS[operation.kind].at_field}",
        "security": [{}, {CALLBACK_TOKEN: []}],
        "requestBody": {"required": True, "content": {media: {"schema": schema, "example": sample} for media in (FORM, JSON)}},
        "responses": {**answers, "403": _error("It is not proven."), "413": _error("The body is larger than 64 KB.")},
    }


def _said(words: str, answer: Answer) -> dict[str, Any]:
    return {"description": words, "content": {answer.media: {"schema": {}, "example": answer.body}}}


def _invoke(operation: Operation) -> dict[str, Any]:
    schema = INVOKES[operation.order].schema()
    content = {code: {"description": words, "content": _json("Invoked" if code < 400 or code == 502 else "Error")}
               for code, words in api_docs.INVOKED.items()}  # fmt: skip
    about: dict[str, Any] = {
        "security": [{}, {INVOKE_TOKEN: []}],
        "responses": {str(code): told for code, told in content.items()},
    }
    if operation.method == "POST":
        return about | {"requestBody": {"content": {media: {"schema": schema} for media in (FORM, JSON)}}}
    return about | {"parameters": [{"in": "query", "schema": schema}]}


def _asked(operation: Operation) -> dict[str, Any]:
    if not operation.scopes:
        return _open(operation)
    code = "201" if operation.key in api_docs.CREATING else "200"
    shape = {"content": {JSON: {"schema": {"type": "object"}}}} if operation.key in api_docs.BARE else {
        "content": _json("Page" if operation.key in api_docs.LISTING else "Success")
    }  # fmt: skip
    about: dict[str, Any] = {
        "security": [{KEY: [scope]} for scope in operation.scopes],
        "parameters": [_parameter(operation, name) for name in api_docs.QUERIES.get(operation.key, ())],
        "responses": {
            code: {"description": "Done.", **shape},
            "400": _error("Something is wrong with the request."),
            "401": _error("No key, or one that opens nothing."),
            "403": _error("The key lacks the scope."),
            **({"404": _error("Nothing has this id.")} if _places(operation) else {}),
            "503": _error("The database does not answer in time, or a setting is missing."),
        },
    }
    if body := api_docs.BODIES.get(operation.key):
        about["requestBody"] = {"content": {JSON: {"schema": _body(operation, body)}}}
    return about


def _body(operation: Operation, body: Schema | dict[str, Any]) -> dict[str, Any]:
    if isinstance(body, dict):
        return body
    ref = {"$ref": f"#/components/schemas/{body_name(body)}"}
    if not operation.key.endswith("/campaigns"):
        return ref
    return {"allOf": [ref, {"type": "object", "required": ["recipients"], "properties": {"recipients": api_docs.RECIPIENTS}}]}


def _open(operation: Operation) -> dict[str, Any]:
    """Return what is told of an address that needs no key: it says that it is there."""
    if operation.path.endswith("/webhook"):
        return {"security": [{}], "responses": {"405": _error("This address takes POST.")}}
    media = "text/plain" if operation.path == "/api/ussd" else JSON
    return {"security": [{}], "responses": {"200": {"description": "It is here.", "content": {media: {"schema": {}}}}}}


def _parameter(operation: Operation, name: str) -> dict[str, Any]:
    words = api_docs.WORDS.get((operation.key, name))
    schema = {"type": "string"} | ({"enum": list(words)} if words else {})
    return {
        "in": "query", "name": name, "required": name in api_docs.NEEDED.get(operation.key, ()),
        "description": api_docs.PARAMETERS[name], "schema": schema,
    }  # fmt: skip


def _error(words: str) -> dict[str, Any]:
    return {"description": words, "content": _json("Error")}


def _json(name: str) -> dict[str, Any]:
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _places(operation: Operation) -> list[str]:
    return re.findall(r"{(\w+)}", operation.path)


def schema_name(kind: str) -> str:
    """Return the name under which the shape of a kind of callback stands."""
    return type(KINDS[kind].schema).__name__


def body_name(schema: Schema) -> str:
    """Return the name under which the shape of a body stands."""
    return f"{type(schema).__name__}{'Changes' if schema.partial else ''}"


def tag_of(operation: Operation) -> str:
    """Return the group that an address belongs to."""
    if operation.kind:
        return "callbacks"
    parts = operation.path.split("/")
    return "invokes" if operation.order else parts[3] if len(parts) > 3 and parts[2] == "v1" else "services"


def _id(operation: Operation) -> str:
    return re.sub(r"\W+", "_", f"{operation.method.lower()}{operation.path.removeprefix('/api')}").strip("_")
