"""A stand-in for Africa's Talking: its HTTP API, its callbacks, and phones in the browser. It knows nothing of any application."""

from pathlib import Path

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from emulator import api, control, doors, pages
from emulator.api.door import TEXT
from emulator.errors import Refused
from emulator.here import the_world
from emulator.world import World

FOLDER = Path(__file__).resolve().parent
MOST_BYTES = 4 * 1024 * 1024
NOT_FOUND = "The requested resource could not be found."


def create_app(world: World, host: str = "127.0.0.1") -> Flask:
    """Make the program for one world. host: the address that it will listen on."""
    app = Flask(__name__, template_folder=str(FOLDER / "templates"), static_folder=str(FOLDER / "static"))
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    # A form may be one long comma list of recipients.
    app.config["MAX_FORM_MEMORY_SIZE"] = MOST_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["emulator.world"] = world
    doors.init_app(app, host)
    api.init_app(app)
    control.init_app(app)
    app.register_blueprint(pages.bp)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _not_here)
    return app


def _refused(refused: Refused) -> tuple[Response, int]:
    return jsonify(error=refused.message), refused.status


def _not_here(error: HTTPException) -> Response | tuple[Response, int]:
    """Answer what no address is for: as JSON where people and tests ask, as Africa's Talking's server does elsewhere."""
    status = error.code or 500
    if request.path.startswith("/control"):
        return jsonify(error=f"{error.name}: {request.method} {request.path}"), status
    if status == 404:
        world = the_world()
        world.log.add(world.now_iso(), "in", request.method, request.path, status, explanation="Africa's Talking has no such address")
    texts = {404: NOT_FOUND, 405: f"HTTP method not allowed, supported methods: {', '.join(_methods(error))}"}
    answer = Response(texts.get(status, f"{error.name}."), status, content_type=TEXT)
    if status == 405:
        answer.headers["Allow"] = ", ".join(_methods(error))
    return answer


def _methods(error: HTTPException) -> list[str]:
    return sorted(set(getattr(error, "valid_methods", None) or ()) - {"HEAD", "OPTIONS"})
