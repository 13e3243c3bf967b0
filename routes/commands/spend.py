"""flask spend: stop all sending, allow it again, and what of the caps is used."""

from datetime import UTC, datetime
from typing import Any

import click
from flask import current_app

from app import masking
from app.extensions import db
from app.settings import Settings
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, person, show, talk
from services import spend_switch
from services.caps import Cap, caps

spend = DatabaseGroup("spend", help="Stop all sending, allow it again, and see what of the caps is used.")
_BY_SETTING = "Sending is switched off by the setting SPEND_ENABLED=0; only that setting switches it on."


@spend.command("stop")
@as_json
def stop(as_json: bool) -> None:
    """Refuse every order from now on, in every process. Callbacks go on, campaigns pause.

    Example: flask spend stop
    """
    switch = spend_switch.stop(person())
    show(as_json, switch.told(), lambda: [switch.said()])


@spend.command("allow")
@click.option("--yes", is_flag=True, help="Do not ask in live mode.")
@as_json
def allow(yes: bool, as_json: bool) -> None:
    """Let orders be sent again.

    Example: flask spend allow
    """
    settings = _settings()
    if settings.is_live and not yes:
        click.confirm(f"LIVE account '{settings.at_username}': orders are real and cost money. Allow them?", abort=True, err=True)
    switch = spend_switch.allow(person())
    show(as_json, switch.told(), lambda: [switch.said()])
    if not settings.spend_enabled:
        talk(_BY_SETTING)


@spend.command("status")
@as_json
def status(as_json: bool) -> None:
    """Print whether orders are sent, and what of today's caps is used.

    Example: flask spend status
    """
    settings = _settings()
    with db.engine.connect() as connection:
        switch, found = spend_switch.read_switch(connection), caps(connection, settings, datetime.now(UTC))
    is_allowed = settings.spend_enabled and not (switch and switch.is_stopped)
    told: dict[str, Any] = {
        "is_allowed": is_allowed, "spend_enabled": settings.spend_enabled, "switch": switch and switch.told(),
        "caps": [cap.told() for cap in found],
    }  # fmt: skip
    said = _BY_SETTING if not settings.spend_enabled else switch.said() if switch else "Sending is allowed."
    show(as_json, masking.everything(told) if settings.privacy else told, lambda: [said, *map(_line, found)])


def _line(cap: Cap) -> str:
    if cap.most is None:
        return f"{cap.name:<18} not set"
    unit, used = f" {cap.currency}" if cap.currency else "", "" if cap.used is None else f"{_text(cap.used)} of "
    by = f" by {masking.number(cap.phone) if _settings().privacy else cap.phone}" if cap.phone else ""
    return f"{cap.name:<18} {used}{_text(cap.most)}{unit}{by}"


def _text(value: Any) -> str:
    return f"{value:.2f}" if not isinstance(value, int) else str(value)


def _settings() -> Settings:
    settings: Settings = current_app.config["POKEA"]
    return settings
