"""What every page shows around its own matter, and how it writes times, numbers, marks and addresses."""

import json
import textwrap
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from flask import Flask, current_app, flash, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from app import VERSION, masking
from app.errors import GatewayError
from app.extensions import db
from app.settings import ROOT, Settings
from routes.logins import is_logged_in
from services.form_keys import new_form_key
from services.reading.latest import Shared
from services.reading.signs import SIGNS
from services.surroundings import Surroundings

MOST_SAID = 300
THEMES = ("light", "dark")
# The pages of the navigation: endpoint, name, and the key that goes there after g.
PAGES = (
    ("pages.live.page", "Live", "e"),
    ("pages.sessions.page", "Sessions", "s"),
    ("pages.people.page", "People", "o"),
    ("pages.messages.page", "Messages", "m"),
    ("pages.money.page", "Money", "y"),
    ("pages.webhooks.page", "Webhooks", "w"),
    ("pages.campaigns.page", "Campaigns", "c"),
    ("pages.setup.page", "Setup", "u"),
    ("pages.docs.page", "Docs", "d"),
)


class NoSuchPage(GatewayError):
    """Nothing is shown at this address."""

    status = 404


def init_app(app: Flask) -> None:
    """Give the templates what they may call, and remember each file of static/ by its content."""
    app.extensions["pokea.surroundings"] = Surroundings(app.config["POKEA"])
    app.extensions["pokea.latest"] = Shared()
    versions = {path.name: sha256(path.read_bytes()).hexdigest()[:12] for path in (ROOT / "static").iterdir()}
    app.extensions["pokea.versions"] = versions
    app.jinja_env.globals.update(
        asset=lambda name: url_for("pages.static", filename=name, v=versions[name]),
        signs=SIGNS, version=VERSION, with_query=with_query, has_login=is_logged_in, around_page=_frame,
        new_form_key=new_form_key, now=lambda: datetime.now(UTC),
    )  # fmt: skip
    app.jinja_env.filters.update(
        clock=clock, day=day, exact=exact, money=money, number=number, pair=lambda value: (value, value), plain=plain, pretty=pretty
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def is_version(name: str | None, version: str | None) -> bool:
    """Whether a file of static/ has the content that this version stands for."""
    return version is not None and current_app.extensions["pokea.versions"].get(name) == version


def missing(rest: str) -> str:
    """Somebody follows an address of pages that is none."""
    raise NoSuchPage(f"There is no page at {request.path[:200]}.")


def is_part() -> bool:
    """Whether only a part of a page is asked for, to be put into one that is open."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


def shown(template: str, part: str, **values: Any) -> str:
    """Return a page, or the part of it that an open page asked for, with what is to be said of what was done before."""
    return render_template("flashes.html") + render_template(part, **values) if is_part() else render_template(template, **values)


def say(text: str, tone: str = "message") -> None:
    """Tell a person something on the next page; masked where PRIVACY asks for it, for it travels in a cookie that anybody may read.

    tone: good or bad. A long text is cut: a browser keeps no long cookie.
    """
    flash(textwrap.shorten(number(text), MOST_SAID, placeholder=" …"), tone)


def hides_numbers() -> bool:
    """Whether numbers are masked: PRIVACY."""
    return bool(_settings().privacy)


def with_query(path: str | None = None, **changes: Any) -> str:
    """Return the address of this page, or of another path, with this one's query, some of it changed; None takes a name away."""
    given = {**request.args.to_dict(), **changes}
    query = urlencode({name: value for name, value in given.items() if value not in (None, "")})
    return f"{path or request.path}{'?' if query else ''}{query}"


def clock(moment: datetime) -> str:
    """Return the time of a day, UTC: 12:04:31."""
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def exact(moment: datetime) -> str:
    """Return a time to the millisecond, with its zone."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} UTC"


def day(moment: datetime) -> str:
    """Return a day: 4 Mar 2026."""
    return f"{moment.astimezone(UTC):%-d %b %Y}"


def plain(moment: datetime) -> str:
    """Return a time for the `datetime` of an element."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def money(amount: Decimal | str | None, currency: str | None = None) -> str:
    """Return a sum as people write it: KES 1,234.50; four places only where they say something."""
    if amount is None:
        return "–"
    value = Decimal(amount)
    text = f"{value:,.2f}" if value == value.quantize(Decimal("0.01")) else f"{value:,.4f}"
    return f"{currency} {text}" if currency else text


def pretty(value: Any) -> str:
    """Return any value as a person reads JSON; a text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def number(value: str | None) -> str:
    """Return a phone number, masked where PRIVACY asks for it."""
    return "" if not value else masking.numbers_in(value) if hides_numbers() else value


def readable(raw: bytes) -> str:
    """Return a body as it came, for reading: what is no text escaped, PINs masked, numbers where PRIVACY asks for it."""
    text = masking.raw(raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00"))
    return masking.numbers_in(text) if hides_numbers() else text


def _frame() -> dict[str, Any]:
    """Return what stands around every page. A database that is away leaves its parts out, and says so."""
    settings = _settings()
    theme = request.cookies.get("theme", "")
    frame: dict[str, Any] = {"settings": settings, "theme": theme if theme in THEMES else None, "pages": PAGES}
    try:
        around = current_app.extensions["pokea.surroundings"].look(db.engine, datetime.now(UTC))
    except (SQLAlchemyError, GatewayError):
        around = None
    return frame | {"around": around}


def _settings() -> Settings:
    return current_app.config["POKEA"]
