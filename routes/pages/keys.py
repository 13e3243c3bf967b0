"""API keys: who has which, a new one that is shown once, and the end of one."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import Invalid
from app.schemas.bodies import clean
from routes.pages import showing
from services.keys import SCOPES, create_key, page_of_keys, revoke_key

bp = Blueprint("keys", __name__)
ROWS = 50
MOST_LETTERS = 100


@bp.get("/setup/keys")
def page() -> str:
    """A person looks at who may use the API."""
    return _page()


@bp.post("/setup/keys")
def make() -> str:
    """A person makes a key: the answer is the only place that ever shows it."""
    name = clean(request.form.get("name", "")).strip()
    scopes = [scope for scope in SCOPES if scope in request.form.getlist("scope")]
    if not name or len(name) > MOST_LETTERS:
        raise Invalid(f"'name' must say whose key it is, in at most {MOST_LETTERS} letters. No key was made.")
    if not scopes:
        raise Invalid(f"'scope' must be one or more of {', '.join(SCOPES)}. No key was made.")
    return _page(key=create_key(name, scopes)[1], name=name, made_for=scopes)


@bp.post("/setup/keys/<key_id>/revoke")
def revoke(key_id: str) -> Response:
    """A person ends a key at once."""
    revoke_key(clean(key_id))
    showing.say("The key is revoked: whoever shows it gets 401.", "good")
    return redirect(url_for(".page"), 303)


def _page(**made: object) -> str:
    keys, following = page_of_keys(clean(request.args.get("after", "")) or None, ROWS)
    return render_template("keys.html", keys=keys, next=following, scopes=SCOPES, base=request.host_url.rstrip("/"), **made)
