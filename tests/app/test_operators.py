import pytest

from app.operators import BY_CODE, operator_of, ussd_screen


@pytest.mark.parametrize(
    ("code", "phone", "name", "country"),
    [
        ("63902", None, "Safaricom", "KE"), ("99999", "+254711000017", "Safaricom", "KE"), (None, "254733000017", "Airtel", "KE"), ("62130", "+254711000017", "MTN", "NG"),
        (None, "+256772000017", "MTN", "UG"), (None, "+255752000017", "Vodacom", "TZ"), (None, "+2348031100001", "MTN", "NG"), (None, "+254763000017", "Equitel", "KE"),
    ],
)  # fmt: skip
def test_the_code_names_the_operator_else_the_number(code: str | None, phone: str | None, name: str, country: str) -> None:
    operator = operator_of(code, phone)
    assert operator is not None
    assert (operator.name, operator.country) == (name, country)


@pytest.mark.parametrize("phone", ["+14155550100", "MyBrand", "", None, "+254711XXXYYY"])
def test_a_number_of_nobody_has_no_operator(phone: str | None) -> None:
    assert operator_of("99999", phone) is None


@pytest.mark.parametrize(("code", "phone", "size"), [("63902", "", 160), ("63903", "", 184), ("99999", "+254733000017", 184), ("62120", "", 160), ("", "", 160)])  # fmt: skip
def test_screens_are_as_long_as_the_operator_shows(code: str, phone: str, size: int) -> None:
    assert ussd_screen(code, phone) == size


def test_every_code_has_a_name_and_a_country() -> None:
    assert all(operator.name and len(operator.country) == 2 for operator in BY_CODE.values())
    assert len(BY_CODE) == 33
