"""What an order may say: everything else is refused by name, and nothing is sent."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.models import Invocation
from tests.invoking import KINDS, ONLY_SQLITE, PHONE, URLS, Sending, Stored
from tests.stub_at import StubAT


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phone", [None, "", "%20", "%09"], ids=["missing", "empty", "blank", "tab"])
def test_without_a_phone_the_answer_is_exact(sending: Sending, at: StubAT, kind: str, phone: str | None) -> None:
    path, _, rest = URLS[kind].partition("?")
    rest = "&".join(part for part in rest.split("&") if not part.startswith("phone"))
    answer = sending().test_client().get(f"{path}?{rest}" + ("" if phone is None else f"&phone={phone}"))
    assert (answer.status_code, answer.text) == (400, '{"error": "Missing \'phone\' query parameter"}')
    assert at.seen == []


@ONLY_SQLITE
@pytest.mark.parametrize("phone", ["254711000000", "+254711000000", "%2B254711000000"])
def test_a_phone_in_every_spelling(sending: Sending, at: StubAT, phone: str) -> None:
    answer = sending().test_client().get(f"/api/sms/invoke-bulk-sms?phone={phone}&message=x")
    assert (answer.get_json()["message"], at.seen[0].fields["to"]) == (f"SMS sent to {PHONE}", PHONE)


@ONLY_SQLITE
def test_a_national_number_needs_a_country(sending: Sending, at: StubAT) -> None:
    assert sending().test_client().get("/api/voice/invoke-call?phone=0711000000").status_code == 400
    assert sending(default_country="KE").test_client().get("/api/voice/invoke-call?phone=0711000000").status_code == 200
    assert at.seen[0].fields["to"] == PHONE


WRONG = {
    "phone": ["+254711XXXYYY", "07110", "254711000000%0A", "%2B254711000000%0A", "+254711000000%00", "%D9%A2%D9%A5%D9%A4%D9%A7%D9%A1%D9%A1%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0",
        "%EF%BC%92%EF%BC%95%EF%BC%94711000000", "1e9", "254_711_000000", "+1234", "%2B0000000", "25471100000000000000", "254-711-000000", "254711000000;1",
        "tel:254711000000", "254711000000x5", "%2B%2B254711000000", ",", "254711000000,", "+", "null", "254711000000%20", "%20%20254711000000"],
    "amount": ["0", "0.00", "-5", "-0.5", "nan", "inf", "1e9", "1E2", "1_000", "1,000", "10%0A", "%2010", "10%20", "0x10", "10.555", "10.", ".5", "12345678", "%D9%A1%D9%A0", "KES10", "", "+10", "1/2"],
    "currency": ["", "KE", "KESS", "kes", "K3S", "%0A%0A%0A", "ZZZ", "XXX", "KES%0A", "%EF%BC%ABES"],
}  # fmt: skip


@ONLY_SQLITE
def test_what_only_looks_right_is_refused_and_nothing_is_sent(sending: Sending, at: StubAT, stored: Stored) -> None:
    client = sending().test_client()
    for name, values in WRONG.items():
        for kind in KINDS if name == "phone" else ("airtime.send", "payments.checkout"):
            for value in values:
                url = re.sub(rf"{name}=[^&]*", lambda _found: f"{name}={value}", URLS[kind])  # noqa: B023
                answer = client.get(url)
                error = answer.get_json()["error"]
                assert answer.status_code == 400, (kind, name, value)
                assert f"'{name}'" in error, (kind, name, value, error)
                if name == "amount":
                    is_low = value in ("0", "0.00", "-5", "-0.5")
                    assert error == f"'amount' must be a {'positive' if is_low else 'valid'} number", value
                if name == "phone":
                    assert "254711000000" not in error.replace("for example 254711000000", ""), error
    assert (at.seen, stored(Invocation)) == ([], [])


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("query", "said"),
    [("message=", "'message' must not be empty"), ("message=%20%0A", "'message' must not be empty"), ("message=a%00b", "control characters"),
        ("message=a%09b", "control characters"), ("message=a%1Bb", "control characters"), ("message=%FF", "UTF-8"),
        ("message=x&idempotencyKey=short", "8 to 100 printable"), ("message=x&idempotencyKey=" + "k" * 101, "8 to 100 printable"),
        ("message=x&idempotencyKey=keykeyk%C3%A9", "8 to 100 printable"), ("message=x&preview=maybe", "'preview' must be 1 or 0"),
        ("message=x&senderId=%0A", "'senderId'"), ("message=x&reference=a%0Ab", "'reference'"), ("message=x&message=y", "'message' was given twice"),
        ("message=x&token=a&token=b&message=z", "'message' was given twice"), ("message=x&again=", "'again' must be 1 or 0")],
)  # fmt: skip
def test_other_parameters_are_told_what_would_be_right(sending: Sending, at: StubAT, query: str, said: str) -> None:
    answer = sending().test_client().get(f"/api/sms/invoke-bulk-sms?phone=254711000000&{query}")
    assert (answer.status_code, said in answer.get_json()["error"]) == (400, True)
    assert at.seen == []


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("body", "said"),
    [('{"phone": "254711000000", "phone": "254711000001"}', "'phone' was given twice"), ("[1]", "one object"), ("{", "neither a form nor JSON"),
        ('{"phone": {"a": 1}}', "'phone' must be text"), ('{"phone": 254711000000.5}', "not a phone number"), ('{"phone": 1e11}', "not a phone number")],
)  # fmt: skip
def test_json_bodies_are_read_strictly(sending: Sending, at: StubAT, body: str, said: str) -> None:
    answer = sending().test_client().post("/api/voice/invoke-call", data=body, content_type="application/json")
    assert (answer.status_code, said in answer.get_json()["error"]) == (400, True)
    assert at.seen == []


@ONLY_SQLITE
def test_a_parameter_in_query_and_body_is_given_twice(sending: Sending, at: StubAT) -> None:
    answer = sending().test_client().post("/api/voice/invoke-call?phone=254711000000", data={"phone": "254711000001"})
    assert (answer.status_code, at.seen) == (400, [])


@ONLY_SQLITE
def test_only_messages_and_calls_take_several_numbers(sending: Sending, at: StubAT) -> None:
    client = sending().test_client()
    for kind in ("airtime.send", "sim_swap.check", "payments.checkout"):
        answer = client.get(URLS[kind].replace("254711000000", "254711000000,254711000001"))
        assert (answer.status_code, "at most" in answer.get_json()["error"]) == (400, True)
    assert at.seen == []
    assert (
        client.get(URLS["voice.call"].replace("254711000000", "254711000000,254711000001,+254711000000")).get_json()["message"]
        == "Call initiated to 2 of 2 recipients"
    )


@ONLY_SQLITE
def test_newlines_may_stand_in_a_message(sending: Sending, at: StubAT) -> None:
    sending().test_client().post("/api/sms/invoke-bulk-sms", data={"phone": PHONE, "message": "One\r\nTwo\nThrée 👍"})
    assert at.seen[0].fields["message"] == "One\nTwo\nThrée 👍"


@ONLY_SQLITE
@pytest.mark.parametrize(
    "body",
    [
        '{"phone": "\\ud800"}',
        '{"phone": "+254 711 000 017\\ud800"}',
        '{"phone": "254711000000", "\\ud800": 1, "\\ud800": 2}',
        '{"phone": "254711000000", "amount": "\\ud800"}',
        '{"phone": "254711000000", "currency": "\\ud800"}',
        '{"phone": "254711000000", "reference": "\\ud800"}',
        '{"phone": ["\\ud800"]}',
        '{"phone": null}',
        '{"phone": "254711000000", "metadata": ' + "[" * 900 + "]" * 900 + "}",
    ],
    ids=["phone", "spaced phone", "names", "amount", "currency", "reference", "list", "null", "nested"],
)
def test_what_no_database_holds_is_a_400(sending: Sending, at: StubAT, capsys: pytest.CaptureFixture[str], body: str) -> None:
    path = "/api/payments/invoke-mobile-checkout"
    answer = sending().test_client().post(path, data=body.encode(), content_type="application/json")
    assert (answer.status_code, bool(answer.get_json()["error"])) == (400, True)
    assert "711 000 017" not in answer.text + capsys.readouterr().err
    assert at.seen == []


@ONLY_SQLITE
@pytest.mark.parametrize("phone", ["+254 711 000 017", "0711-000-017-254", "(254)711000017"])
def test_a_whole_number_is_told_by_its_end(sending: Sending, phone: str) -> None:
    error = sending().test_client().get("/api/voice/invoke-call", query_string={"phone": phone}).get_json()["error"]
    assert phone not in error
    assert "***" in error


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("wrong", "right"),
    [("previw=1", "preview"), ("idempotency_key=order-1042", "idempotencyKey"), ("senderid=Me", "senderId"), ("mesage=x", "message"), ("Phone=1", "phone"), ("refrence=1", "reference")],
)  # fmt: skip
def test_a_misspelled_parameter_is_not_left_out(sending: Sending, at: StubAT, wrong: str, right: str) -> None:
    answer = sending().test_client().get(f"{URLS['sms.bulk']}&{wrong}")
    assert (answer.status_code, f"Did you mean '{right}'?" in answer.get_json()["error"], at.seen) == (400, True, [])


@ONLY_SQLITE
def test_parameters_that_mean_nothing_here_are_left_out(sending: Sending) -> None:
    assert sending().test_client().get(URLS["sim_swap.check"] + "&amount=x&utm_source=y&_=1").status_code == 200


NAMES = st.sampled_from(
    ["phone", "message", "amount", "currency", "productName", "metadata", "senderId", "idempotencyKey", "reference", "preview", "token"]
)
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["254711000000", "+254711000001,254711000002", "10", "KES", "duka", "{}", "1", "0", "\x00", "\ud800", "%", "\n"]),
    st.integers().map(str),
    st.floats().map(str),
)
JSONS = st.recursive(VALUES | st.none() | st.booleans() | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6)  # fmt: skip


@pytest.fixture
def asked(sending: Sending, at: StubAT) -> tuple[FlaskClient, StubAT]:
    return sending(at_timeout_s=5.0).test_client(), at


@ONLY_SQLITE
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(KINDS),
    pairs=st.lists(st.tuples(NAMES | st.text(max_size=8), VALUES), max_size=8),
    form=st.sampled_from(["query", "form", "json", "raw"]),
    document=st.dictionaries(NAMES | st.text(max_size=8), JSONS, max_size=6),
    raw=st.binary(max_size=60),
)
def test_whatever_is_asked_gets_an_answer_in_json(
    asked: tuple[FlaskClient, StubAT], kind: str, pairs: list[tuple[str, str]], form: str, document: dict[str, Any], raw: bytes
) -> None:
    client, at = asked
    path, before = URLS[kind].partition("?")[0], len(at.calls())
    encoded = urlencode([(name.encode(errors="surrogatepass"), value.encode(errors="surrogatepass")) for name, value in pairs])
    if form == "query":
        answer = client.get(f"{path}?{encoded}")
    elif form == "form":
        answer = client.post(path, data=encoded, content_type="application/x-www-form-urlencoded")
    elif form == "json":
        answer = client.post(path, data=json.dumps(document), content_type="application/json")
    else:
        answer = client.post(path, data=raw, content_type="application/json")
    assert answer.status_code in (200, 400, 409)
    told = json.loads(answer.text)
    assert ("error" in told) == (answer.status_code != 200)
    assert len(at.calls()) - before == ("invocation" in told and "repeated" not in told)
