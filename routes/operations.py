"""Every address under /api, read from the application itself: what the documents are made of."""

import re
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from services.docs.api_docs import Operation
from services.docs.openapi import document
from services.tunnel import local_address

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Read by who may change them, too: `_insist_on_reader` in routes/webhooks_api.py
EITHER = ("webhooks.deliveries", "webhooks.list_all", "webhooks.show", "webhooks.show_delivery")
_PLACE = re.compile(r"<(?:\w+:)?(\w+)>")


def operations(app: Flask) -> list[Operation]:
    """Return every method of every address under /api, by what it is about; of one kind of callback the usual address first."""
    rules = sorted((rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")), key=_subject)
    return [_operation(app, rule, method) for rule in rules for method in METHODS if method in (rule.methods or ())]


def openapi_of(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of an application."""
    settings = app.config["POKEA"]
    return document(operations(app), [address for address in (settings.public_url, local_address(settings)) if address])


def _subject(rule: Rule) -> list[str]:
    parts = rule.rule.split("/")
    return parts[2:4] if parts[2] == "v1" else parts[2:3]


def _operation(app: Flask, rule: Rule, method: str) -> Operation:
    view = app.view_functions[rule.endpoint]
    path = _PLACE.sub(r"{\1}", rule.rule)
    summary = (view.__doc__ or f"A program reads {path.rpartition('/api/v1/')[2]}, newest first.").strip().splitlines()[0]
    scope = getattr(view, "scope", "")
    scopes = ("read", "webhooks") if rule.endpoint in EITHER else (scope,) if scope else ()
    return Operation(method, path, summary, getattr(view, "kind", ""), getattr(view, "order", ""), scopes)
