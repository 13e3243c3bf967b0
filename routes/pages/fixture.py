"""What a person keeps under a name, as a file beside the tests: a callback, or all of a session."""

from collections.abc import Sequence

from flask import current_app, request

from app.models import Callback
from routes.pages import showing
from services.replays import fixtures


def keep_fixture(rows: Sequence[Callback]) -> None:
    """Keep callbacks under the name of the form, and say how they are posted. Raises what fixtures.save does."""
    name = request.form.get("name", "").strip()
    fixtures.save(current_app.config["POKEA"], name, rows)
    if len(rows) > 1:
        how = f"{len(rows)} callbacks as {name}. Post them, in order and each time as another session, with: flask trigger @{name}"
    else:
        how = f"as {name}. Post it with: flask trigger @{name} (as new: --new)"
    showing.say(f"Kept {how}", "good")
