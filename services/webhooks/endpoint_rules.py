"""What a developer may say of an endpoint: events that exist, an address that the world can reach."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from flask import current_app
from marshmallow import ValidationError

from app.errors import Invalid
from app.schemas.endpoints import EndpointBody, reasons_of
from services.webhooks import events
from services.webhooks.public_addresses import check_url

# As the words of the API become columns
COLUMNS = {"url": "url", "events": "events", "active": "is_active", "format": "format"}


def checked(body: Mapping[str, Any], is_partial: bool) -> dict[str, Any]:
    """Return the columns that a body fills. Raises Invalid with all that is wrong, by field."""
    wrong: dict[str, list[str]] = {}
    loaded: dict[str, Any] = {}
    try:
        loaded = EndpointBody(partial=is_partial).load(dict(body))
    except ValidationError as error:
        wrong, loaded = reasons_of(error), dict(error.valid_data)  # type: ignore[arg-type]
    if "events" in loaded and "events" not in wrong:
        loaded["events"] = list(dict.fromkeys(loaded["events"]))
        wrong |= _unknown_events(loaded["events"])
    if "url" in loaded and "url" not in wrong:
        try:
            loaded["url"] = check_url(loaded["url"], current_app.config["POKEA"].webhooks_allow_private)
        except Invalid as error:
            wrong["url"] = [error.message]
    if wrong:
        [first, *others] = wrong.values()
        raise Invalid("Some fields are wrong." if others else first[0], wrong)
    return {column: loaded[name] for name, column in COLUMNS.items() if name in loaded}


def _unknown_events(patterns: list[str]) -> dict[str, list[str]]:
    unknown = [pattern for pattern in patterns if not events.is_known(pattern)]
    if not unknown:
        return {}
    close = get_close_matches(unknown[0], events.EVENTS, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    known = f"Known events: {', '.join(events.EVENTS)}; 'sms.*' stands for all of a family, '*' for all."
    return {"events": [f"No such event '{unknown[0][:60]}'.{hint}", known]}
