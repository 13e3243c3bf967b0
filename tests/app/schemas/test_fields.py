from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.schemas.fields import Amount, ATTime, Known, Mapped, Money, PhoneNumber, Renamed, SwapDate, Text, Truth, Whole, repair_plus


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("KES 100.0000", Amount(Decimal("100.0000"), "KES")), ("KES 1,000", Amount(Decimal(1000), "KES")), ("1,000.00", Amount(Decimal("1000.00"), None)),
        ("1000", Amount(Decimal(1000), None)), (500.0, Amount(Decimal("500.0"), None)), (500, Amount(Decimal(500), None)), ("0", Amount(Decimal(0), None)),
        (0, Amount(Decimal(0), None)), ("KES0.6000", Amount(Decimal("0.6000"), "KES")), ("-5", Amount(Decimal(-5), None)),
    ],
)  # fmt: skip
def test_money_is_read_in_every_form(sent: Any, read: Amount) -> None:
    assert Money().deserialize(sent) == read


@pytest.mark.parametrize("sent", ["nan", "inf", "1e9", "1_000", "٣", "12,34", "KES", "ten", "1.2.3"])
def test_what_is_no_amount_stays_text_with_a_doubt(sent: str) -> None:
    money = Money()
    assert money.deserialize(sent) == sent
    assert money.doubt(sent) == "is not an amount"


@pytest.mark.parametrize(
    "sent",
    [
        "2026-03-04 10:30:00",
        "2026-03-04+10:30:00",
        "2026-03-04T10:30:00",
        "2026-03-04T10:30:00Z",
        "04.03.2026 10:30:00",
        "2026-03-04T13:30:00+03:00",
    ],
)
def test_times_are_read_in_every_form(sent: str) -> None:
    assert ATTime().deserialize(sent) == datetime(2026, 3, 4, 10, 30, tzinfo=UTC)


def test_a_date_alone_is_a_time() -> None:
    assert ATTime().deserialize("2020-09-02") == datetime(2020, 9, 2, tzinfo=UTC)


def test_swap_dates_are_day_first() -> None:
    assert SwapDate().deserialize("01-02-1900") == date(1900, 2, 1)


@pytest.mark.parametrize(("sent", "read"), [("1", True), ("0", False), ("true", True), ("False", False), (True, True), (False, False), (1, True), (0, False)])  # fmt: skip
def test_truth_is_read_from_words_and_numbers(sent: Any, read: bool) -> None:
    assert Truth().deserialize(sent) is read


@pytest.mark.parametrize(("sent", "read"), [("42", 42), (42, 42), ("", None), ("many", "many"), ("9" * 30, "9" * 30)])
def test_whole_numbers_are_read_or_stay(sent: Any, read: Any) -> None:
    assert Whole().deserialize(sent) == read


@pytest.mark.parametrize(("sent", "doubt"), [("+254711000017", None), ("254711000017", None), ("+254711XXXYYY", "is not a phone number"), ("MyBrand", "is not a phone number"), ("", None)])  # fmt: skip
def test_numbers_that_are_none_are_doubted_not_refused(sent: str, doubt: str | None) -> None:
    phone = PhoneNumber()
    assert phone.deserialize(sent) == sent
    assert phone.doubt(sent) == doubt


@pytest.mark.parametrize(("sent", "read"), [(" 254711000017", "+254711000017"), ("+254711000017", "+254711000017"), (" 12 ", " 12 "), (" Brand", " Brand"), (7, 7)])  # fmt: skip
def test_a_plus_that_came_as_a_space_is_repaired(sent: Any, read: Any) -> None:
    assert repair_plus(sent) == read


def test_unknown_words_are_doubted_whatever_their_case() -> None:
    status = Known("Success", "Failed")
    assert status.doubt("success") is None
    assert status.doubt("Odd") == "'Odd' is not a value we know"


def test_statuses_of_several_vocabularies_become_one() -> None:
    status = Renamed({"completed": "completed", "no-answer": "no_answer", "notanswered": "no_answer"})
    assert [status.deserialize(word) for word in ("Completed", "no-answer", "NotAnswered", "odd")] == [
        "completed",
        "no_answer",
        "no_answer",
        "odd",
    ]


@pytest.mark.parametrize(("sent", "read"), [("a", "a"), (5, "5"), (0, "0"), (True, "true"), (None, None), ({"a": 1}, '{"a": 1}'), ([], "")])
def test_text_is_made_of_whatever_came(sent: Any, read: Any) -> None:
    assert Text().deserialize(sent) == read


def test_maps_are_doubted_when_they_are_none() -> None:
    assert Mapped().doubt({"a": 1}) is None
    assert Mapped().doubt("a") == "is not an object"
