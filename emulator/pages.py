"""The pages: phones in the browser, and the recordings that they play."""

from flask import Blueprint, Response, render_template

from emulator.errors import NotFound
from emulator.here import the_world
from emulator.voice.sound import silence

FIRST_PHONE = "+254711000000"


bp = Blueprint("pages", __name__)


@bp.get("/")
def phone() -> str:
    """The phones."""
    world = the_world()
    with world.lock:
        settings = world.settings
        defaults = {name: getattr(settings, name) for name in ("ussd_code", "short_code", "voice_number", "app_url")}
        return render_template("phone.html", defaults=defaults | {"phone": FIRST_PHONE, "magic": settings.magic_numbers})


@bp.get("/recordings/<name>.wav")
def recording(name: str) -> Response:
    """A recording, as a file that any player plays."""
    world = the_world()
    with world.lock:
        seconds = world.state.recordings.get(name)
    if seconds is None:
        raise NotFound("There is no such recording")
    return Response(silence(seconds), content_type="audio/wav")


@bp.get("/healthz")
def health() -> dict[str, str]:
    """That it lives."""
    return {"status": "ok", "program": "emulator"}
