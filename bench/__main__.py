"""Measures what README's table of numbers says. Variants run in turn; only ratios inside one run count."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from sqlalchemy import create_engine, make_url, text

from bench.calls import FAR_S, measure
from bench.cpu import cpu_ratio, import_seconds
from bench.load import CONNECTIONS, Variant
from bench.pages import measure as measure_pages
from bench.servers import migrate, running
from bench.webhooks import measure as measure_webhooks

POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="length of one variant's turn")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("The load generator wrk is missing. Debian and Ubuntu: apt-get install wrk. macOS: brew install wrk")
    calls = measure(options.rounds, min(options.seconds, 3))
    rows = [
        *_served(options.rounds, options.seconds),
        *(_row(*figure) for figure in measure_webhooks(options.rounds, _postgres)),
        *(_row(*figure) for figure in measure_pages(options.rounds, options.seconds, _postgres)),
        _row("client over TLS / the SDK called plainly", calls["client"], "20"),
        _row(f"invoke / the client alone, answered after {FAR_S * 1000:.0f} ms", calls["invoke"], "0.9"),
        _row("invoke / the SDK called plainly, answered at once", calls["invoke_at_once"], "0.9"),
        _row("CPU of a kept callback / form + schema", cpu_ratio(), "under 4.0"),
        _row("import + create_app, s", import_seconds(), "under 1.0"),
    ]
    sys.stdout.write(json.dumps(rows) + "\n" if options.json else "\n".join(map(_line, rows)) + "\n")


def _served(rounds: int, seconds: int) -> list[dict]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        lite = f"sqlite:///{folder / 'bench.db'}"
        migrate(lite)
        noop = Variant("no-op", stack.enter_context(running("bench.noop:app", folder, lite)))
        lite_url = stack.enter_context(running("wsgi:app", folder, lite))
        variants = [Variant("callback kept, SQLite FULL", lite_url), Variant("USSD hop, SQLite FULL", lite_url, kind="ussd"),
                    Variant("callbacks, half repeats, SQLite", lite_url, repeats=True)]  # fmt: skip
        databases = [lite]
        postgres = stack.enter_context(_postgres())
        if postgres:
            migrate(postgres)
            databases.append(postgres)
            variants.append(Variant("callback kept, PostgreSQL", stack.enter_context(running("wsgi:app", folder, postgres))))
        for number in range(rounds):
            for variant in [noop, *variants]:
                variant.measure(seconds, number)
        goals = ("0.22, aim 0.35", "0.22, aim 0.30", "1.0 of all new", "0.24, aim 0.40")
        rows = [_ratio(variant, variants[0] if variant.repeats else noop, goal) for variant, goal in zip(variants, goals, strict=False)]
        return [*rows, _counted(variants, databases)]


def _ratio(variant: Variant, base: Variant, goal: str) -> dict:
    ratios = [variant.rate(number) / base.rate(number) for number in range(len(base.rounds))]
    row = _row(f"{variant.name} / {base.name}", median(ratios), goal)
    tail = median(one["p99"] / other["p99"] for one, other in zip(variant.rounds, base.rounds, strict=True))
    return row | {
        "per_s": round(median(map(variant.rate, range(len(base.rounds))))),
        "rounds": [round(ratio, 2) for ratio in ratios],
        "p99_ratio": round(tail, 2),
        "p99_ms": round(variant.worst("p99"), 1),
        "worst_ms": round(variant.worst("worst"), 1),
        "failed": int(sum(one["failed"] for one in variant.rounds)),
    }


def _counted(variants: list[Variant], databases: list[str]) -> dict:
    """Compare what was answered 2xx with what is kept: rows, and repeats counted on them."""
    answered = sum(one["requests"] - one["failed"] for variant in variants for one in variant.rounds)
    kept = 0
    for url in databases:
        engine = create_engine(url)
        with engine.connect() as connection:
            kept += connection.execute(text("SELECT count(*) + coalesce(sum(repeats), 0) FROM callbacks")).scalar_one()
        engine.dispose()
    # What was on the line when wrk stopped is kept, and was not counted by it.
    most_cut_off = CONNECTIONS * sum(len(variant.rounds) for variant in variants)
    return _row("kept - answered 2xx", int(kept) - answered, f"0 to {most_cut_off}")


@contextmanager
def _postgres() -> Iterator[str]:
    url = os.environ.get("BENCH_POSTGRES_URL", POSTGRES)
    server = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    name = f"pokea_bench_{os.getpid()}"
    try:
        connection = server.connect()
    except Exception as error:  # whatever is wrong with it, it cannot be measured
        sys.stderr.write(f"PostgreSQL is left out: {type(error).__name__}\n")
        yield ""
        return
    connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        connection.close()
        server.dispose()


def _row(name: str, value: float, goal: str) -> dict:
    return {"what": name, "value": round(value, 3), "goal": goal}


def _line(row: dict) -> str:
    more = ""
    if "p99_ratio" in row:
        more = f"{row['per_s']:>6}/s   p99 {row['p99_ratio']} x, {row['p99_ms']} ms; worst {row['worst_ms']} ms; "
        more += f"failed {row['failed']}; rounds {row['rounds']}"
    return f"{row['what']:<66} {row['value']:>7}   goal {row['goal']:<16} {more}".rstrip()


if __name__ == "__main__":
    main()
