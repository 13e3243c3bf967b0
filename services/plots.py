"""Plots of sums by day: where each bar, line and word stands. Pure; templates/plot.html draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import floor, log10

WIDTH, HEIGHT = 520, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 4, 12, 22
# Of the room that a day has
GAP = 0.22
MOST_LABELS = 5
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Bar:
    """A part of one day's bar: what one name adds to it."""

    x: float
    y: float
    width: float
    height: float
    name: str
    day: date
    amount: Decimal


@dataclass(frozen=True)
class Mark:
    """A place on an axis and what is written there."""

    at: float
    label: str


@dataclass(frozen=True)
class Plot:
    """Bars from the left to the right, in each the names from below to above. levels: lines across, days: words below them."""

    bars: list[Bar]
    levels: list[Mark]
    days: list[Mark]
    names: list[str]
    width: int = WIDTH
    height: int = HEIGHT


def stacked(days: Sequence[date], sums: Mapping[str, Mapping[date, Decimal]]) -> Plot:
    """Return the plot of sums by name and day. What is below nothing is not drawn."""
    totals = [sum((max(by_day.get(day, Decimal(0)), Decimal(0)) for by_day in sums.values()), Decimal(0)) for day in days]
    top = _level_above(float(max(totals, default=0)))
    room = (WIDTH - LEFT - RIGHT) / max(1, len(days))
    scale = (HEIGHT - TOP - BOTTOM) / top
    bars = [bar for number, day in enumerate(days) for bar in _of_day(LEFT + number * room, room, scale, day, sums)]
    levels = [Mark(_rounded(_floor() - part * top * scale), _written(part * top)) for part in (0, 0.5, 1)]
    every = -(-len(days) // MOST_LABELS)
    # The last day is always named.
    named = [number for number in range(len(days)) if (len(days) - 1 - number) % every == 0]
    words = [Mark(_rounded(LEFT + (number + 0.5) * room), f"{days[number].day} {days[number]:%b}") for number in named]
    return Plot(bars, levels, words, list(sums))


def _of_day(x: float, room: float, scale: float, day: date, sums: Mapping[str, Mapping[date, Decimal]]) -> list[Bar]:
    bars, y = [], float(_floor())
    for name, by_day in sums.items():
        amount = by_day.get(day, Decimal(0))
        if amount > 0:
            height = float(amount) * scale
            y -= height
            bars.append(Bar(_rounded(x + room * GAP / 2), _rounded(y), _rounded(room * (1 - GAP)), _rounded(height), name, day, amount))
    return bars


def _floor() -> int:
    return HEIGHT - BOTTOM


def _level_above(value: float) -> float:
    """Return a round number that is not less: 1, 2, 2.5, 5 or 10 of some power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9))


def _written(value: float) -> str:
    text = f"{value:,.4f}".rstrip("0").rstrip(".")
    return text if len(text) < 8 else f"{value:.2g}"


def _rounded(value: float) -> float:
    return round(value, 2)
