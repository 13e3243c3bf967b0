"""Top-ups, payments and SIM swap checks end alike in every order; costs add up to what a person would add up."""

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from app.models import Airtime, Cost, Payment, SimSwap
from services.ledger.sim_swaps import answer_of
from tests.invoking import ONLY_SQLITE
from tests.services.ledger.folding import PHONE, Step, folded, in_every_order, kept, ordered, part

TOPPED_UP = {"provider_id": "ATQid_1", "status": "Sent", "amount": Decimal(100), "currency": "KES"}
CHECKED_OUT = {"provider_id": "ATPid_1", "status": "PendingConfirmation", "amount": Decimal(1000), "currency": "KES"}
CHECKED = {"provider_id": "ATSwpid_1", "status": "Queued", "cost": Decimal(5), "cost_currency": "KES"}


def topped_up(app: Flask, status: str, **fields: str) -> Step:
    return kept(app, "airtime.status", {"requestId": "ATQid_1", "status": status, "phoneNumber": PHONE, "value": "KES 100.0000", **fields})


def paid(app: Flask, status: str, **fields: Any) -> Step:
    return kept(app, "payments.notification", {"transactionId": "ATPid_1", "status": status, **fields})


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("words", "state", "conflicts", "cost"),
    [(["Sent", "Success", "Queued"], "Success", None, ["99.4"]), (["Failed", "Sent", "Waiting"], "Failed", None, []),
        (["Success", "Failed", "Sent"], "Success", ["Failed", "Success"], ["99.4"])],
)  # fmt: skip
def test_a_top_up_ends_alike_in_every_order(app: Flask, words: list[str], state: str, conflicts: list[str] | None, cost: list[str]) -> None:
    steps = [topped_up(app, word, discount="KES 0.6000", description=f"It is {word}") for word in words]
    (row, *costs), _ = in_every_order(app, [ordered("airtime.send", TOPPED_UP), *steps], Airtime, Cost)
    assert part(row, "state", "reason", "conflicts", "value", "discount", "phone", "invocation_id") == (
        state, f"It is {state}", conflicts, Decimal(100), Decimal("0.6"), PHONE, "inv_1")  # fmt: skip
    assert [part(row, "source", "amount") for row in costs] == [(f"airtime:ATQid_1:{PHONE}", Decimal(amount)) for amount in cost]


def test_a_status_without_a_number_is_about_the_one_that_was_sent(app: Flask) -> None:
    told = kept(app, "airtime.status", {"requestId": "ATQid_1", "status": "Success", "value": "100"})
    (row, cost), _ = in_every_order(app, [ordered("airtime.send", TOPPED_UP), told], Airtime, Cost)
    assert part(row, "phone", "state", "value", "currency") == (PHONE, "Success", Decimal(100), "KES")
    assert cost["source"] == f"airtime:ATQid_1:{PHONE}"


@pytest.mark.parametrize(
    ("words", "state", "fee"), [(["Queued", "Success"], "Success", ["1"]), (["PendingValidation", "Cancelled"], "Cancelled", [])]
)
def test_a_payment_ends_alike_in_every_order(app: Flask, words: list[str], state: str, fee: list[str]) -> None:
    full = {"source": PHONE, "destination": "PaymentWallet", "value": "KES 1,000.00", "transactionFee": "KES 1.0000", "description": "Told"}
    steps = [
        ordered("payments.checkout", CHECKED_OUT, product_name="duka", metadata={"order": "1042"}),
        paid(app, words[0]), paid(app, words[1], category="MobileCheckout", **full), paid(app, words[1], phoneNumber="254711000017", amount="1000"),
    ]  # fmt: skip
    (row, *costs), _ = in_every_order(app, steps, Payment, Cost)
    assert part(row, "state", "reason", "phone", "value", "fee", "currency", "product_name", "category", "about", "invocation_id") == (
        state, "Told", PHONE, Decimal(1000), Decimal(1), "KES", "duka", "MobileCheckout", {"order": "1042"}, "inv_1")  # fmt: skip
    assert [part(row, "source", "amount") for row in costs] == [("payments:ATPid_1", Decimal(amount)) for amount in fee]


@pytest.mark.parametrize(
    ("told", "value", "paid_for_it"),
    [
        ([{"value": "USD 100", "transactionFee": "KES 1.5"}, {}], (100, "USD"), ("1.5", "KES")),
        ([{"value": "KES 200", "transactionFee": "KES 1"}, {"value": "USD 100", "transactionFee": "USD 2"}], (200, "KES"), ("2", "USD")),
        ([{"value": "KES 100", "transactionFee": "2"}, {"value": "200", "transactionFee": "KES 1"}], (100, "KES"), ("1", "KES")),
    ],
)
def test_a_fee_has_its_own_currency_and_no_amount_that_of_another(app: Flask, told: Any, value: Any, paid_for_it: Any) -> None:
    # Between two that say that it succeeded, one says that it failed and so cost nothing.
    words = [paid(app, word, **fields) for word, fields in zip(("Success", "Queued"), told, strict=True)]
    (row, cost), _ = in_every_order(app, [*words, paid(app, "Failed")], Payment, Cost)
    assert part(row, "value", "currency") == (Decimal(value[0]), value[1])
    assert part(cost, "amount", "currency") == (Decimal(paid_for_it[0]), paid_for_it[1])


def test_a_payment_of_another_gateway_is_read(app: Flask) -> None:
    fields = {"phoneNumber": "254711000017", "amount": "1,000.50", "currencyCode": "UGX", "metadata": {"order": "7"}}
    (row,), _ = folded(app, [paid(app, "InvalidRequest", **fields)], Payment)
    assert part(row, "state", "phone", "value", "currency", "about") == ("InvalidRequest", PHONE, Decimal("1000.5"), "UGX", {"order": "7"})


@pytest.mark.parametrize(
    ("word", "told", "answer"),
    [("Swapped", date(2026, 2, 28), ("swapped", date(2026, 2, 28))), ("Swapped", date(1900, 1, 1), ("not_swapped", None)),
        ("Success", date(1900, 1, 1), ("not_swapped", None)), ("Success", date(2026, 2, 28), ("swapped", date(2026, 2, 28))),
        ("NotSwapped", None, ("not_swapped", None)), ("NotSwapped", date(2020, 2, 28), ("not_swapped", date(2020, 2, 28))),
        ("Swapped", None, ("swapped", None)), ("Queued", None, ("pending", None)), ("Failed", None, ("failed", None)),
        ("Success", "soon", ("pending", None)), ("Odd", None, ("pending", None))],
)  # fmt: skip
def test_a_status_and_a_date_say_together_whether_a_card_was_swapped(word: str, told: object, answer: tuple[str, date | None]) -> None:
    assert answer_of(word, told) == answer


def test_a_check_gets_its_number_from_the_order(app: Flask) -> None:
    steps = [
        ordered("sim_swap.check", CHECKED, answer={"transactionId": "t-1"}),
        kept(app, "sim_swap.status", {"requestId": "ATSwpid_1", "status": "Queued"}),
        kept(app, "sim_swap.status", {"requestId": "ATSwpid_1", "transactionId": "t-1", "status": "Swapped", "lastSimSwapDate": "28-02-2026"}),
        kept(app, "sim_swap.status", {"requestId": "ATSwpid_1", "status": "Swapped", "lastSimSwapDate": "01-01-1900"}),
    ]  # fmt: skip
    (row, cost), _ = in_every_order(app, steps, SimSwap, Cost)
    assert part(row, "state", "status", "swapped_on", "phone", "transaction_id", "conflicts", "invocation_id") == (
        "swapped", "Swapped", date(2026, 2, 28), PHONE, "t-1", ["not_swapped", "swapped"], "inv_1")  # fmt: skip
    assert part(cost, "source", "amount", "currency") == ("sim_swap:ATSwpid_1", Decimal(5), "KES")


def test_costs_add_up_to_what_a_person_adds_up(app: Flask) -> None:
    call = {
        "sessionId": "ATVId_1",
        "isActive": "0",
        "callerNumber": PHONE,
        "destinationNumber": "+254711082000",
        "amount": "2.50",
        "currencyCode": "KES",
    }
    session = {"sessionId": "ATUid_1", "phoneNumber": PHONE, "status": "Success"}
    steps = [
        ordered("sms.bulk", {"provider_id": "m1", "status": "Success", "cost": Decimal("0.8"), "cost_currency": "KES"}, message="x"),
        ordered("sms.bulk", {"provider_id": "m2", "status": "Success", "cost": Decimal("22.0"), "cost_currency": "UGX"}, message="x"),
        ordered("sms.premium", {"provider_id": "m3", "status": "Success"}, message="x", sender="12345"),
        ordered("sms.bulk", {"provider_id": "m4", "state": "refused", "cost": Decimal(9), "cost_currency": "KES"}, message="x"),
        kept(app, "sms.delivery_report", {"id": "m1", "status": "Failed", "phoneNumber": PHONE}),
        ordered("airtime.send", TOPPED_UP), topped_up(app, "Success", discount="KES 0.6000"),
        kept(app, "airtime.status", {"requestId": "ATQid_2", "status": "Failed", "phoneNumber": PHONE, "value": "KES 50.0000"}),
        paid(app, "Success", source=PHONE, value="KES 375.0000", transactionFee="KES 1.0000"),
        kept(app, "voice.event", call), kept(app, "voice.event", call | {"callSessionState": "Completed"}),
        kept(app, "ussd.session_end", session | {"cost": "KES 0.10"}), kept(app, "ussd.session_end", session | {"sessionId": "ATUid_2", "cost": "2"}),
        ordered("sim_swap.check", CHECKED),
    ]  # fmt: skip
    rows, _ = folded(app, [*steps, *steps], Cost)
    total: Counter[str] = Counter()
    for row in rows:
        total[row["currency"]] += row["amount"]
    # 0.80 a message, 100 - 0.60 airtime, 1 fee, 2.50 a call, 0.10 a session, 5 a check; a session's 2 came without currency.
    assert total == {"KES": Decimal("108.80"), "UGX": Decimal(22), "XXX": Decimal(2)}
