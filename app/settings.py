"""Every setting: its name, default, how its text is read, and what it means. Where they are read: app/config.py."""

from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from app import settings_text as parse

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "instance"
# A shorter one might be part of any word.
SHORTEST_SECRET = 6
# Only in emulator mode, where nothing leaves the machine.
EMULATOR_DEFAULTS = {
    "at_username": "sandbox",
    "at_api_key": "emulator",
    "at_shortcode": "12345",
    "at_voice_number": "+254711082000",
    "at_ussd_code": "*384*1234#",
}


def setting(default: Any, parser: parse.Parse, meaning: str, secret: bool = False) -> Any:
    """Declare one setting: its default, how its text is read, what it means, and whether it is masked when shown."""
    return field(default=default, metadata={"parse": parser, "meaning": meaning, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """All settings of one process. Names in the environment are these in capitals; `<NAME>_FILE` reads a file."""

    at_mode: str = setting(
        "",
        parse.one_of("emulator", "sandbox", "live"),
        "emulator, sandbox or live; unset: no key is emulator, user name sandbox is sandbox, else live",
    )
    at_username: str = setting("", parse.text, "user name at Africa's Talking; 'sandbox' for its sandbox")
    at_api_key: str = setting("", parse.text, "key at Africa's Talking; none starts in emulator mode", secret=True)
    at_shortcode: str = setting("", parse.text, "your SMS short code (emulator: 12345)")
    at_sender_id: str = setting("", parse.text, "sender of bulk messages; unset: your account's usual one")
    at_voice_number: str = setting("", parse.text, "your voice number (emulator: +254711082000)")
    at_ussd_code: str = setting("", parse.text, "your USSD service code (emulator: *384*1234#)")
    at_base_url: str = setting("", parse.base_address, "where calls go instead of Africa's Talking's hosts (emulator: EMULATOR_URL)")
    at_timeout_s: float = setting(12.0, parse.seconds(0.1, 60), "seconds that Africa's Talking has for a whole answer")
    emulator_url: str = setting("http://127.0.0.1:9001", parse.base_address, "where the emulator answers in emulator mode")
    port: int = setting(9000, parse.whole(1, 65535), "port of the web process")
    flask_env: str = setting(
        "production", parse.one_of("production", "development"), "development reloads on change and logs in detail, nothing else"
    )
    database_url: str = setting(
        f"sqlite:///{INSTANCE / 'pokea.db'}",
        parse.database_url,
        "sqlite:////path/file.db or postgresql://user:password@host/name; unset: instance/pokea.db",
    )
    secret_key: str = setting("", parse.text, "signs cookies; unset: made once into instance/, live must set it", secret=True)
    public_url: str = setting("", parse.base_address, "where the world reaches this app, https://…; alias WEBHOOK_BASE_URL")
    trusted_proxies: int = setting(0, parse.whole(0, 10), "proxies in front whose X-Forwarded-* are believed (flask dev: 1)")
    callback_token: tuple[str, ...] = setting(
        (),
        parse.two_at_most,
        "secret in the addresses that you give to Africa's Talking (?token=); two by comma during a rotation",
        secret=True,
    )
    webhook_secret: tuple[str, ...] = setting(
        (),
        parse.two_at_most,
        "key of an HMAC-SHA256 over the raw body, for a signing proxy or own clients; two by comma during a rotation",
        secret=True,
    )
    callback_signature_header: str = setting("X-Signature", parse.header_name, "header that carries that HMAC")
    callback_allowed_ips: tuple[str, ...] = setting((), parse.networks, "addresses or networks that callbacks may come from, by comma")
    callback_user_agents: tuple[str, ...] = setting((), parse.words, "words of which one must stand in a callback's User-Agent, by comma")
    callback_checks: str = setting(
        "enforce", parse.one_of("off", "warn", "enforce"), "off, warn (mark and log) or enforce (refuse); live takes only enforce"
    )
    invoke_token: str = setting("", parse.text, "secret of invoke addresses (?token= or Bearer), which live needs", secret=True)
    dashboard_password: str = setting(
        "", parse.text, "password of the dashboard, for whoever is not at this machine; live needs one", secret=True
    )
    spend_enabled: bool = setting(True, parse.yes_no, "0 stops every call that costs something; callbacks go on")
    spend_currency: str = setting("KES", parse.currency, "currency of the caps")
    spend_cap_daily: Decimal | None = setting(None, parse.money, "most airtime and checkouts of one UTC day, in SPEND_CURRENCY")
    spend_cap_order: Decimal | None = setting(None, parse.money, "most airtime or checkout of one order")
    spend_cap_number: Decimal | None = setting(None, parse.money, "most airtime and checkouts of one UTC day for one phone number")
    sends_per_day: int | None = setting(
        None, parse.whole(0, 1_000_000_000), "most recipients of one UTC day, of messages, calls, airtime, checks and checkouts together"
    )
    airtime_daily_cap: Decimal | None = setting(
        None, parse.money, "most airtime of one UTC day for one phone number that AIRTIME_VALIDATION=ledger validates"
    )
    default_country: str = setting("", parse.country, "ISO letters of the country whose national numbers (0711…) are taken, as KE")
    ratelimit_enabled: bool = setting(True, parse.yes_no, "0 turns limits per address off")
    airtime_validation: str = setting(
        "", parse.one_of("ledger", "fields"), "ledger: only what this app sent is validated (default live); fields: any complete request"
    )
    twoway_require_link_id: bool = setting(False, parse.yes_no, "1 refuses incoming messages without linkId")
    twoway_auto_reply: bool | None = setting(
        None, parse.yes_no, "1 answers each incoming message with what it said (default in emulator mode), 0 does not"
    )
    webhooks_allow_private: bool = setting(False, parse.yes_no, "1 lets webhooks reach http:// and private addresses (development only)")
    webhook_signature_header: str = setting("X-Pokea-Signature", parse.header_name, "header of the second signature of webhooks")
    broker_url: str = setting(
        "",
        parse.broker_url,
        "amqp://… (RabbitMQ) or redis://… to share work between machines; unset: flask worker takes it from the database",
        secret=True,
    )
    retention_days: int | None = setting(
        None, parse.whole(0, 36_500), "days that callbacks and deliveries are kept; 0 keeps all (default live), else 7"
    )
    campaign_rate: float = setting(10.0, parse.per_second, "recipients a second that a campaign goes to")
    alert_url: str = setting("", parse.web_address, "where alerts are posted, as webhooks", secret=True)
    alert_balance_below: Decimal | None = setting(None, parse.money, "raise an alert when the account holds less")
    log_format: str = setting("text", parse.one_of("text", "json"), "text or json")
    log_payloads: bool = setting(False, parse.yes_no, "1 writes whole payloads to the log, numbers included, secrets never")
    privacy: bool = setting(False, parse.yes_no, "1 masks numbers in lists, exports and copies")
    ussd_app_url: str = setting("", parse.web_address, "your own USSD program, for codes that flows/ does not name")
    voice_app_url: str = setting("", parse.web_address, "your own voice program, for numbers that flows/ does not name")
    app_budget_s: float = setting(6.0, parse.seconds(0.1, 9), "seconds that a menu, flow or program of yours has for its answer")
    instance_dir: Path = INSTANCE
    fixtures_dir: Path = ROOT / "tests" / "fixtures" / "events"
    # {name: where its value came from} of what was given, for a person to see
    sources: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        mode = self.at_mode or derive_mode(self.at_username, self.at_api_key)
        derived: dict[str, object] = {"at_mode": mode}
        if mode == "emulator":
            defaults = {**EMULATOR_DEFAULTS, "at_base_url": self.emulator_url}
            derived |= {name: value for name, value in defaults.items() if not getattr(self, name)}
        if self.uses_sqlite and not Path(path := self.database_url.removeprefix("sqlite:///")).is_absolute():
            derived["database_url"] = f"sqlite:///{ROOT / path}"
        if not self.airtime_validation:
            derived["airtime_validation"] = "ledger" if mode == "live" else "fields"
        if self.twoway_auto_reply is None:
            derived["twoway_auto_reply"] = mode == "emulator"
        if self.retention_days is None:
            derived["retention_days"] = 0 if mode == "live" else 7
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def is_live(self) -> bool:
        """Whether money moves."""
        return self.at_mode == "live"

    @property
    def uses_sqlite(self) -> bool:
        """Whether the database is a SQLite file."""
        return self.database_url.startswith("sqlite")


def derive_mode(username: str, api_key: str) -> str:
    """Return the mode that credentials stand for when AT_MODE is not set."""
    if not api_key:
        return "emulator"
    return "sandbox" if username == "sandbox" else "live"


def declared() -> list[Any]:
    """Return the dataclass fields that are settings, in their order."""
    return [entry for entry in fields(Settings) if "meaning" in entry.metadata]


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Return the secrets that are set, but for those so short that they might be part of any word."""
    values = (getattr(settings, entry.name) for entry in declared() if entry.metadata["secret"])
    flat = (one for value in values for one in (value if isinstance(value, tuple) else (value,)))
    return tuple(one for one in flat if len(one) >= SHORTEST_SECRET and one != EMULATOR_DEFAULTS["at_api_key"])
