import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas.bodies import Body, Unreadable, read_body, read_query

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def read(raw: bytes | str, content_type: str = FORM, query: str = "") -> Body:
    return read_body(raw.encode() if isinstance(raw, str) else raw, content_type, read_query(query))


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        ("id=1&status=Success", FORM),
        ("id=1&status=Success", f"{FORM}; charset=UTF-8"),
        ("id=1&status=Success", ""),
        ("id=1&status=Success", JSON),
        ('{"id":"1","status":"Success"}', JSON),
        ('{"id":"1","status":"Success"}', f"{JSON}; charset=utf-8"),
        ('\ufeff{"id":"1","status":"Success"}', JSON),
        ('  {"id":"1","status":"Success"}', FORM),
        ('{"id":"1","status":"Success"}', "text/plain"),
    ],
    ids=["form", "form with charset", "no type", "form that says json", "json", "json with charset", "json with mark", "json that says form", "text"],
)  # fmt: skip
def test_the_fields_are_found_whatever_the_header_says(raw: str, content_type: str) -> None:
    assert read(raw, content_type).fields == {"id": "1", "status": "Success"}


def test_a_multipart_form_is_a_form() -> None:
    raw = '--b\r\nContent-Disposition: form-data; name="id"\r\n\r\n1\r\n--b--\r\n'
    assert read(raw, "multipart/form-data; boundary=b").fields == {"id": "1"}


def test_a_lying_header_is_flagged() -> None:
    assert read('{"id":"1"}', FORM).flags
    assert read("id=1", JSON).flags
    assert not read("id=1", FORM).flags


def test_the_body_wins_over_the_query() -> None:
    assert read("id=1", query="id=2&status=Success").fields == {"id": "1", "status": "Success"}


def test_the_secret_stays_out_of_fields_and_query() -> None:
    query = read_query("a=1&token=geheim&b=2&%74oken=zwei")
    assert (query.kept, query.fields, query.tokens) == ("a=1&b=2", {"a": "1", "b": "2"}, ["geheim", "zwei"])


def test_nested_values_stay_nested() -> None:
    assert read('{"id":{"a":[1,{"b":null}]},"n":500.0,"t":true}', JSON).fields == {"id": {"a": [1, {"b": None}]}, "n": 500.0, "t": True}


def test_the_last_of_several_is_used_and_said() -> None:
    body = read("id=1&id=2&status=x")
    assert body.fields["id"] == "2"
    assert body.flags == ["'id' came 2 times: the last is used"]


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        ("[]", JSON), ("[1]", FORM), ("7", JSON), ("null", JSON), ('"x"', JSON), ("{", JSON), ('{"a":NaN}', JSON), ("{]", FORM),
        ('{"a":' + "[" * 60 + "]" * 60 + "}", JSON), ('{"a":' + "[" * 30_000 + "]" * 30_000 + "}", JSON),
        ("&".join(f"f{n}=1" for n in range(101)), FORM), (json.dumps({f"f{n}": 1 for n in range(101)}), JSON), ('{"a":' + "9" * 5000 + "}", JSON),
    ],
)  # fmt: skip
def test_what_is_no_object_is_unreadable(raw: str, content_type: str) -> None:
    with pytest.raises(Unreadable):
        read(raw, content_type)


def test_a_hundred_fields_and_fifty_levels_are_read() -> None:
    assert len(read("&".join(f"f{n}=1" for n in range(100))).fields) == 100
    assert read('{"a":' * 50 + "1" + "}" * 50, JSON).fields


@pytest.mark.parametrize(
    ("raw", "value"),
    [("a=%00x", "\ufffdx"), ("a=%ED%A0%80", "\ufffd\ufffd\ufffd"), (b"a=\xff", "\ufffd"), ("a=1%0A2%09", "1\n2\t"), ("a=%C2%85", "\ufffd")],
    ids=["nul", "surrogate bytes", "not utf-8", "newline and tab stay", "c1"],
)
def test_what_no_database_takes_is_replaced(raw: bytes | str, value: str) -> None:
    assert read(raw).fields == {"a": value}


def test_a_lone_surrogate_in_json_is_replaced() -> None:
    assert read('{"a":"\\ud800","b\\ud800":1}', JSON).fields == {"a": "\ufffd", "b\ufffd": 1}


def test_a_number_that_no_float_holds_stays_text() -> None:
    assert read('{"a":1e400}', JSON).fields == {"a": "1e400"}


@given(st.binary(max_size=400), st.sampled_from([FORM, JSON, "", "text/plain", "multipart/form-data; boundary=x", "multipart/form-data"]), st.text(max_size=50))  # fmt: skip
def test_any_bytes_are_read_or_refused_and_can_be_stored(raw: bytes, content_type: str, query: str) -> None:
    try:
        body = read(raw, content_type, query)
    except Unreadable as refused:
        assert str(refused)
        return
    text = json.dumps(body.fields, ensure_ascii=False, allow_nan=False)
    assert "\x00" not in text.encode().decode()
