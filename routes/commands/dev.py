"""flask dev: everything for one developer, from one command."""

import json
import os
import socket
import sys

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade

from app import VERSION
from app.config import CannotStart, Settings, cautions, child_environment, money_cautions, refuse_public_debugger
from app.reach import check_database
from routes.home import PRODUCTS
from services.tunnel import public_address

MEANING = {"emulator": "nothing leaves this machine", "sandbox": "Africa's Talking's sandbox", "live": "money moves"}


@click.command("dev")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the web process; PORT, else 9000.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--open", "open_browser", is_flag=True, help="Open the app in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the banner and every log line as JSON.")
@with_appcontext
def dev(port: int | None, host: str, open_browser: bool, as_json: bool) -> None:
    """Bring the database up to date and run the app, with a line for every callback.

    Example: flask dev --port 9002
    """
    settings: Settings = current_app.config["POKEA"]
    port = port or settings.port
    try:
        refuse_public_debugger(host)
        check_database(settings)
    except CannotStart as reason:
        raise click.ClickException(str(reason)) from reason
    _insist_on_free(host, port)
    upgrade()
    click.echo(json.dumps(_facts(settings, port)) if as_json else _banner(settings, port))
    if open_browser:
        click.launch(f"http://localhost:{port}/")
    sys.stdout.flush()
    extra = {"LOG_FORMAT": "json"} if as_json else {}
    environment = child_environment(TRUSTED_PROXIES="1") | {"PORT": str(port)} | extra
    # The web process takes this one's place: one stream of lines, and Ctrl+C reaches it.
    arguments = ["--bind", f"{host}:{port}", "--workers", "1", "--access-logfile", "/dev/null", "--log-level", "error"]
    os.execve(sys.executable, [sys.executable, "-m", "gunicorn", *arguments], environment)


def _insist_on_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(f"Port {port} is in use (maybe another 'flask dev'). Try: flask dev --port {port + 2}") from error


def _facts(settings: Settings, port: int) -> dict[str, object]:
    public = public_address(settings)
    return {
        "version": VERSION,
        "mode": settings.at_mode,
        "url": f"http://localhost:{port}",
        "services": [f"/api/{product}" for product in PRODUCTS],
        "public_url": public.url or None,
        "warnings": [*cautions(settings), *money_cautions(settings)],
    }


def _banner(settings: Settings, port: int) -> str:
    public = public_address(settings)
    keys = (
        ""
        if settings.at_mode != "emulator"
        else "Keys        AT_API_KEY not set: emulator mode. Copy .env.example to .env for the sandbox or live.\n  "
    )
    callbacks = "".join(f"Callbacks   {caution}\n  " for caution in cautions(settings))
    calls = "" if settings.at_base_url in ("", settings.emulator_url) else f"Calls go to {settings.at_base_url} (AT_BASE_URL)\n  "
    callbacks += "".join(f"Money       {caution}\n  " for caution in money_cautions(settings))
    return f"""
  Pokea {VERSION}                    mode: {settings.at_mode.upper()} ({MEANING[settings.at_mode]})

  App         http://localhost:{port}/
  Services    {"  ".join(f"/api/{product}" for product in PRODUCTS)}
  Public URL  {public.url or f"none yet. Start one:  ngrok http {port}"}
  {callbacks}{calls}{keys}
  Waiting for callbacks. Make one:  flask trigger sms.incoming_message        (Ctrl+C to stop)
"""
