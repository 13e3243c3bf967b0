"""flask dev: everything for one developer, from one command."""

import json
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade

from app import VERSION
from app.cautions import cautions, money_cautions
from app.config import CannotStart, child_environment, refuse_public_debugger
from app.reach import check_database
from app.settings import ROOT, Settings
from routes.commands.children import Child, run_together
from routes.home import PRODUCTS
from services.tunnel import public_address

MEANING = {"emulator": "nothing leaves this machine", "sandbox": "Africa's Talking's sandbox", "live": "money moves"}


# Code that the web process is made of
WATCHED = tuple(ROOT / folder for folder in ("app", "services", "routes", "flows"))
# Ports above its own where the emulator looks for a free one
MOST_PORTS = 50
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104


@click.command("dev")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the web process; PORT, else 9000.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--no-emulator", is_flag=True, help="Do not start the emulator, which is started in emulator mode only.")
@click.option("--open", "open_browser", is_flag=True, help="Open the app in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the banner and every log line as JSON.")
@with_appcontext
def dev(port: int | None, host: str, no_emulator: bool, open_browser: bool, as_json: bool) -> None:
    """Bring the database up to date and run the app, its worker and the emulator, with a line for every callback.

    Example: flask dev --port 9002
    """
    settings: Settings = current_app.config["POKEA"]
    port = port or settings.port
    try:
        refuse_public_debugger(host)
        check_database(settings)
    except CannotStart as reason:
        raise click.ClickException(str(reason)) from reason
    if not _is_free(host, port):
        raise click.ClickException(f"Port {port} is in use (maybe another 'flask dev'). Try: flask dev --port {port + 2}")
    emulator_url = "" if no_emulator else _place_for_emulator(settings, port)
    upgrade()
    click.echo(json.dumps(_facts(settings, port, emulator_url)) if as_json else _banner(settings, port, emulator_url, not no_emulator))
    if open_browser:
        click.launch(f"http://localhost:{port}/")
    sys.stdout.flush()
    reloads = settings.flask_env == "development"
    environment = _environment(port, emulator_url, as_json)
    children = [_web(host, port, environment, reloads), _worker(environment, reloads)]
    if emulator_url:
        children.append(_emulator(settings, host, port, emulator_url))
    raise SystemExit(run_together(children))


def _environment(port: int, emulator_url: str, as_json: bool) -> dict[str, str]:
    environment = child_environment(TRUSTED_PROXIES="1") | {"PORT": str(port)} | ({"LOG_FORMAT": "json"} if as_json else {})
    if emulator_url:
        # The base address, too: it may be set to where the emulator was meant to be.
        environment |= {"EMULATOR_URL": emulator_url, "AT_BASE_URL": emulator_url}
    return environment


def _web(host: str, port: int, environment: dict[str, str], reloads: bool) -> Child:
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    arguments = ["--bind", bind, "--workers", "1", "--access-logfile", "/dev/null", "--log-level", "error"]
    return Child("web process", [sys.executable, "-m", "gunicorn", *arguments], environment, WATCHED if reloads else ())


def _worker(environment: dict[str, str], reloads: bool) -> Child:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker", "--quiet"]
    return Child("worker", command, environment, WATCHED if reloads else (), is_restarted=reloads)


def _emulator(settings: Settings, host: str, port: int, url: str) -> Child:
    reached_at = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    options = {
        "--port": str(urlsplit(url).port),
        "--app-url": f"http://{reached_at}:{port}",
        "--state": str(_beside_database(settings) / "emulator.json"),
        "--ussd-code": settings.at_ussd_code,
        "--short-code": settings.at_shortcode,
        "--voice-number": settings.at_voice_number,
    }
    words = [word for option in options.items() for word in option]
    # Not an argument: those can be read by everybody on this machine.
    environment = child_environment() | {"CALLBACK_TOKEN": next(iter(settings.callback_token), "")}
    return Child("emulator", [sys.executable, "-m", "emulator", "--quiet", *words], environment)


def _beside_database(settings: Settings) -> Path:
    """Return the folder that what belongs to this database is kept in."""
    return Path(settings.database_url.removeprefix("sqlite:///")).parent if settings.uses_sqlite else settings.instance_dir


def _place_for_emulator(settings: Settings, port: int) -> str:
    """Return the address where the emulator will answer: the one of the settings, or with the next free port; "" for none."""
    parts = urlsplit(settings.emulator_url)
    is_here = parts.hostname in ("localhost", "127.0.0.1") and parts.scheme == "http"
    if settings.at_mode != "emulator" or settings.at_base_url != settings.emulator_url or not is_here:
        return ""
    wanted = parts.port or 80
    for candidate in range(wanted, min(wanted + MOST_PORTS, 65536)):
        if candidate != port and _is_free("127.0.0.1", candidate):
            return f"http://127.0.0.1:{candidate}"
    raise click.ClickException(f"Ports {wanted} to {wanted + MOST_PORTS - 1} are all in use. Set EMULATOR_URL, or: flask dev --no-emulator")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _facts(settings: Settings, port: int, emulator_url: str) -> dict[str, object]:
    public = public_address(settings)
    return {
        "version": VERSION,
        "mode": settings.at_mode,
        "url": f"http://localhost:{port}",
        "dashboard": f"http://localhost:{port}/dashboard",
        "docs": f"http://localhost:{port}/docs",
        "phone": f"{emulator_url}/" if emulator_url else None,
        "services": [f"/api/{product}" for product in PRODUCTS],
        "public_url": public.url or None,
        "warnings": [*cautions(settings), *money_cautions(settings)],
    }


def _banner(settings: Settings, port: int, emulator_url: str, is_wanted: bool) -> str:
    public = public_address(settings)
    keys = (
        ""
        if settings.at_mode != "emulator"
        else "Keys        AT_API_KEY not set: using the emulator. Copy .env.example to .env for the sandbox or live.\n  "
    )
    needs_link = public.url and not settings.dashboard_password
    sign_in = "Sign in     flask login-link   (for the dashboard through the tunnel)\n  " if needs_link else ""
    callbacks = "".join(f"Callbacks   {caution}\n  " for caution in cautions(settings))
    calls = "" if settings.at_base_url in ("", settings.emulator_url) else f"Calls go to {settings.at_base_url} (AT_BASE_URL)\n  "
    untold = untold_elsewhere(settings, port=port, emulator_url=emulator_url or settings.emulator_url)
    commands = f"Commands    in other terminals need:  export {' '.join(untold)}\n  " if untold else ""
    callbacks += "".join(f"Money       {caution}\n  " for caution in money_cautions(settings))
    return f"""
  Pokea {VERSION}                    mode: {settings.at_mode.upper()} ({MEANING[settings.at_mode]})

  Dashboard   http://localhost:{port}/dashboard
  {_phone(settings, emulator_url, is_wanted)}API docs    http://localhost:{port}/docs
  Services    {"  ".join(f"/api/{product}" for product in PRODUCTS)}
  Public URL  {public.url or f"none yet. Start one:  ngrok http {port}"}
  {sign_in}{callbacks}{calls}{keys}{commands}
  Waiting for callbacks. Make one:  flask trigger sms.incoming_message        (Ctrl+C to stop)
"""


def untold_elsewhere(settings: Settings, **used: Any) -> list[str]:
    """Return the settings, as NAME=value, that commands in other terminals do not have as they are used here.

    Theirs are those of .env, else the defaults.
    """
    found = []
    for name, value in used.items():
        is_of_this_terminal = "environment" in settings.sources.get(name, "")
        if value != getattr(Settings if is_of_this_terminal else settings, name):
            found.append(f"{name.upper()}={value}")
    return found


def _phone(settings: Settings, url: str, is_wanted: bool) -> str:
    if not url and settings.at_mode == "emulator" and is_wanted:
        return f"Phone       not started here: calls go to {settings.at_base_url}\n  "
    if not url:
        return ""
    line = f"Phone       {url.replace('127.0.0.1', 'localhost')}/               dial {settings.at_ussd_code} to try USSD\n  "
    if url == settings.emulator_url.replace("localhost", "127.0.0.1"):
        return line
    taken = f"            (port {urlsplit(settings.emulator_url).port} is in use; in other terminals: export EMULATOR_URL={url})\n  "
    return line + taken
