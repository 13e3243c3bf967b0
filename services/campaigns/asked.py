"""What a campaign is asked for with, beside its recipients: names, texts and times, each checked before anything is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from flask import current_app
from marshmallow import RAISE, Schema, ValidationError, fields, validate

from app.errors import Invalid, NotReady
from app.schemas.bodies import Unreadable, read_json
from app.schemas.orders import Flag, Key, Message, Sender, Words, read_phone
from services.campaigns.quiet import EXAMPLE, read_quiet_hours
from services.campaigns.texts import columns_of

CHANNELS = {"sms": "sms.bulk", "voice": "voice.call"}
MOST_TEXT = 2000
MOST_RATE = 1000
# Times that both databases and every zone can tell
YEARS = range(1971, 9999)


@dataclass(frozen=True)
class Asked:
    """A campaign as it is wanted."""

    name: str
    channel: str
    message: str | None
    # Sender of messages, None for the account's usual one; number that calls come from
    own: str | None
    # Recipients a second
    rate: float
    send_at: datetime | None = None
    quiet_hours: dict[str, list[str]] | None = None
    # To be started at once
    starts: bool = False
    # With which asking twice makes one
    key: str | None = None

    @property
    def kind(self) -> str:
        """The kind of invocation that it is made of."""
        return CHANNELS[self.channel]


_NO_TIME = "'send_at' must be a time, as 2026-03-04T10:30:00Z; without a zone it is UTC"


class _Moment(fields.Field):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        try:
            # A plus that came as a space
            text = value.strip()
            found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
            moment = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (AttributeError, ValueError, OverflowError) as error:
            raise ValidationError(_NO_TIME) from error
        if moment.year not in YEARS:
            raise ValidationError(_NO_TIME)
        return moment


class _Rate(fields.Field):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> float:
        try:
            rate = float(value)
        except (TypeError, ValueError, OverflowError):
            rate = 0
        if isinstance(value, bool) or not 0.01 <= rate <= MOST_RATE:
            raise ValidationError(f"'rate' must be recipients a second, from 0.01 to {MOST_RATE}")
        return rate


class _QuietHours(fields.Field):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> dict[str, list[str]]:
        try:
            return read_quiet_hours(read_json(value) if isinstance(value, str) and value.lstrip().startswith("{") else value)
        except Unreadable as error:
            raise ValidationError(EXAMPLE) from error
        except ValueError as error:
            raise ValidationError(str(error)) from error


class CampaignSchema(Schema):
    """The parameters of a campaign. One that it does not know is refused: to leave it out would be to send something else."""

    class Meta:
        unknown = RAISE

    name = Words(required=True, most=100)
    channel = fields.String(required=True, validate=validate.OneOf(CHANNELS, error="'channel' must be sms or voice"))
    message = Message(load_default=None)
    send_at = _Moment(load_default=None)
    quiet_hours = _QuietHours(load_default=None)
    sender = Sender(load_default=None)
    rate = _Rate(load_default=None)
    start = Flag(load_default=False)
    idempotency_key = Key(data_key="idempotencyKey", load_default=None)


def read_asked(parameters: Mapping[str, Any]) -> Asked:
    """Return the campaign that parameters stand for. Those that are None are left open. Raises Invalid, NotReady."""
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        asked = CampaignSchema().load(given)
    except ValidationError as refused:
        raise _invalid(refused.normalized_messages(), given) from refused
    message, channel = asked["message"], asked["channel"]
    if channel == "sms" and message is None:
        raise Invalid("Missing 'message': the text, with {columns} of the recipients in braces")
    if message is not None:
        if len(message) > MOST_TEXT:
            raise Invalid(f"'message' must be at most {MOST_TEXT} characters; it has {len(message)}")
        columns_of(message)
    own = _own(channel, asked["sender"])
    rate = asked["rate"] or current_app.config["POKEA"].campaign_rate
    times = (asked["send_at"], asked["quiet_hours"])
    return Asked(asked["name"], channel, message, own, rate, *times, asked["start"], asked["idempotency_key"])


def _own(channel: str, sender: str | None) -> str | None:
    settings = current_app.config["POKEA"]
    if channel == "sms":
        return sender or settings.at_sender_id or None
    if sender is None and not settings.at_voice_number:
        raise NotReady("AT_VOICE_NUMBER is not set: calls need a number that they come from. Set it in .env, or name it as 'sender'.")
    try:
        return read_phone(sender, settings.default_country) if sender else settings.at_voice_number
    except ValidationError as error:
        raise Invalid("'sender' of calls must be a phone number of yours, as +254711082000") from error


def _invalid(reasons: dict[str, Any], given: Mapping[str, Any]) -> Invalid:
    known = [field.data_key or name for name, field in CampaignSchema().fields.items()]
    for name in given:
        if name not in known:
            near = get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.7)
            return Invalid(
                f"A campaign has no '{name[:40]}'. " + (f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(known)}.")
            )
    if missing := [name for name in reasons if name not in given]:
        return Invalid(f"Missing '{missing[0]}'")
    texts = {name: [str(reason) for reason in why] for name, why in reasons.items()}
    return Invalid("Some fields are wrong." if len(texts) > 1 else next(iter(texts.values()))[0], texts)
