"""Looks for what would keep this app from working, one check after the other; each says what to do."""

import shutil
import socket
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.cautions import money_cautions
from app.deadline import within
from app.extensions import db
from app.settings import Settings
from services.account import ask_for_account
from services.client import Client
from services.public_reach import instance_at, reach
from services.tunnel import local_address
from services.upkeep.backlog import workers_seen
from services.upkeep.schema import migrations_behind, told

LEAST_FREE_BYTES = 100 * 1024 * 1024
MOST_SKEW_S = 5


class Finding(NamedTuple):
    """What one check found. state: ok, warning or failed."""

    name: str
    state: str
    message: str


def examine(settings: Settings, instance: str, client: Client) -> list[Finding]:
    """Return what every check found. instance: how this app's /healthz names itself."""
    return [
        _mode(settings),
        _account(settings, client),
        _database(),
        _clock(settings),
        _disk(settings),
        _callbacks(settings),
        _worker(),
        _dashboard(settings),
        *_money(settings),
        _port(settings, instance),
        _public(settings, instance),
    ]


def _mode(settings: Settings) -> Finding:
    if not (settings.at_username and settings.at_api_key):
        return Finding("settings", "warning", f"{settings.at_mode} mode, but AT_USERNAME or AT_API_KEY is not set")
    return Finding("settings", "ok", f"{settings.at_mode} mode, account {settings.at_username}")


def _account(settings: Settings, client: Client) -> Finding:
    if not (settings.at_username and settings.at_api_key):
        return Finding("account", "warning", "not asked for: AT_USERNAME or AT_API_KEY is not set")
    account = ask_for_account(client)
    where = settings.at_base_url or "Africa's Talking"
    if account.problem is None:
        return Finding("account", "ok", f"{settings.at_username} at {where}, balance {account.balance}")
    if settings.at_mode == "emulator" and not account.was_reached:
        return Finding("account", "warning", f"the emulator at {where} does not answer: invoke addresses will send nothing")
    return Finding("account", "failed", f"{where}: {account.problem}. Check AT_USERNAME, AT_API_KEY and the network")


def _database() -> Finding:
    try:
        behind = migrations_behind()
    except SQLAlchemyError as error:
        return Finding("database", "failed", f"out of reach: {str(getattr(error, 'orig', error)).splitlines()[0]}")
    if behind:
        return Finding(
            "database",
            "failed",
            f"{told(behind)}. Run: flask db upgrade (flask dev does this for you)",
        )
    return Finding("database", "ok", "at the newest migration")


def _clock(settings: Settings) -> Finding:
    if settings.uses_sqlite:
        return Finding("clock", "ok", "one machine, one clock")
    try:
        with within(2), db.engine.connect() as connection:
            skew_s = abs((connection.execute(text("SELECT now()")).scalar_one() - datetime.now(UTC)).total_seconds())
    except SQLAlchemyError:
        return Finding("clock", "warning", "the database did not tell its time")
    state = "ok" if skew_s <= MOST_SKEW_S else "failed"
    return Finding("clock", state, f"{skew_s:.1f} s from the database's" + ("" if state == "ok" else ": set both by NTP"))


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.instance_dir).free
    state = "ok" if free >= LEAST_FREE_BYTES else "failed"
    return Finding(
        "disk", state, f"{free // 1024**2} MB free where callbacks are kept" + ("" if state == "ok" else ": make room, 100 MB at least")
    )


def _callbacks(settings: Settings) -> Finding:
    if settings.callback_checks != "off" and (settings.callback_token or settings.webhook_secret):
        return Finding("callbacks", "ok", f"checked ({settings.callback_checks})")
    return Finding("callbacks", "warning", "not verified: set CALLBACK_TOKEN")


def _worker() -> Finding:
    try:
        with within(2), db.engine.connect() as connection:
            seen = workers_seen(connection, datetime.now(UTC))
    except SQLAlchemyError:
        return Finding("worker", "warning", "not known: the database does not answer")
    if seen.count:
        return Finding("worker", "ok", f"{seen.count} at work, seen {seen.seen_s_ago:.0f} s ago")
    ago = "yet" if seen.seen_s_ago is None else f"for {seen.seen_s_ago:.0f} s"
    return Finding("worker", "warning", f"no worker seen {ago}: start flask worker")


def _money(settings: Settings) -> list[Finding]:
    return [Finding("money", "warning", caution) for caution in money_cautions(settings)]


def _port(settings: Settings, instance: str) -> Finding:
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", settings.port)) != 0:
            return Finding("port", "ok", f"{settings.port} is free")
    if instance_at(local_address(settings)) == instance:
        return Finding("port", "ok", f"this app answers on {settings.port}")
    return Finding("port", "failed", f"{settings.port} is taken by another program. Set PORT, or: flask dev --port 9002")


def _public(settings: Settings, instance: str) -> Finding:
    found = reach(settings, instance)
    return Finding("public URL", {"none": "warning", "ours": "ok"}.get(found.state, "failed"), found.message)


def _dashboard(settings: Settings) -> Finding:
    if settings.dashboard_password:
        return Finding("dashboard", "ok", "asks for its password" + ("" if settings.is_live else ", but not on this machine"))
    if settings.is_live:
        return Finding("dashboard", "failed", "closed: live needs a password. Set DASHBOARD_PASSWORD (openssl rand -hex 16)")
    return Finding("dashboard", "ok", "open on this machine only; from elsewhere it needs a link: flask login-link")
