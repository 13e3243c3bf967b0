"""Plots: bars that add up, stand on each other, and stay within their frame."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from services.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Bar, Plot, stacked

DAY = date(2026, 3, 4)
Sums = dict[str, dict[date, Decimal]]


def days(count: int) -> list[date]:
    return [DAY + timedelta(days=number) for number in range(count)]


def sums(count: int) -> Sums:
    """Two products, of which one costs nothing on each third day."""
    return {
        "sms": {day: Decimal(number + 1) / 10 for number, day in enumerate(days(count))},
        "voice": {day: Decimal("2.5") for number, day in enumerate(days(count)) if number % 3},
    }


def of_day(plot: Plot, day: date) -> list[Bar]:
    return [bar for bar in plot.bars if bar.day == day]


@pytest.mark.parametrize("count", [1, 7, 31, 92])
def test_bars_add_up_and_their_heights_are_in_proportion(count: int) -> None:
    plot, wanted = stacked(days(count), sums(count)), sums(count)
    for name, by_day in wanted.items():
        assert sum(bar.amount for bar in plot.bars if bar.name == name) == sum(by_day.values())
    scales = [bar.height / float(bar.amount) for bar in plot.bars if bar.height > 1]
    assert max(scales) == pytest.approx(min(scales), rel=0.02)


@pytest.mark.parametrize("count", [1, 31, 92])
def test_bars_stand_on_each_other_side_by_side_and_within_the_frame(count: int) -> None:
    plot = stacked(days(count), sums(count))
    ends = LEFT
    for day in days(count):
        bars = of_day(plot, day)
        floor = HEIGHT - BOTTOM
        for bar in bars:
            assert bar.y + bar.height == pytest.approx(floor, abs=0.02)
            floor = bar.y
        assert floor >= TOP
        assert bars[0].x >= ends
        ends = bars[0].x + bars[0].width
    assert ends <= WIDTH - RIGHT


@pytest.mark.parametrize(
    ("amount", "top"),
    [
        ("0.8", "1"),
        ("1", "1"),
        ("1.01", "2"),
        ("2.2", "2.5"),
        ("199", "200"),
        ("9999", "10,000"),
        ("0.0003", "0.0005"),
        ("12345678", "2e+07"),
    ],
)
def test_the_highest_line_is_a_round_number_just_above(amount: str, top: str) -> None:
    plot = stacked([DAY], {"sms": {DAY: Decimal(amount)}})
    assert (plot.levels[0].label, plot.levels[-1].label) == ("0", top)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 31, 92])
def test_some_days_are_named_the_last_always(count: int) -> None:
    plot, last = stacked(days(count), sums(count)), days(count)[-1]
    assert 1 <= len(plot.days) <= 5
    assert plot.days[-1].label == f"{last.day} {last:%b}"


def test_nothing_and_less_than_nothing_are_not_drawn() -> None:
    assert stacked(days(3), {}).bars == stacked([], {}).bars == []
    credited = {"sms": {DAY: Decimal(-1)}, "voice": {DAY: Decimal(2)}}
    assert [bar.name for bar in stacked(days(3), credited).bars] == ["voice"]
