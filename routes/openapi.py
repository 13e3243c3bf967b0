"""/openapi.json: every address for programs, to people who may see pages and to keys that may read."""

import json

from flask import Blueprint, Response, current_app

from routes.api import insist_on_key
from routes.operations import openapi_of
from routes.pages.doors import is_in

bp = Blueprint("openapi", __name__)


@bp.get("/openapi.json")
def show() -> Response:
    """A program, or who writes one, asks what there is."""
    if not is_in():
        insist_on_key("read")
    body = json.dumps(openapi_of(current_app), ensure_ascii=False)
    return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
