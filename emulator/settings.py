"""What a person or a test can set while the emulator runs, with its checks. Times in seconds of the emulator's clock."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

from emulator.errors import Refused
from emulator.kinds import KINDS
from emulator.networks import NETWORKS, is_code, is_number

CURRENCY = "KES"
_SUM = re.compile(r"(?:([A-Za-z]+)\s+)?(-?[0-9]{1,12}(?:\.[0-9]{1,4})?)", re.ASCII)
# What a number does by its last digits. Any name of a recipient's status in an answer to a message can stand here, too.
MAGIC = {
    "001": "delivered", "002": "failed", "003": "rejected", "004": "blacklisted", "005": "no_report", "006": "two_reports",
    "007": "swapped_yesterday", "008": "airtime_fails", "009": "busy", "010": "no_answer",
}  # fmt: skip
SMS_CODES = {
    "RiskHold": 401, "InvalidSenderId": 402, "InvalidPhoneNumber": 403, "UnsupportedNumberType": 404, "InsufficientBalance": 405,
    "UserInBlacklist": 406, "CouldNotRoute": 407, "DoNotDisturbRejection": 409, "InternalServerError": 500, "GatewayError": 501,
    "RejectedByGateway": 502,
}  # fmt: skip
MEANINGS = (*MAGIC.values(), *SMS_CODES)


@dataclass
class Settings:
    """All of them, with what they mean where the name does not say it."""

    # The application that gets the callbacks, and the secret that its addresses end with
    app_url: str = "http://127.0.0.1:9000"
    token: str = ""
    # Addresses of their own, by kind; None: Africa's Talking has none and does not call
    callbacks: dict[str, str | None] = field(default_factory=dict)
    magic_numbers: dict[str, str] = field(default_factory=MAGIC.copy)
    # Names of networks, by number or its first digits
    carriers: dict[str, str] = field(default_factory=dict)
    # Numbers that left a sender, by sender
    opt_outs: dict[str, list[str]] = field(default_factory=dict)
    # Senders that the account has; None: any that does not begin with "invalid" or "wrong"
    senders: list[str] | None = None
    balance: Decimal = Decimal(100_000)
    # For mobile data and payments
    wallet: Decimal = Decimal(100_000)
    # 99999, as the sandbox sends, else the network's own
    network_code: str = "99999"
    # Repeat every kind until it is answered 2xx
    repeat_all: bool = False
    # A report of a message that is on its way, before the last one
    interim_reports: bool = False
    # Phones answer calls by themselves
    auto_answer: bool = False
    report_after_s: float = 1.0
    ring_s: float = 30.0
    # 0: speaking takes no time
    speech_chars_per_s: float = 20.0
    play_s: float = 3.0
    answer_within_s: float = 10.0
    payment_within_s: float = 60.0
    # Airtime to the same number again within so many seconds is refused as a duplicate; Africa's Talking is said to take 300
    duplicate_airtime_s: float = 0.0
    ussd_code: str = "*384*1234#"
    short_code: str = "12345"
    voice_number: str = "+254711082000"

    def url_of(self, kind: str) -> str | None:
        """Return where callbacks of a kind go, None for nowhere."""
        if kind in self.callbacks:
            given = self.callbacks[kind]
            # With one address only, a call's end is told where its instructions are asked for.
            return self.url_of("voice.instructions") if given is None and kind == "voice.event" else given
        return f"{self.app_url.rstrip('/')}{KINDS[kind].path}" + (f"?token={quote(self.token, safe='')}" if self.token else "")

    def magic_of(self, number: str) -> str | None:
        """Return what the last digits of a number make of it."""
        return next((meaning for suffix, meaning in self.magic_numbers.items() if number.endswith(suffix)), None)

    def shown(self) -> dict[str, Any]:
        """Return them as JSON, money as `KES 10.0000`, callbacks with their addresses; without the secret."""
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        sums = {name: money(value) for name, value in plain.items() if isinstance(value, Decimal)}
        secret = {"token": "****" if self.token else ""}
        return {**plain, **sums, **secret, "callbacks": {kind: self._shown_url(kind) for kind in KINDS}}

    def _shown_url(self, kind: str) -> str | None:
        url = self.url_of(kind)
        return url.replace(quote(self.token, safe=""), "****") if url and self.token else url

    def change(self, given: dict[str, Any]) -> None:
        """Set what is given, all of it or, when anything is wrong, nothing. Raises Refused."""
        known = {one.name: one for one in fields(self)}
        for name in given:
            if name not in known:
                raise Refused(f"No setting '{name}'. There are: {', '.join(known)}")
        read = {name: _read(name, value, getattr(Settings(), name)) for name, value in given.items()}
        for name, value in read.items():
            # A table is added to; None takes one of its entries out, except an address, which it switches off.
            merged = {**getattr(self, name), **value} if isinstance(value, dict) else value
            is_table = isinstance(value, dict) and name != "callbacks"
            setattr(self, name, {key: one for key, one in merged.items() if one is not None} if is_table else merged)


def money(value: Decimal) -> str:
    """Return a sum as Africa's Talking writes it: currency and four decimals."""
    return f"{CURRENCY} {value:.4f}"


def read_sum(text: object) -> Decimal:
    """Read `KES 10.50`, `10.50` or a number. Raises Refused."""
    found = _SUM.fullmatch(str(text).strip())
    if not found:
        raise Refused(f"'{text!s:.40}' is not a sum of money, as {CURRENCY} 10.50")
    currency, value = found.groups()
    if currency not in (None, CURRENCY):
        raise Refused(f"'{text!s:.40}' is not in {CURRENCY}, as {CURRENCY} 10.50 is")
    return Decimal(value)


def _read(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, Decimal):
        return read_sum(value)
    if isinstance(default, bool):
        return _insist(isinstance(value, bool), value, name, "true or false")
    if isinstance(default, float):
        least = _LEAST.get(name, 0.0)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_right = is_number and (value == 0 or least <= value < 10**6) and not (value == 0 and name in _NEVER_0)
        return float(_insist(is_right, value, name, f"a number of {least:g} or more"))
    if isinstance(default, str):
        is_right, what = _TEXTS.get(name, (lambda _: True, "text"))
        return _insist(isinstance(value, str) and is_right(value), value, name, what)
    if name == "senders":
        is_list = value is None or (isinstance(value, list) and all(isinstance(one, str) for one in value))
        return _insist(is_list, value, name, "a list of senders, or null for any")
    return {str(key): _checked(name, str(key), one) for key, one in _insist(isinstance(value, dict), value, name, "an object").items()}


def _checked(name: str, key: str, value: Any) -> Any:
    """Return an entry of a table, if it can stand there."""
    if name == "callbacks":
        _insist(key in KINDS, key, "callbacks", f"one of the kinds {', '.join(KINDS)}")
        return _insist(value is None or _is_address(value), value, f"callbacks.{key}", "an address (http://…) or null")
    if value is None:
        return None
    if name == "opt_outs":
        is_list = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return _insist(is_list, value, f"opt_outs.{key}", "a list of numbers")
    known = MEANINGS if name == "magic_numbers" else tuple(NETWORKS)
    return _insist(value in known, value, f"{name}.{key}", f"one of: {', '.join(known)}")


def _is_address(value: Any) -> bool:
    try:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


# Numbers that would make something last for ever, or not at all
_LEAST = {"speech_chars_per_s": 0.1, "answer_within_s": 0.05}
_NEVER_0 = ("answer_within_s",)
# Texts of a certain form, and how that is told
_TEXTS: dict[str, tuple[Callable[[str], bool], str]] = {
    "app_url": (_is_address, "an address (http://…)"),
    "ussd_code": (is_code, "a code like *384*1234#"),
    "voice_number": (is_number, "a number like +254711082000"),
}


def _insist(is_right: bool, value: Any, name: str, what: str) -> Any:
    if not is_right:
        raise Refused(f"'{name}' must be {what}, not {value!r:.80}")
    return value
