"""What a person keeps under a name, as a file beside the tests: a callback, or all of a session."""

from collections.abc import Sequence

from flask import current_app, request

from app.errors import Conflict
from app.models import Callback
from routes.pages import showing
from services.replays import fixtures


def keep_fixture(rows: Sequence[Callback]) -> None:
    """Keep callbacks under the name of the form, and say how they are posted, or that the name is taken. Raises Forbidden, Invalid."""
    name = request.form.get("name", "").strip()
    try:
        fixtures.save(current_app.config["POKEA"], name, rows)
    except Conflict as taken:
        showing.say(taken.message, "bad")
        return
    if len(rows) > 1:
        how = f"{len(rows)} callbacks as {name}. Post them, in order and each time as another session, with: flask trigger @{name}"
    else:
        how = f"as {name}. Post it with: flask trigger @{name} (as new: --new)"
    showing.say(f"Kept {how}", "good")
