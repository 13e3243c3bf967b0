"""Every setting as a person may see it: its value with secrets masked, where it came from, and what it means."""

from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import make_url

from app import masking
from app.settings import Settings, declared, secrets_of
from services.programs import without_secrets

# Of a shorter secret, four letters would be much.
SHOWN_FROM = 13
SHOWN = 4


class Line(NamedTuple):
    """One setting."""

    name: str
    value: str
    source: str
    meaning: str


def settings_table(settings: Settings) -> list[Line]:
    """Return every setting, in the order in which they are declared."""
    return [Line(one.name.upper(), _shown(settings, one), source_of(settings, one), one.metadata["meaning"]) for one in declared()]


def source_of(settings: Settings, entry: Any) -> str:
    """Return where a setting's value came from. entry: one of declared()."""
    if given := settings.sources.get(entry.name):
        return given
    if getattr(settings, entry.name) == entry.default:
        return "default"
    special = {"at_mode": "follows from AT_USERNAME and AT_API_KEY", "secret_key": "made once, kept in instance/secret_key"}
    return special.get(entry.name, f"default in {settings.at_mode} mode")


def ending(secret: str) -> str:
    """Return what is told of a secret: that it is set, and its last letters where it is long."""
    return f"set, ends …{secret[-SHOWN:]}" if len(secret) >= SHOWN_FROM else "set"


def _shown(settings: Settings, entry: Any) -> str:
    value = getattr(settings, entry.name)
    if value in (None, "", ()):
        return "not set"
    if entry.metadata["secret"]:
        return " · ".join(map(ending, value if isinstance(value, tuple) else (value,)))
    if entry.name == "database_url":
        value = make_url(value).render_as_string(hide_password=True)
    elif entry.name in ("ussd_app_url", "voice_app_url"):
        value = without_secrets(value)
    return masking.tokens_in(_text(value), secrets_of(settings))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:f}" if isinstance(value, Decimal) else f"{value:g}" if isinstance(value, float) else str(value)
