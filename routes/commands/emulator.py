"""flask phone and flask emulator: the emulator's own commands, told where it answers."""

import os
import sys

import click
from flask import current_app
from flask.cli import with_appcontext

from app.settings import ROOT, Settings

# Words, options and --help are read by the emulator itself.
_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True}
_words = click.argument("words", nargs=-1, type=click.UNPROCESSED)


@click.command("phone", context_settings=_PASSED_ON, add_help_option=False, short_help="Use an emulated phone: ussd, sms, call, answer.")
@_words
@with_appcontext
def phone(words: tuple[str, ...]) -> None:
    """Use an emulated phone: ussd, sms, call, answer.

    Example: flask phone ussd '*384*1234#' --answers 1,1
    """
    _become("phone", words)


@click.command(
    "emulator", context_settings=_PASSED_ON, add_help_option=False, short_help="Look into the emulator, and break things on purpose."
)
@_words
@with_appcontext
def emulator(words: tuple[str, ...]) -> None:
    """Look into the emulator, and break things on purpose: state, reset, set-fault, advance.

    Example: flask emulator set-fault duplicate=1
    """
    _become("control", words)


def _become(group: str, words: tuple[str, ...]) -> None:
    settings: Settings = current_app.config["POKEA"]
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "emulator", group, "--url", settings.emulator_url, *words])
