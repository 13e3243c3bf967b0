"""flask deliveries: each webhook on its way to each receiver."""

from typing import Any

import click

from app.errors import Invalid
from routes.api import read_moment
from routes.commands.database import DatabaseGroup
from routes.commands.output import as_json, show, talk
from routes.commands.webhooks import explained
from services.webhooks import past_deliveries, redelivery
from services.webhooks.endpoints import every

deliveries = DatabaseGroup("deliveries", help="Webhooks on their way.")


@deliveries.command("list")
@click.option("--endpoint", help="Only to this receiver: webhook_…")
@click.option("--state", type=click.Choice(past_deliveries.STATES), help="Only this state.")
@click.option("--limit", default=20, type=click.IntRange(1, 500), help="At most so many.")
@as_json
def list_deliveries(endpoint: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """Print the newest deliveries.

    Example: flask deliveries list --state dead
    """
    with explained():
        rows = past_deliveries.newest(limit, None, endpoint, state)
    show(as_json, rows, lambda: [_line(row) for row in rows])
    if not rows:
        talk("No deliveries. Send one: flask webhooks test webhook_…")


def _line(row: dict[str, Any]) -> str:
    tries = row["attempts"]
    last = (str(tries[-1]["status"] or tries[-1]["problem"]) if tries else "not tried yet")[:40]
    following = f"  next {row['nextTryAt'][:19].replace('T', ' ')}Z" if row["nextTryAt"] else ""
    number = f"try {tries[-1]['number']}" if tries else ""
    return f"{row['createdAt'][:19].replace('T', ' ')}Z  {row['event']:<21} {row['state']:<9} {number:<6} {last:<14} {row['id']}{following}"


@deliveries.command("show")
@click.argument("delivery_id")
@as_json
def show_delivery(delivery_id: str, as_json: bool) -> None:
    """Print one delivery with its attempts.

    Example: flask deliveries show dlv_01KF3Z0000000000000000000
    """
    with explained():
        row = past_deliveries.one(delivery_id)
    show(as_json, row, lambda: _lines(row))


def _lines(row: dict[str, Any]) -> list[str]:
    lines = [f"{name:<11} {value}" for name, value in row.items() if name != "attempts" and value is not None]
    for tried in row["attempts"]:
        outcome = tried["problem"] or f"{tried['status']} delivered"
        lines.append(f"try {tried['number']:<7} {tried['at'][:19].replace('T', ' ')}Z  {tried['ms']} ms  {outcome}")
        lines += [f"            {line}" for line in (tried["answer"] or "").splitlines()[:5]]
    return lines


@deliveries.command("resend")
@click.argument("delivery_ids", nargs=-1, required=True, metavar="ID…")
@as_json
def resend(delivery_ids: tuple[str, ...], as_json: bool) -> None:
    """Send deliveries again now, whatever became of them.

    Example: flask deliveries resend dlv_01KF3Z0000000000000000000
    """
    with explained():
        for delivery_id in delivery_ids:
            redelivery.retry(delivery_id)
    _tell(len(delivery_ids), as_json)


@deliveries.command("recover")
@click.option("--since", required=True, help="A time, or how long ago, as 2h.")
@click.option("--endpoint", help="Only to this receiver: webhook_…")
@click.option("--all", "is_all", is_flag=True, help="Also what was delivered, and what happened while a receiver was off.")
@as_json
def recover(since: str, endpoint: str | None, is_all: bool, as_json: bool) -> None:
    """Send again now what was not delivered since a time.

    Example: flask deliveries recover --since 2h
    """
    try:
        begin = read_moment(since, "since")
    except Invalid as error:
        raise click.UsageError(error.message.replace("'since'", "--since")) from error
    with explained():
        if is_all:
            wanted = [endpoint] if endpoint else [row.id for row in every() if row.is_active]
            count = sum(redelivery.replay(each, begin) for each in wanted)
        else:
            count = redelivery.recover(begin, endpoint)
    _tell(count, as_json)


def _tell(count: int, wants_json: bool) -> None:
    show(wants_json, {"queued": count}, lambda: [f"queued {count} resend{'' if count == 1 else 's'}"])
