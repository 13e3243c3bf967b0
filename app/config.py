"""Reads every setting. The only file that reads the environment."""

import contextlib
import os
import secrets
from dataclasses import replace
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from dotenv import dotenv_values
from environs import EnvValidationError, FileAwareEnv
from marshmallow import ValidationError

from app.settings import ROOT, Settings, declared

# The name is prometheus_client's own.
_METRICS = "PROMETHEUS_MULTIPROC_DIR"


class CannotStart(Exception):
    """What stands in the way of a start, as lines for a person."""


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
