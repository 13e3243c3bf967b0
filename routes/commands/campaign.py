"""flask campaign: one message, or one call, to many."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
from flask import current_app

from app.errors import GatewayError, StorageUnavailable
from app.schemas.bodies import clean
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, show, talk
from services import campaigns

campaign = DatabaseGroup("campaign", help="One message, or one call, to many.")
POLL_S = 0.5
MEANT = {"sent": "treat_as_sent", "again": "send_again"}
yes = click.option("--yes", is_flag=True, help="Do not ask in live mode.")
campaign_id = click.argument("campaign_id", callback=lambda _context, _parameter, text: clean(text))


def _asked(command: Callable) -> Callable:
    for option in (
        click.option("--sender", help="Sender of messages, or number that calls come from."),
        click.option("--rate", help="Recipients a second; CAMPAIGN_RATE when left out."),
        click.option("--quiet", help="Local times without calls and messages, as 20:00-08:00."),
        click.option("--send-at", help="Not before, as 2026-03-04T10:30:00Z."),
        click.option("--message", help="The text, with {columns} of the file in braces."),
        click.option("--channel", default="sms", show_default=True, help="sms or voice."),
        click.argument("file", type=click.File("rb")),
    ):
        command = option(command)
    return command


def _tried(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except StorageUnavailable:
        raise
    except GatewayError as error:
        raise click.ClickException(error.message) from error


def _read(file: Any, name: str, asked: dict[str, Any]) -> tuple[campaigns.Asked, list[campaigns.Listed]]:
    wanted = {"name": name, "quiet_hours": asked.pop("quiet"), **asked}
    return _tried(lambda: (campaigns.read_asked(wanted), campaigns.from_csv(file.read())))


@campaign.command("create")
@_asked
@click.option("--name", required=True, help="What it is called.")
@click.option("--start", is_flag=True, help="Start it at once.")
@yes
@as_json
def create(file: Any, name: str, start: bool, yes: bool, as_json: bool, **asked: Any) -> None:
    """Make a campaign of a CSV with a column phone.

    Example: flask campaign create members.csv --name "March news" --message "Hi {name}, we open on Monday."
    """
    wanted, recipients = _read(file, name, asked)
    made = _tried(lambda: campaigns.create(wanted, recipients))
    told = campaigns.one(made)
    show(as_json, told, lambda: [*_preview_lines(told["preview"]), f"{made} {told['state']}"])
    if start:
        _started(told, yes)
        talk(f"{made} is running. See: flask campaign watch {made}")
    else:
        talk(f"Start it with: flask campaign start {made}")


@campaign.command("preview")
@_asked
@as_json
def preview(file: Any, as_json: bool, **asked: Any) -> None:
    """Say what a campaign of a CSV would be; keep and send nothing.

    Example: flask campaign preview members.csv --message "Hi {name}, we open on Monday."
    """
    before = _tried(lambda: campaigns.rehearse(*_read(file, "preview", asked)))
    show(as_json, before, lambda: _preview_lines(before))


@campaign.command("list")
@click.option("--state", help="Only this state.")
@click.option("--limit", default=20, type=click.IntRange(1, 500), help="At most so many.")
@as_json
def list_campaigns(state: str | None, limit: int, as_json: bool) -> None:
    """Print the newest campaigns.

    Example: flask campaign list --state running
    """
    rows, _ = _tried(lambda: campaigns.listed(state, None, limit))
    show(as_json, rows, lambda: [f"{row['created_at'][:19]}Z  {row['campaignId']}  {_line(row)}  {row['name']}" for row in rows])
    if not rows:
        talk("No campaigns. Make one: flask campaign create FILE.csv --name NAME --message TEXT")


@campaign.command("status")
@campaign_id
@as_json
def status(campaign_id: str, as_json: bool) -> None:
    """Print how far a campaign is.

    Example: flask campaign status cmp_01KF3Z0000000000000000000
    """
    told = _tried(lambda: campaigns.one(campaign_id))
    show(as_json, told, lambda: _status_lines(told))
    if told["totals"]["unknown"]:
        number = next((str(batch["number"]) for batch in campaigns.batches(campaign_id, "unknown", None, 1)[0]), "NUMBER")
        talk(f"Some is unknown. Choose: flask campaign settle {campaign_id} {number} --as sent --by NAME")


@campaign.command("start")
@campaign_id
@click.option("--watch", is_flag=True, help="Show how far it is until it is over.")
@yes
@as_json
def start(campaign_id: str, watch: bool, yes: bool, as_json: bool) -> None:
    """Start a campaign. flask worker sends it.

    Example: flask campaign start cmp_01KF3Z0000000000000000000 --watch
    """
    _started(_tried(lambda: campaigns.one(campaign_id)), yes)
    _after(campaign_id, watch, as_json)


@campaign.command("pause")
@campaign_id
@as_json
def pause(campaign_id: str, as_json: bool) -> None:
    """Hold a campaign back: no further batch goes.

    Example: flask campaign pause cmp_01KF3Z0000000000000000000
    """
    _tried(lambda: campaigns.pause(campaign_id))
    _after(campaign_id, False, as_json)


@campaign.command("resume")
@campaign_id
@click.option("--watch", is_flag=True, help="Show how far it is until it is over.")
@yes
@as_json
def resume(campaign_id: str, watch: bool, yes: bool, as_json: bool) -> None:
    """Let a paused campaign go on with those who were not called upon yet.

    Example: flask campaign resume cmp_01KF3Z0000000000000000000
    """
    _ask(_tried(lambda: campaigns.one(campaign_id)), yes)
    _tried(lambda: campaigns.resume(campaign_id))
    _after(campaign_id, watch, as_json)


@campaign.command("cancel")
@campaign_id
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def cancel(campaign_id: str, yes: bool, as_json: bool) -> None:
    """End a campaign for good.

    Example: flask campaign cancel cmp_01KF3Z0000000000000000000
    """
    waiting = _tried(lambda: campaigns.one(campaign_id))["totals"]["created"]
    if not yes:
        click.confirm(f"{waiting} recipients that wait will never be called upon. Continue?", abort=True, err=True)
    _tried(lambda: campaigns.cancel(campaign_id))
    _after(campaign_id, False, as_json)


@campaign.command("settle")
@campaign_id
@click.argument("number", type=int)
@click.option("--as", "choice", required=True, type=click.Choice(["sent", "again"]), help="again: some may get it twice.")
@click.option("--by", required=True, help="Who chooses.")
@click.option("--note", default="", help="Why.")
@yes
@as_json
def settle(campaign_id: str, number: int, choice: str, by: str, note: str, yes: bool, as_json: bool) -> None:
    """Choose what to do about those of a batch whose end nobody knows.

    Example: flask campaign settle cmp_01KF3Z0000000000000000000 7 --as sent --by Amina
    """
    if choice == "again":
        _ask(_tried(lambda: campaigns.one(campaign_id)), yes, "unknown")
    meant = MEANT[choice]
    again = _tried(lambda: campaigns.settle(campaign_id, number, meant, by, note))
    told = {"campaignId": campaign_id, "batch": number, "choice": meant, "sent_again_as": again}
    show(as_json, told, lambda: [f"batch {number} is sent again as batch {again}" if again else f"batch {number} counts as sent"])


@campaign.command("watch")
@campaign_id
@as_json
def watch(campaign_id: str, as_json: bool) -> None:
    """Show how far a campaign is until it is over, or pauses.

    Example: flask campaign watch cmp_01KF3Z0000000000000000000
    """
    _after(campaign_id, True, as_json)


def _started(told: dict[str, Any], yes: bool) -> None:
    _ask(told, yes)
    _tried(lambda: campaigns.start(told["campaignId"]))


def _ask(told: dict[str, Any], yes: bool, state: str = "created") -> None:
    settings = current_app.config["POKEA"]
    if settings.is_live and not yes:
        what = "calls" if told["channel"] == "voice" else "SMS"
        count = told["totals"][state]
        click.confirm(f"LIVE account '{settings.at_username}': this sends real {what} to {count} numbers. Continue?", abort=True, err=True)


def _after(campaign_id: str, watches: bool, wants_json: bool) -> None:
    told = _watched(campaign_id) if watches else _tried(lambda: campaigns.one(campaign_id))
    show(wants_json, told, lambda: [_counts(told)] if watches else [f"{campaign_id} {told['state']}"])
    if told["paused_because"]:
        talk(f"Paused: {told['paused_because']}")
    if watches and told["state"] in ("paused", "cancelled"):
        raise SystemExit(1)


def _watched(campaign_id: str) -> dict[str, Any]:
    """Show a bar until the campaign is over or pauses, and return how it is then."""
    told: dict[str, Any] = _tried(lambda: campaigns.one(campaign_id))
    with click.progressbar(length=told["totals"]["total"] or 1, label=told["name"][:30], file=sys.stderr) as bar:
        for told in _looks(campaign_id):
            bar.update(told["progress"]["done"] - bar.pos)
    return told


def _looks(campaign_id: str) -> Iterator[dict[str, Any]]:
    while True:
        told = _tried(lambda: campaigns.one(campaign_id))
        yield told
        if told["state"] != "running":
            return
        time.sleep(POLL_S)


def _counts(told: dict[str, Any]) -> str:
    counts = told["totals"]
    others = [f"{counts[state]} {state}" for state in ("refused", "unknown", "skipped", "cancelled") if counts[state]]
    return ", ".join([f"{counts['accepted']}/{counts['total']} accepted", *others])


def _line(told: dict[str, Any]) -> str:
    return f"{told['state']:<9} {told['channel']:<5} {_counts(told)}"


def _status_lines(told: dict[str, Any]) -> list[str]:
    rows = {
        "name": told["name"], "state": told["state"], "because": told["paused_because"], "done": f"{told['progress']['percent']} %",
        "recipients": _counts(told), "not before": told["send_at"], "started": told["started_at"], "ended": told["ended_at"],
        "next batch": told["next_batch"] and f"{told['next_batch']['number']} at {told['next_batch']['at']}",
        "quiet until": ", ".join(f"{country} {ends}" for country, ends in told["quiet"].items()),
    }  # fmt: skip
    return [f"{name:<12} {value}" for name, value in rows.items() if value]


def _preview_lines(before: dict[str, Any]) -> list[str]:
    parts, cost = before["parts"], before["estimated_cost"]
    rows = {
        "recipients": str(before["recipients"]),
        "left out": ", ".join(
            f"{count} {what}"
            for what, count in (
                ("not numbers", before["invalid_count"]),
                ("repeated", before["repeated"]),
                ("opted out", before["opted_out"]),
            )
            if count
        ),
        "parts": parts and (str(parts["min"]) if parts["min"] == parts["max"] else f"{parts['min']} to {parts['max']}"),
        "encoding": before["encoding"],
        "note": before["warning"],
        "about": cost and ", ".join(f"{amount} {currency}" for currency, amount in cost.items()),
        "takes": f"{before['duration_s']} s in {before['batches']} batches",
        "refused now": before["refused"],
    }
    wrong = [f"row {one['row']:<8} {one['why']}" for one in before["invalid"]]
    return [
        *(f"{name:<12} {value}" for name, value in rows.items() if value),
        *(f"example      {text}" for text in before["first_texts"]),
        *wrong,
    ]
