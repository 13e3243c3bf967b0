import pytest

from app import masking


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("from +254711000017 to 12345", "from ***017 to 12345"),
        ("254711000017", "***017"),
        ("phoneNumber=%2B254711000017&text=2", "phoneNumber=***017&text=2"),
        ("{'phone': '+254711000017'}", "{'phone': '***017'}"),
        ("ATXid_8b0e7153bf7c3706d85c524e44006655", "ATXid_8b0e7153bf7c3706d85c524e44006655"),
        ("cb_01M7XXE80K81JDPDBHSS3CZ4CP", "cb_01M7XXE80K81JDPDBHSS3CZ4CP"),
    ],
)
def test_numbers_are_masked_and_ids_are_not(text: str, masked: str) -> None:
    assert masking.numbers_in(text) == masked


@pytest.mark.parametrize(
    ("text", "places", "masked"),
    [("1*1234", [], "1*****"), ("1*2", [], "1*2"), ("1*geheim", [1], "1*****"), ("", [], ""), ("1*0123456789", [], "1*****")],
)
def test_pins_in_what_was_typed_are_masked(text: str, places: list[int], masked: str) -> None:
    assert masking.typed(text, places) == masked


def test_fields_are_shown_without_pins_and_secrets() -> None:
    fields = {
        "text": "1*4321",
        "input": "4321",
        "lastAppResponse": "END PIN 4321 is right",
        "apiKey": "k",
        "nested": {"token": "t", "a": 1},
    }
    assert masking.fields("ussd.session_end", fields) == {
        "text": "1*****", "input": "****", "lastAppResponse": "END PIN **** is right", "apiKey": "****", "nested": {"token": "****", "a": 1},
    }  # fmt: skip


def test_numbers_are_masked_whatever_their_type_and_depth() -> None:
    fields = {"phoneNumber": 254711000088, "list": [{"pin": "9876"}, "+254711000017"], "text": 4321, "ok": True, "n": 5}
    shown = {"phoneNumber": "***088", "list": [{"pin": "****"}, "***017"], "text": "****", "ok": True, "n": 5}
    named = {"+254711000017": "a", "256711000017": "b", "2711000017x": "c", "17": "+254711000088"}
    assert masking.everything(named) == {"***017": "a", "***017 (2)": "b", "2711000017x": "c", "17": "***088"}
    assert masking.fields("ussd.session", fields, hide_numbers=True) == shown
    assert masking.query("ussd.session", "text=1*4321&phoneNumber=%2B254711000017", hide_numbers=True) == "text=1*****&phoneNumber=***017"


def test_the_text_of_a_message_is_no_pin() -> None:
    assert masking.fields("sms.incoming_message", {"text": "meet at 1400"}) == {"text": "meet at 1400"}


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Api-Key", "apikey", "X-Signature", "X-Auth-Token"])
def test_headers_with_secrets_are_known(name: str) -> None:
    assert masking.is_secret_name(name)


@pytest.mark.parametrize("name", ["User-Agent", "Content-Type", "X-Forwarded-For", "shipping"])
def test_other_headers_are_not(name: str) -> None:
    assert not masking.is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "apiKey=geheim123",
        "{'apiKey': 'geheim123'}",
        '{"apiKey": "geheim123"}',
        "?token=geheim123&a=1",
        "Authorization: Bearer geheim123",
        "api-key: geheim123",
    ],
)
def test_secrets_are_masked_in_every_spelling(text: str) -> None:
    assert "geheim123" not in masking.tokens_in(text)
