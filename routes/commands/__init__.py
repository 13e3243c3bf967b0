"""The flask commands, one file per subject."""

import click
from flask import Flask

from app.config import refuse_public_debugger
from routes.commands.callbacks import callbacks
from routes.commands.dev import dev
from routes.commands.doctor import doctor
from routes.commands.emulator import emulator, phone
from routes.commands.invocations import invocations
from routes.commands.keys import keys
from routes.commands.send import send
from routes.commands.trigger import trigger
from routes.commands.urls import urls


def init_app(app: Flask) -> None:
    """Register every command, in alphabetical order, and keep `flask run` from showing its debugger to the world."""
    for command in (callbacks, dev, doctor, emulator, invocations, keys, phone, send, trigger, urls):
        app.cli.add_command(command)
    running = click.get_current_context(silent=True)
    if running is not None and running.info_name == "run":
        refuse_public_debugger(running.params.get("host", ""))
