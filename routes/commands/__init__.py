"""The flask commands, one file per subject."""

import click
from flask import Flask

from app.config import refuse_public_debugger
from routes.commands.callbacks import callbacks
from routes.commands.campaign import campaign
from routes.commands.deliveries import deliveries
from routes.commands.dev import dev
from routes.commands.doctor import doctor
from routes.commands.emulator import emulator, phone
from routes.commands.fixtures import fixtures
from routes.commands.invocations import invocations
from routes.commands.keys import keys
from routes.commands.listen import listen
from routes.commands.login_link import login_link
from routes.commands.openapi import openapi
from routes.commands.opt_outs import opt_outs
from routes.commands.prune import prune
from routes.commands.pull import pull_messages
from routes.commands.reactions import reactions
from routes.commands.send import send
from routes.commands.sign import sign
from routes.commands.spend import spend
from routes.commands.trigger import trigger
from routes.commands.urls import urls
from routes.commands.webhooks import webhooks
from routes.commands.worker import worker

COMMANDS = (
    callbacks, campaign, deliveries, dev, doctor, emulator, fixtures, invocations, keys, listen, login_link, openapi, opt_outs,
    phone, prune, pull_messages, reactions, send, sign, spend, trigger, urls, webhooks, worker,
)  # fmt: skip


def init_app(app: Flask) -> None:
    """Register every command, in alphabetical order, and keep `flask run` from showing its debugger to the world."""
    for command in COMMANDS:
        app.cli.add_command(command)
    running = click.get_current_context(silent=True)
    if running is not None and running.info_name == "run":
        refuse_public_debugger(running.params.get("host", ""))
