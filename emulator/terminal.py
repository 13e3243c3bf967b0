"""A phone in the terminal: scripted by options, or interactive."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import click
import requests

from emulator.client import Answered, Control

PHONE = "+254711000000"
POLL_S = 0.1
Say = Callable[[str], None]
RINGS_FOR_S = 60.0
# Without a person at a terminal, nobody else would end a call that waits in a queue.
SILENCE_S = 60.0


class PhoneGroup(click.Group):
    """Commands that talk to an emulator: one that does not answer, or refuses, is told in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Answered as refused:
            raise click.ClickException(str(refused)) from refused
        except requests.RequestException as error:
            url = ctx.find_object(Control).url  # type: ignore[union-attr]
            raise click.ClickException(f"Nothing answers at {url}. Start the emulator with: make run, or python -m emulator") from error


@click.group(cls=PhoneGroup)
@click.option("--url", default="http://127.0.0.1:9001", show_default=True, envvar="EMULATOR_URL", help="Where the emulator answers.")
@click.pass_context
def phone(ctx: click.Context, url: str) -> None:
    """Use an emulated phone."""
    ctx.obj = Control(url)


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end, nothing else.")
from_phone = click.option("--from", "number", default=PHONE, show_default=True, help="The phone.")


@phone.command("ussd")
@click.argument("code")
@from_phone
@click.option("--answers", help="What is typed, by comma; without it you are asked.")
@as_json
@click.pass_obj
def ussd(control: Control, code: str, number: str, answers: str | None, as_json: bool) -> None:
    """Dial a USSD code and answer its screens. Exits with 1 when the session failed.

    Example: phone ussd '*384*1234#' --answers 1,1
    """
    say = _quiet if as_json else click.echo
    typed = _typed(answers, "answer")
    screen = control.dial(number, code)
    say(f"{number} dials {code}")
    say(_screen(screen))
    while screen["open"]:
        text = next(typed, None)
        if text is None:
            screen = control.cancel(number, screen["session"])
            say("(left by the caller)")
            break
        say(f"> {text}")
        screen = control.reply(number, screen["session"], text)
        say(_screen(screen))
    _finish(as_json, screen, screen["status"] == "Failed")


@phone.command("sms")
@click.argument("text")
@click.option("--to", required=True, help="Short code, number or name of the account.")
@from_phone
@click.option("--link-id", help="linkId of the message; unset: a fresh one.")
@click.option("--wait", default=2.0, show_default=True, help="Seconds to wait for an answer.")
@as_json
@click.pass_obj
def sms(control: Control, text: str, to: str, number: str, link_id: str | None, wait: float, as_json: bool) -> None:
    """Send a message to the account, and show what comes back.

    Example: phone sms STOP --to 12345
    """
    say = _quiet if as_json else click.echo
    known = {message["id"] for message in control.messages(number)}
    last = control.ask("GET", "/log")["newest"]
    sent = control.text(number, to, text, link_id)
    say(f"{number} > {to}: {text}")
    ends = time.monotonic() + wait
    got: list[dict[str, Any]] = []
    while not got and time.monotonic() < ends:
        time.sleep(POLL_S)
        got = [one for one in control.messages(number) if one["direction"] == "in" and one["on_phone"] and one["id"] not in known]
    for message in got:
        say(f"{number} < {message['from']}: {message['text']}")
    entries = [entry for entry in control.log(last) if entry["kind"] == "sms.incoming_message" and entry["phone"] == number]
    told = entries[-1] if entries else {"status": None, "explanation": "your app did not answer yet"}
    say(f"your app answered {told['status']}" if told["status"] else told["explanation"])
    _finish(as_json, {**sent, "answers": got, "told": told}, told["status"] != 200)


def _in_a_call(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.pass_obj,
        as_json,
        click.option("--record", default=3.0, show_default=True, help="Seconds that you speak into a recording."),
        click.option("--press", help="What is pressed at each question, by comma; without it you are asked."),
        from_phone,
    ):
        command = option(command)
    return command


@phone.command("call")
@click.argument("to")
@_in_a_call
def call(control: Control, to: str, number: str, press: str | None, record: float, as_json: bool) -> None:
    """Call the account's number. Exits with 1 when the call failed.

    Example: phone call +254711082001 --press 1
    """
    made = control.call(number, to)
    (_quiet if as_json else click.echo)(f"{number} calls {to}")
    _talk(control, made, number, press, record, as_json)


@phone.command("hangup")
@from_phone
@click.pass_obj
def hangup(control: Control, number: str) -> None:
    """Hang up whatever call a phone is in.

    Example: phone hangup --from +254711000017
    """
    running = [one for one in control.phone(number)["calls"] if one["leg_state"] != "ended"]
    if not running:
        raise click.ClickException(f"{number} is in no call")
    for one in running:
        control.act(one["call"], "hangup", phone=number)
    click.echo(f"{number} hung up")


@phone.command("answer")
@_in_a_call
def answer(control: Control, number: str, press: str | None, record: float, as_json: bool) -> None:
    """Wait for a call and answer it.

    Example: phone answer --from +254711000017 --press 1
    """
    ends = time.monotonic() + RINGS_FOR_S
    while not (ringing := [one for one in control.phone(number)["calls"] if one["leg_state"] == "ringing"]):
        if time.monotonic() > ends:
            raise click.ClickException(f"Nobody called {number} within {RINGS_FOR_S:g} s")
        time.sleep(POLL_S)
    (_quiet if as_json else click.echo)(f"{ringing[0]['with']} calls {number}")
    call = control.act(ringing[0]["call"], "answer", phone=number)
    _talk(control, _seen_by(control, call, number), number, press, record, as_json)


def _talk(control: Control, call: dict[str, Any], number: str, press: str | None, record: float, as_json: bool) -> None:
    """Follow a call until it is over, and do what it asks for. Ctrl+C hangs up."""
    say = _quiet if as_json else click.echo
    typed = _typed(press, "press")
    told, quiet_since = 0, time.monotonic()
    while True:
        try:
            call = _seen_by(control, call, number)
            lines = _lines(call)
            for line in lines[told:]:
                say(f"  {line}")
                quiet_since = time.monotonic()
            told = len(lines)
            if call["state"] == "ended" or call.get("leg_state") == "ended":
                break
            if time.monotonic() - quiet_since > SILENCE_S and not sys.stdin.isatty():
                _hang_up(control, call, say, "after a long silence")
            else:
                _go_on(control, call, typed, record, say)
        except KeyboardInterrupt:
            _hang_up(control, call, say, "by the caller")
    why = "; ".join([call["why"]] if call["why"] else call["notes"])
    say(f"ended: {call['hangup_cause']}, {call['duration']} s, {call['amount']}" + (f": {why}" if why else ""))
    _finish(as_json, call, bool(call["why"]))


def _seen_by(control: Control, call: dict[str, Any], number: str) -> dict[str, Any]:
    """Return a call as one phone has it."""
    seen = [one for one in control.phone(number)["calls"] if one["call"] == call["call"]]
    return seen[0] if seen else call


def _lines(call: dict[str, Any]) -> list[str]:
    """Return what is heard, and for the person who called also whose phones ring for them."""
    if call.get("role") in ("dialled", "transferred"):
        return list(call["heard"])
    shown = {"Ringing": "(rings: {})", "Not reached": "(not reached: {})", "Not answered": "(not answered: {})"}
    steps = [step for step in call["steps"] if step["text"] in call["heard"] or (call["legs"][1:] and step["what"] in shown)]
    return [shown[step["what"]].format(step["text"]) if step["what"] in shown else step["text"] for step in steps]


def _go_on(control: Control, call: dict[str, Any], typed: Iterator[str], record: float, say: Say) -> None:
    """Do what a call waits for, or wait a moment."""
    if call["waiting_for"] == "digits":
        keys = next(typed, None)
        if keys:
            say(f"> {keys}")
            control.act(call["call"], "digits", digits=keys)
        else:
            _hang_up(control, call, say, "by the caller")
    elif call["waiting_for"] == "record":
        say(f"> (speaks for {record:g} s)")
        is_terminal = not call["asked"]
        control.act(call["call"], "record", seconds=record)
        if is_terminal:
            _hang_up(control, call, say, "by the caller")
    else:
        time.sleep(POLL_S)


def _hang_up(control: Control, call: dict[str, Any], say: Say, why: str) -> None:
    say(f"(hung up {why})")
    with suppress(Answered):
        # It may be over in this moment.
        control.act(call["call"], "hangup")


def _typed(script: str | None, what: str) -> Iterator[str]:
    """Give what a person types: the script's parts, else, in a terminal, what is typed there; then no more."""
    if script is not None:
        yield from (part.strip() for part in script.split(","))
        return
    while sys.stdin.isatty():
        yield click.prompt(what, prompt_suffix="> ", default="", show_default=False)


def _screen(screen: dict[str, Any]) -> str:
    lines = [f"  {line}" for line in screen["screen"].splitlines()]
    return "\n".join([*lines, *([f"  ({screen['why']})"] if screen["why"] else [])])


def _quiet(_line: object) -> None:
    """Say nothing: only the JSON is wanted."""


def _finish(wants_json: bool, data: dict[str, Any], has_failed: bool) -> None:
    if wants_json:
        click.echo(json.dumps(data, ensure_ascii=False))
    if has_failed:
        raise SystemExit(1)
