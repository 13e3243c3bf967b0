"""python -m emulator: starts it, or uses one that runs."""

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import click

from emulator import create_app
from emulator.client import Control
from emulator.doers import DOERS
from emulator.doors import EVERYWHERE
from emulator.errors import Refused
from emulator.server import PortTaken, Server, first_free
from emulator.settings import Settings
from emulator.store import Store
from emulator.terminal import PhoneGroup, phone
from emulator.world import World

# Who waits for an application that does not answer is not waited for longer.
LAST_ANSWERS_S = 2.0
HERE = "http://127.0.0.1:9001"


def _named(_context: click.Context, _option: click.Parameter, value: str) -> str:
    # Nothing would stand for every address of this machine.
    if not value.strip():
        raise click.BadParameter("name an address, as 127.0.0.1")
    return value


@click.group(invoke_without_command=True)
@click.option("--port", type=click.IntRange(1, 65535), default=9001, show_default=True, help="Port; the next free one if it is taken.")
@click.option("--host", default="127.0.0.1", show_default=True, callback=_named, help="Address to listen on.")
@click.option("--app-url", default="http://127.0.0.1:9000", show_default=True, help="Your app, which gets the callbacks.")
@click.option("--token", default="", envvar="CALLBACK_TOKEN", help="Secret that the callback addresses end with (?token=).")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="File that keeps the state over a restart.")
@click.option("--ussd-code", default="*384*1234#", show_default=True, help="Code that the phones offer to dial.")
@click.option("--short-code", default="12345", show_default=True, help="Short code that the phones offer to write to.")
@click.option("--voice-number", default="+254711082000", show_default=True, help="Number that the phones offer to call.")
@click.option("--quiet", is_flag=True, help="Say nothing at the start.")
@click.pass_context
def main(ctx: click.Context, port: int, host: str, token: str, state: Path | None, quiet: bool, **addresses: str) -> None:
    """Africa's Talking on this machine: its API, its callbacks, and phones in the browser."""
    if ctx.invoked_subcommand:
        return
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    given = {**addresses, "token": token.split(",", maxsplit=1)[0].strip()}
    try:
        settings = Settings()
        settings.change(given)
        free = first_free(host, port, never=urlsplit(settings.app_url).port)
        world = World(DOERS, settings, f"http://{_reached_at(host)}:{free}")
        store, said = _kept(world, state) if state else (None, "")
        server = Server(host, free, create_app(world, host))
    except (Refused, PortTaken, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if free != port:
        click.echo(f"Port {port} is in use (maybe another emulator): this one takes {free}.", err=True)
    if said:
        click.echo(said, err=True)
    if world.state.faults:
        click.echo(f"The emulator breaks things on purpose: {', '.join(world.state.faults)} (set-fault NAME=off mends)", err=True)
    if not quiet:
        click.echo(f"Emulator of Africa's Talking at {world.own_url}/ (callbacks go to {settings.app_url}). Ctrl+C stops it.")
    _serve(server, world, store)


def _kept(world: World, path: Path) -> tuple[Store | None, str]:
    """Return what keeps the state, with what it says of the file it found; None where another emulator has that file."""
    try:
        store = Store(world, path)
    except BlockingIOError:
        return None, f"{path.name} is kept by another emulator that runs: this one begins as new, and keeps nothing."
    said = store.load()
    store.save()
    return store, said


def _reached_at(host: str) -> str:
    if host in EVERYWHERE:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _serve(server: Server, world: World, store: Store | None) -> None:
    """Serve until a signal comes, then write the state and end."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # From another thread: the server waits for its loop to end.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    world.timetable.start()
    if store:
        store.start()
    server.serve_forever()
    server.server_close()
    server.wait_until_answered(LAST_ANSWERS_S)
    world.timetable.stop()
    if store:
        store.stop()
    # Whoever is just being told something is not waited for: it is in the file as still to do.
    sys.stdout.flush()
    os._exit(0)


main.add_command(phone)


@main.group(cls=PhoneGroup)
@click.option("--url", default=HERE, show_default=True, envvar="EMULATOR_URL", help="Where the emulator answers.")
@click.pass_context
def control(ctx: click.Context, url: str) -> None:
    """Look into an emulator that runs, and change it."""
    ctx.obj = Control(url)


@control.command("reset")
@click.pass_obj
def reset(over: Control) -> None:
    """Make all as new."""
    over.reset()
    click.echo("emulator emptied")


@control.command("state")
@click.pass_obj
def state(over: Control) -> None:
    """Show phones, faults and the clock, as JSON."""
    parts = {name: over.ask("GET", f"/{name}") for name in ("phones", "faults", "clock")}
    whole = {"phones": parts["phones"]["phones"], "faults": parts["faults"]["faults"], "clock": parts["clock"]}
    click.echo(json.dumps(whole, ensure_ascii=False, indent=2))


@control.command("set-fault")
@click.argument("faults", nargs=-1, required=True, metavar="NAME[=VALUE]…")
@click.pass_obj
def set_fault(over: Control, faults: tuple[str, ...]) -> None:
    """Break something on purpose, or mend it.

    Example: set-fault duplicate=1 slow=5, and set-fault duplicate=off
    """
    wanted = {name: _value(value, bool(mark)) for name, mark, value in (one.partition("=") for one in faults)}
    on = over.faults(**wanted)["faults"]
    click.echo("on: " + (", ".join(f"{name}={value}" for name, value in on.items()) or "nothing"))


@control.command("advance")
@click.argument("seconds", type=click.FloatRange(0, 34_560_000))
@click.pass_obj
def advance(over: Control, seconds: float) -> None:
    """Move the clock on; what is due on the way happens."""
    click.echo(over.clock(advance=seconds)["now"])


def _value(text: str, is_given: bool) -> object:
    if text in ("on", "true") or not is_given:
        return True
    if text in ("off", "false", "0"):
        return False
    try:
        return json.loads(text)
    except ValueError:
        return text
