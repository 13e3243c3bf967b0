"""What a person keeps under a name, as a file beside the tests: a callback, or all of a session."""

from collections.abc import Sequence

from flask import current_app, request

from app.errors import Forbidden
from app.models import Callback
from routes.pages import showing
from services.replays import fixtures


def keep_fixture(rows: Sequence[Callback]) -> None:
    """Keep callbacks under the name of the form, and say how they are posted. Raises Forbidden in live mode, Invalid, Conflict."""
    settings = current_app.config["POKEA"]
    if settings.is_live:
        raise Forbidden("A live account's callbacks do not become files of the project: they are of real people. Nothing was kept.")
    name = request.form.get("name", "").strip()
    fixtures.save(settings.fixtures_dir, name, rows, settings.privacy)
    what = f"{len(rows)} callbacks as {name}. Post them, in order," if len(rows) > 1 else f"as {name}. Post it"
    showing.say(f"Kept {what} with: flask trigger @{name} (as new: --new)", "good")
