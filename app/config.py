"""Every setting, its default and meaning. The only file that reads the environment."""

import contextlib
import os
import secrets
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from dotenv import dotenv_values
from environs import EnvValidationError, FileAwareEnv
from marshmallow import ValidationError

from app import settings_text as parse

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "instance"
# A shorter one might be part of any word.
SHORTEST_SECRET = 6
# The name is prometheus_client's own.
_METRICS = "PROMETHEUS_MULTIPROC_DIR"
# Only in emulator mode, where nothing leaves the machine.
EMULATOR_DEFAULTS = {
    "at_username": "sandbox",
    "at_api_key": "emulator",
    "at_shortcode": "12345",
    "at_voice_number": "+254711082000",
    "at_ussd_code": "*384*1234#",
}


class CannotStart(Exception):
    """What stands in the way of a start, as lines for a person."""


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


def load_settings(env_file: Path | None = ROOT / ".env") -> Settings:
    """Read all settings from the environment and, for what is not there, from `env_file`.

    Raises CannotStart, whose text lists every wrong setting with what would be right.
    """
    env = _reader(env_file)
    in_file = dotenv_values(env_file) if env_file else {}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, entry in [("WEBHOOK_BASE_URL", _entry("public_url")), *((one.name.upper(), one) for one in declared())]:
        try:
            value = env.setting(name, "", entry=entry)
        except ValueError as unreadable:
            wrong[name] = str(unreadable)
            continue
        if value is not None:
            values[entry.name], sources[entry.name] = value, _source(name, entry.name, in_file)
    wrong |= _sealed(env)
    settings = Settings(**values, sources=sources)
    wrong |= {name: reason for name, reason in contradictions(settings).items() if name not in wrong}
    if wrong:
        raise CannotStart(_report(wrong))
    return settings


def contradictions(settings: Settings) -> dict[str, str]:
    """Return what single settings cannot tell: {NAME: what is wrong and what would be right}."""
    wrong = {}
    if settings.at_api_key and not settings.at_username:
        wrong["AT_USERNAME"] = "not set, but AT_API_KEY is: 'sandbox' for a sandbox key, your app's user name for a live one"
    if settings.is_live:
        wrong |= _live_needs(settings)
    return wrong


def _live_needs(settings: Settings) -> dict[str, str]:
    wrong = {}
    if settings.at_username == "sandbox":
        wrong["AT_MODE"] = "'live' does not go with the user name 'sandbox': set AT_USERNAME to your app's"
    if not settings.callback_token and not settings.webhook_secret:
        wrong["CALLBACK_TOKEN"] = "not set: live needs a proof of callbacks. Make one with: openssl rand -hex 24"
    if settings.callback_checks != "enforce":
        wrong["CALLBACK_CHECKS"] = f"'{settings.callback_checks}' is not for live: remove it, or set enforce"
    if not settings.secret_key:
        wrong["SECRET_KEY"] = "not set: live needs one. Make one with: openssl rand -hex 32"
    return wrong


def cautions(settings: Settings) -> list[str]:
    """Return what a person should know about how callbacks are checked, where that is allowed but doubtful."""
    found = []
    if settings.callback_checks == "off" or not (settings.callback_token or settings.webhook_secret):
        found.append("not verified: set CALLBACK_TOKEN")
    elif not settings.callback_token:
        found.append("Africa's Talking does not sign, so WEBHOOK_SECRET alone refuses it unless a proxy signs: set CALLBACK_TOKEN")
    if settings.callback_allowed_ips and not settings.trusted_proxies:
        found.append("CALLBACK_ALLOWED_IPS looks at the direct peer: behind a proxy or tunnel set TRUSTED_PROXIES")
    if settings.is_live and settings.callback_token and min(map(len, settings.callback_token)) < 16:
        found.append("CALLBACK_TOKEN is short: make one with openssl rand -hex 24")
    return found


def money_cautions(settings: Settings) -> list[str]:
    """Return what a person should know about how money is guarded; nothing where none moves."""
    if not settings.is_live:
        return []
    found = []
    if not settings.invoke_token:
        found.append("INVOKE_TOKEN is not set: the addresses that send answer 403")
    elif len(settings.invoke_token) < 32:
        found.append("INVOKE_TOKEN is short: make one with openssl rand -hex 24")
    if settings.spend_cap_daily is None:
        found.append("no cap: set SPEND_CAP_DAILY, and SPEND_CAP_ORDER, SPEND_CAP_NUMBER, SENDS_PER_DAY as you like")
    return found


def refuse_public_debugger(host: str) -> None:
    """Raise CannotStart if Flask's debugger is asked for on an address that others can reach."""
    if os.environ.get("FLASK_DEBUG", "").lower() in ("", "0", "false", "no"):
        return
    try:
        loopback = host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise CannotStart(
            f"Cannot start: a debugger on {host or 'every address'} lets anybody run code here. Unset FLASK_DEBUG, or bind to 127.0.0.1."
        )


def with_secret_key(settings: Settings) -> Settings:
    """Return the settings with a key: theirs, or one made once into the instance folder, mode 600."""
    if settings.secret_key:
        return settings
    path = settings.instance_dir / "secret_key"
    settings.instance_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Whole under its name or not there at all: two processes may start at once.
        with NamedTemporaryFile("w", dir=settings.instance_dir) as file:
            file.write(secrets.token_hex(32))
            file.flush()
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(file.name)
    return replace(settings, secret_key=path.read_text())


def child_environment(**unless_set: str) -> dict[str, str]:
    """Return the environment for a child process, with values for names that neither it nor .env sets."""
    env = _reader(ROOT / ".env")
    wanted = {name: value for name, value in unless_set.items() if not env.setting(name, "", entry=_entry(name.lower()))}
    return {**os.environ, **wanted}


def share_metrics(settings: Settings) -> Path:
    """Let every process of this app count into one folder, and return it; PROMETHEUS_MULTIPROC_DIR names another.

    One database is one app: the folder lies beside its SQLite file, else in the instance folder.
    """
    beside = Path(settings.database_url.removeprefix("sqlite:///")).parent if settings.uses_sqlite else settings.instance_dir
    folder = beside / f"metrics-{sha256(settings.database_url.encode()).hexdigest()[:8]}"
    return Path(os.environ.setdefault(_METRICS, str(folder)))


def metrics_folder() -> Path | None:
    """Return the folder that processes count into together, None where this one counts for itself."""
    folder = os.environ.get(_METRICS)
    return Path(folder) if folder else None


def _entry(name: str) -> Any:
    return next(entry for entry in declared() if entry.name == name)


def _reader(env_file: Path | None) -> FileAwareEnv:
    env = FileAwareEnv(eager=False, strip_whitespace=True)
    if env_file:
        env.read_env(env_file, recurse=False)
    env.add_parser("setting", _parse_setting)
    return env


def _source(name: str, setting_name: str, in_file: dict[str, str | None]) -> str:
    """Return where a setting's text came from. Flask copies .env into the environment: what is the same there came from the file."""
    named_file = f"{name}_FILE"
    spelled = named_file if os.environ.get(named_file) or in_file.get(named_file) else name
    where = ".env" if os.environ.get(spelled) in (None, in_file.get(spelled)) else "environment"
    if spelled == named_file:
        return f"file ({named_file} in {where})"
    return where if name == setting_name.upper() else f"{where} ({name})"


def _parse_setting(raw: str, entry: Any) -> object:
    if not raw.strip():
        return None
    try:
        return entry.metadata["parse"](raw.strip())
    except ValueError as error:
        reason = str(error).replace(raw.strip(), "…") if entry.metadata["secret"] else str(error)
        raise ValidationError(reason) from error


def _sealed(env: FileAwareEnv) -> dict[str, str]:
    try:
        env.seal()
    except EnvValidationError as error:
        return {name: " ".join(reasons) for name, reasons in error.error_messages.items()}  # type: ignore[union-attr]
    return {}


def _report(wrong: dict[str, str]) -> str:
    count = "1 setting is" if len(wrong) == 1 else f"{len(wrong)} settings are"
    width = max(map(len, wrong)) + 2
    lines = [f"  {name:<{width}}{reason}" for name, reason in wrong.items()]
    return "\n".join([f"Cannot start: {count} wrong.", *lines, "Fix them in .env (see .env.example) and run the command again."])
