"""The unmodified Python SDK and plain requests against the listening emulator: answers and callbacks as recorded, and what they change."""

import inspect
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, urlencode

import africastalking
import pytest
import requests
from africastalking.Service import AfricasTalkingException, Service

from tests.emulator import golden
from tests.emulator.conftest import Got, Receiver, Running
from tests.emulator.golden import ANSWERS, CALLBACKS, differences, order_of, sms_refused

PHONE, OTHER, BLACKLISTED = "+254711000017", "+254711000018", "+254711000004"
SHORT_CODE, VOICE_NUMBER, USSD_CODE = "12345", "+254711082000", "*384*1234#"
MUSIC = "https://example.com/hold.mp3"
SERVICES = ("SMS", "Airtime", "Voice", "Application", "Token", "MobileData", "Insights", "Whatsapp")
DOCUMENT = "<?xml version='1.0' encoding='UTF-8'?><Response>{}</Response>".format


# What the receiver says to those who want to be answered
USUAL = {
    "airtime.validation": '{"status":"Validated"}',
    "payments.validation": '{"status":"Validated"}',
    "ussd.session": "END Karibu",
    "voice.instructions": DOCUMENT("<Say>Karibu</Say>"),
}


def said_by(got: Got) -> dict[str, Any]:
    """Return what a callback says, names in their order on the wire."""
    body = got.body.decode("ascii")
    is_json = got.headers["Content-Type"].startswith(golden.JSON)
    return json.loads(body) if is_json else dict(parse_qsl(body, keep_blank_values=True, strict_parsing=True))


# The SDK at the emulator


class Account:
    """The services of the SDK with the emulator for a host; `last` is the newest answer of the API as it came."""

    def __init__(self, url: str, receiver: Receiver, key: str = "key") -> None:
        self.url, self.receiver, self.key = url, receiver, key
        self.heard: list[requests.Response] = []
        self.make_services()

    def make_services(self) -> None:
        """Make all services anew."""
        self.sms = self.service(africastalking.SMSService)
        self.airtime = self.service(africastalking.AirtimeService)
        self.voice = self.service(africastalking.VoiceService)
        self.application = self.service(africastalking.ApplicationService)
        self.token = self.service(africastalking.TokenService)
        self.data = self.service(africastalking.MobileDataService)
        self.insights = self.service(africastalking.InsightService)
        with pytest.warns(UserWarning, match="Sandbox is currently not available"):
            self.whatsapp = self.service(africastalking.WhatsappService)

    def begin(self) -> None:
        """Make the account and the emulator as new; every kind of callback goes to the receiver, to the address of its name."""
        self.make_services()
        self.heard.clear()
        self.control("POST", "reset")
        for kind, text in USUAL.items():
            self.says(kind, text)
        addresses = {kind: f"{self.receiver.url}/{kind}" for kind in CALLBACKS}
        self.control("PUT", "settings", {"callbacks": addresses, "speech_chars_per_s": 0})

    def service(self, make: Callable[[str, str], Any]) -> Any:
        """Return a service with its hosts replaced and nothing else."""
        made = make("sandbox", self.key)
        made._baseUrl = re.sub("^https://[^/]+", self.url, made._baseUrl)
        made._contentUrl = re.sub("^https://[^/]+", self.url, made._contentUrl)
        return made

    @property
    def last(self) -> requests.Response:
        """The last answer of the API."""
        return self.heard[-1]

    def ask(self, method: str, path: str, **given: Any) -> requests.Response:
        """Ask the API without the SDK."""
        headers = {"apiKey": self.key, "Accept": "application/json", **given.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=10, allow_redirects=False, **given)

    def control(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        """Use the control API."""
        answer = requests.request(method, f"{self.url}/control/{path}", json=body, timeout=20)
        assert answer.status_code == status if status else answer.ok, answer.text
        return answer.json()

    def phone(self, number: str = PHONE) -> dict[str, Any]:
        """Return what a phone has."""
        return self.control("GET", f"phones/{number}")

    def write(self, text: str, to: str = SHORT_CODE) -> dict[str, Any]:
        """Write a message on the phone."""
        return self.control("POST", f"phones/{PHONE}/sms", {"to": to, "text": text}, status=201)

    def pass_s(self, seconds: float) -> None:
        """Let time pass, and all that is due in it happen."""
        self.control("POST", "clock", {"advance": seconds})

    def says(self, kind: str, text: str) -> None:
        """Set what the receiver answers to one kind of callback."""
        self.receiver.answers[f"/{kind}"] = (200, text)

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return what the callbacks of one kind said, in the order of their coming."""
        return [said_by(got) for got in self.receiver.at(f"/{kind}")]

    def balance(self) -> Decimal:
        """Return what the account has."""
        return sum_of(self.application.fetch_application_data()["UserData"]["balance"])

    def in_call(self, xml: str) -> str:
        """Call the phone, have it answered and led into a document of instructions; return the call."""
        self.says("voice.instructions", DOCUMENT(xml))
        call = self.voice.call(VOICE_NUMBER, [PHONE])["entries"][0]["sessionId"]
        self.control("POST", f"calls/{call}/answer", {})
        return call


def sum_of(money: str) -> Decimal:
    """Return the number of `KES 10.0000`."""
    return Decimal(money.rpartition(" ")[2])


@pytest.fixture
def account(emulator: Running, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account of a new emulator, whose answers of the API are kept."""
    made = Account(emulator.url, receiver)
    made.begin()
    send = requests.Session.send

    def listen(session: requests.Session, request: requests.PreparedRequest, **rest: Any) -> requests.Response:
        answer = send(session, request, **rest)
        if "/control/" not in (request.url or ""):
            made.heard.append(answer)
        return answer

    monkeypatch.setattr(requests.Session, "send", listen)
    return made


def check(answer: requests.Response, name: str) -> None:
    """Hold an answer against its record."""
    record = ANSWERS[name]
    assert not differences(record.status, answer.status_code, "HTTP status"), (record.source, answer.text)
    # Exactly: with a charset behind it, the SDK would give its caller a string.
    assert answer.headers["Content-Type"] == record.media
    body = answer.json() if record.media == golden.JSON else answer.text
    assert not differences(record.shape, body, name), (record.source, answer.text)


# Every method of the SDK


def fetch_messages(account: Account) -> Any:
    """Fetch a message that was written."""
    account.write("Habari")
    return account.sms.fetch_messages()


def queue_and_count(account: Account) -> Any:
    """Count the one call that waits."""
    account.in_call('<Enqueue name="sales"/>')
    return account.voice.fetch_queued_calls(VOICE_NUMBER)


def bundle(number: str = PHONE) -> dict[str, Any]:
    """Return an order of mobile data."""
    return {"phoneNumber": number, "quantity": 100, "unit": "MB", "validity": "Day", "metadata": {"order": "7"}}


def find_bundle(account: Account) -> Any:
    """Find mobile data that was sent."""
    sent = account.data.send("bundles", [bundle()])["entries"][0]
    account.pass_s(10)
    return account.data.find_transaction(sent["transactionId"])


TEMPLATE = {"body": {"type": "BODY", "text": "Karibu {{1}}", "example": {"body_text": [["Ann"]]}}}


def template(account: Account) -> Any:
    """Make a template, with the slash that the SDK leaves out."""
    account.whatsapp._baseUrl += "/"
    return account.whatsapp.send_template(TEMPLATE, VOICE_NUMBER, "karibu", "en", "UTILITY")


METHODS: dict[str, Callable[[Account], Any]] = {
    "SMS.send": lambda account: account.sms.send("Habari", [PHONE]),
    "SMS.send_premium": lambda account: account.sms.send_premium("Habari", SHORT_CODE, [PHONE], "news", "link", 2),
    "SMS.send_hashed": lambda account: account.sms.send_hashed("Habari", "2547*****100", "POKEA"),
    "SMS.fetch_messages": fetch_messages,
    "SMS.create_safaricom_subscription": lambda account: account.sms.create_safaricom_subscription(
        SHORT_CODE, "news", PHONE, "request", "https://example.com/back", "127.0.0.1", "agent"
    ),
    "Airtime.send": lambda account: account.airtime.send(PHONE, "10", "KES", max_num_retry=1),
    "Application.fetch_application_data": lambda account: account.application.fetch_application_data(),
    "Token.generate_auth_token": lambda account: account.token.generate_auth_token(),
    "Voice.call": lambda account: account.voice.call(VOICE_NUMBER, [PHONE, OTHER]),
    "Voice.fetch_queued_calls": queue_and_count,
    "Voice.media_upload": lambda account: account.voice.media_upload(VOICE_NUMBER, MUSIC),
    "Insights.check_sim_swap_state": lambda account: account.insights.check_sim_swap_state([PHONE]),
    "MobileData.send": lambda account: account.data.send("bundles", [bundle()]),
    "MobileData.find_transaction": find_bundle,
    "MobileData.fetch_wallet_balance": lambda account: account.data.fetch_wallet_balance(),
    "Whatsapp.send": lambda account: account.whatsapp.send({"message": "Habari"}, VOICE_NUMBER, PHONE),
    "Whatsapp.send_template": template,
}


def test_every_method_of_the_sdk_gets_the_recorded_answer(account: Account, subtests: pytest.Subtests) -> None:
    for name, call in METHODS.items():
        account.begin()
        with subtests.test(name):
            given = call(account)
            check(account.last, name)
            assert given == account.last.json()


def test_no_method_of_the_sdk_is_left_out() -> None:
    classes = [one for _, one in inspect.getmembers(africastalking, inspect.isclass) if issubclass(one, Service)]
    names = {
        f"{made.__name__.removesuffix('Service').replace('Insight', 'Insights')}.{name}"
        for made in classes
        for name, _ in inspect.getmembers(made, inspect.isfunction)
        if not name.startswith("_")
    }
    assert names == set(METHODS)


def test_template_of_the_sdk_as_it_is_asks_a_host_that_cannot_be(account: Account) -> None:
    with pytest.raises(requests.exceptions.InvalidURL, match=r"127\.0\.0\.1:\d+whatsapp"):
        account.whatsapp.send_template(TEMPLATE, VOICE_NUMBER, "karibu", "en", "UTILITY")
    assert not account.heard


def test_services_of_initialize_reach_the_emulator(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SERVICES:
        monkeypatch.setattr(africastalking, name, None)
    with pytest.warns(UserWarning):
        africastalking.initialize("sandbox", "key")
    africastalking.SMS._baseUrl = africastalking.SMS._contentUrl = f"{account.url}/version1"
    assert africastalking.SMS.send("Habari", [PHONE])["SMSMessageData"]["Recipients"][0]["status"] == "Success"


def test_callback_of_the_sdk_is_called_with_the_answer(account: Account) -> None:
    heard: list[Any] = []
    account.sms.send("Habari", [PHONE], callback=lambda problem, answer: heard.append((problem, answer))).join(5)
    assert heard == [(None, account.last.json())]


def test_charset_in_the_content_type_gives_the_caller_a_string(account: Account) -> None:
    account.control("PUT", "faults", {"charset": True})
    assert json.loads(account.sms.send("Habari", [PHONE]))["SMSMessageData"]


# What the Python SDK has no method for


@dataclass(frozen=True)
class Order:
    """A request to the API. how: data (form), json or params; optional: fields that may be absent."""

    method: str
    path: str
    how: str
    fields: dict[str, Any]
    optional: tuple[str, ...] = ()

    def send(self, account: Account, without: str = "", **changed: Any) -> requests.Response:
        """Send it, with or without some of its fields."""
        fields = {name: value for name, value in {**self.fields, **changed}.items() if name != without}
        return account.ask(self.method, self.path, **{self.how: fields})


ME = {"username": "sandbox"}
SUBSCRIPTION = {**ME, "shortCode": SHORT_CODE, "keyword": "news", "phoneNumber": PHONE}
PAYOUT = {"phoneNumber": PHONE, "currencyCode": "KES", "amount": 50, "metadata": {"order": "7"}}
ORDERS = {
    "SMS.send": Order("POST", "/version1/messaging", "data", {**ME, "to": PHONE, "message": "Habari"}),
    "SMS.send_premium": Order(
        "POST",
        "/version1/messaging",
        "data",
        {**ME, "to": PHONE, "message": "Habari", "from": SHORT_CODE, "bulkSMSMode": 0},
        ("bulkSMSMode",),
    ),
    "SMS.fetch_messages": Order("GET", "/version1/messaging", "params", ME),
    "SMS.create_safaricom_subscription": Order(
        "POST", "/version1/subscription/safaricom", "data", {**SUBSCRIPTION, "redirectUrl": "https://example.com"}, ("phoneNumber",)
    ),
    "Airtime.send": Order(
        "POST", "/version1/airtime/send", "data", {**ME, "recipients": json.dumps([{"phoneNumber": PHONE, "amount": "KES 10"}])}
    ),
    "Application.fetch_application_data": Order("GET", "/version1/user", "params", ME),
    "Token.generate_auth_token": Order("POST", "/auth-token/generate", "json", ME),
    "Voice.call": Order("POST", "/call", "data", {**ME, "from": VOICE_NUMBER, "to": PHONE}),
    "Voice.fetch_queued_calls": Order("POST", "/queueStatus", "data", {**ME, "phoneNumbers": VOICE_NUMBER}),
    "Voice.media_upload": Order("POST", "/mediaUpload", "data", {**ME, "phoneNumber": VOICE_NUMBER, "url": MUSIC}),
    "Insights.check_sim_swap_state": Order("POST", "/v1/sim-swap", "json", {**ME, "phoneNumbers": [PHONE]}),
    "MobileData.send": Order("POST", "/mobile/data/request", "json", {**ME, "productName": "bundles", "recipients": [bundle()]}),
    "MobileData.find_transaction": Order("GET", "/query/transaction/find", "params", {**ME, "transactionId": "ATPid_none"}),
    "MobileData.fetch_wallet_balance": Order("GET", "/query/wallet/balance", "params", ME),
    "Whatsapp.send": Order(
        "POST",
        "/whatsapp/message/send",
        "json",
        {**ME, "waNumber": VOICE_NUMBER, "phoneNumber": PHONE, "body": {"mediaType": "Image", "url": MUSIC, "caption": "Habari"}},
    ),
    "Whatsapp.send_template": Order(
        "POST",
        "/whatsapp/template/send",
        "json",
        {**ME, "waNumber": VOICE_NUMBER, "name": "karibu", "language": "en", "category": "UTILITY", "components": TEMPLATE},
    ),
    "subscription.create": Order("POST", "/version1/subscription/create", "data", SUBSCRIPTION),
    "subscription.fetch": Order("GET", "/version1/subscription", "params", {**ME, "shortCode": SHORT_CODE, "keyword": "news"}),
    "subscription.delete": Order("POST", "/version1/subscription/delete", "data", SUBSCRIPTION),
    "call.transfer": Order(
        "POST", "/callTransfer", "data", {**ME, "sessionId": "ATVId_none", "phoneNumber": OTHER, "callLeg": "callee"}, ("callLeg",)
    ),
    "checkout": Order(
        "POST",
        "/mobile/checkout/request",
        "json",
        {**ME, "productName": "shop", "phoneNumber": PHONE, "currencyCode": "KES", "amount": 100.5, "metadata": {"order": "7"}},
        ("metadata",),
    ),
    "b2c": Order("POST", "/mobile/b2c/request", "json", {**ME, "productName": "shop", "recipients": [PAYOUT]}),
    "webrtc": Order("POST", "/capability-token/request", "json", {**ME, "clientName": "John.Doe", "phoneNumber": VOICE_NUMBER}),
}
ORDERS["airtime.find"] = ORDERS["MobileData.find_transaction"]
ORDERS["wallet"] = ORDERS["MobileData.fetch_wallet_balance"]


def transfer_a_call(account: Account) -> requests.Response:
    """Hand a connected call on."""
    call = account.in_call(f'<Dial phoneNumbers="{OTHER}"/>')
    account.control("POST", f"calls/{call}/answer", {"phone": OTHER})
    return ORDERS["call.transfer"].send(account, sessionId=call, phoneNumber="+254711000019")


def subscribe_and(name: str) -> Callable[[Account], requests.Response]:
    """Return what subscribes a phone, and does something to its subscription."""

    def do(account: Account) -> requests.Response:
        ORDERS["subscription.create"].send(account)
        return ORDERS[name].send(account)

    return do


def find_airtime(account: Account) -> requests.Response:
    """Find airtime that was sent."""
    sent = account.airtime.send(PHONE, "10", "KES")["responses"][0]
    return ORDERS["airtime.find"].send(account, transactionId=sent["requestId"])


PLAIN: dict[str, Callable[[Account], requests.Response]] = {
    "subscription.create": ORDERS["subscription.create"].send,
    "subscription.fetch": subscribe_and("subscription.fetch"),
    "subscription.delete": subscribe_and("subscription.delete"),
    "call.transfer": transfer_a_call,
    "checkout": ORDERS["checkout"].send,
    "b2c": ORDERS["b2c"].send,
    "airtime.find": find_airtime,
    "wallet": ORDERS["wallet"].send,
    "webrtc": ORDERS["webrtc"].send,
    "Whatsapp.send": ORDERS["Whatsapp.send"].send,
    "Whatsapp.send_template": ORDERS["Whatsapp.send_template"].send,
}


def test_what_the_sdk_has_no_method_for_gets_the_recorded_answer(account: Account, subtests: pytest.Subtests) -> None:
    for name, send in PLAIN.items():
        account.begin()
        with subtests.test(name):
            check(send(account), name)


@pytest.mark.parametrize("name", ["Airtime.send", "Voice.call"])
def test_airtime_and_calls_are_taken_as_json_too(account: Account, name: str) -> None:
    order = ORDERS[name]
    check(account.ask("POST", order.path, json=order.fields), name)


# What goes wrong


def test_wrong_key_is_told_in_plain_text(account: Account) -> None:
    for order, key in product(ORDERS.values(), ("wrong-key", "invalid", "")):
        answer = account.ask(order.method, order.path, headers={"apiKey": key}, **{order.how: order.fields})
        check(answer, "wrong key")
        assert answer.headers["WWW-Authenticate"] == golden.WWW_AUTHENTICATE
    assert not account.phone()["messages"]


def test_wrong_key_is_an_exception_with_the_text(account: Account) -> None:
    wrong = Account(account.url, account.receiver, "wrong-key")
    with pytest.raises(AfricasTalkingException, match=r"^The supplied authentication is invalid$"):
        wrong.sms.send("Habari", [PHONE])


def test_missing_field_is_400_in_plain_text(account: Account) -> None:
    for order in ORDERS.values():
        for missing in order.fields.keys() - set(order.optional):
            answer = order.send(account, without=missing)
            check(answer, "missing field")
            assert missing in answer.text, order.path


def test_unknown_path_is_404(account: Account) -> None:
    for path in ("/version1", "/version1/messaging/", "/version2/messaging", "/call/", "/mobile/checkout"):
        check(account.ask("POST", path, data=ORDERS["SMS.send"].fields), "unknown path")


def test_wrong_method_is_405(account: Account) -> None:
    for order in ORDERS.values():
        check(account.ask("PUT", order.path, **{order.how: order.fields}), "wrong method")


def test_broken_json_is_400(account: Account) -> None:
    for order in (order for order in ORDERS.values() if order.how == "json"):
        answer = account.ask("POST", order.path, data="{", headers={"Content-Type": "application/json"})
        check(answer, "missing field")


# Messages


def test_three_recipients_three_outcomes_one_charge(account: Account) -> None:
    before = account.balance()
    # The SDK takes four digits for a number.
    told = account.sms.send("Habari", [PHONE, BLACKLISTED, "+1234"])
    shape = golden.answer_to_sms(
        "Sent to 1/3 Total Cost: KES .*",
        golden.SMS_ACCEPTED,
        sms_refused("UserInBlacklist", 406),
        sms_refused("InvalidPhoneNumber", 403),
    )
    assert account.last.status_code == 201
    assert not differences(shape, told)
    accepted, *refused = told["SMSMessageData"]["Recipients"]
    assert [one["number"] for one in (accepted, *refused)] == [PHONE, BLACKLISTED, "+1234"]
    assert sum_of(accepted["cost"]) > 0
    assert account.balance() == before - sum_of(accepted["cost"])


def test_numbers_that_the_sdk_lets_through_are_refused_one_by_one(account: Account) -> None:
    numbers = ["+0000", "+1234", "+٢٥٤٧١١٠٠٠١٠٠", "+254711000017000000000"]
    told = account.sms.send("Habari", numbers)["SMSMessageData"]["Recipients"]
    assert [(one["number"], one["statusCode"]) for one in told] == [(number, 403) for number in numbers]
    assert {one["status"] for one in account.voice.call(VOICE_NUMBER, numbers)["entries"]} == {"InvalidPhoneNumber"}
    assert {one["status"] for one in account.insights.check_sim_swap_state(numbers)["responses"]} == {"UnsupportedPhoneNumber"}


def test_many_recipients_get_an_outcome_each(account: Account) -> None:
    numbers = [f"+2547110{place:05}" for place in range(11_000, 11_999)]
    before = account.balance()
    told = account.sms.send("Habari", numbers)["SMSMessageData"]
    assert {one["number"] for one in told["Recipients"]} == set(numbers)
    assert len({one["messageId"] for one in told["Recipients"]} - {"None"}) == sum(one["status"] == "Success" for one in told["Recipients"])
    assert account.balance() == before - sum(sum_of(one["cost"]) for one in told["Recipients"])


# The euro takes two places, this letter turns the whole message to UCS-2.
PARTS = [("a" * 160, 1), ("a" * 161, 2), ("€" * 80, 1), ("€" * 81, 2), ("ê" * 70, 1), ("ê" * 71, 2)]


def test_long_message_costs_by_its_parts(account: Account) -> None:
    price = sum_of(account.sms.send("Habari", [PHONE])["SMSMessageData"]["Recipients"][0]["cost"])
    for text, parts in PARTS:
        before = account.balance()
        told = account.sms.send(text, [PHONE])["SMSMessageData"]
        assert told["Message"].endswith(f"Message parts: {parts}"), text
        assert sum_of(told["Recipients"][0]["cost"]) == parts * price == before - account.balance()
        account.pass_s(5)
        assert account.phone()["messages"][-1]["text"] == text


@pytest.mark.parametrize("send", ["send", "send_premium", "send_hashed"])
def test_sender_that_is_not_ours_is_201_with_nobody(account: Account, send: str) -> None:
    before = account.balance()
    orders = {
        "send": lambda: account.sms.send("Habari", [PHONE], sender_id="InvalidName"),
        "send_premium": lambda: account.sms.send_premium("Habari", "Invalid", [PHONE]),
        "send_hashed": lambda: account.sms.send_hashed("Habari", "2547*****100", "Invalid"),
    }
    assert orders[send]() == golden.NO_SENDER
    assert account.last.status_code == 201
    assert account.balance() == before
    assert not account.phone()["messages"]


def test_message_is_on_the_phone_as_it_was_sent(account: Account) -> None:
    sent = account.sms.send("Mambo + 100% & 'ñ' 😀", [PHONE], sender_id="POKEA", enqueue=True)["SMSMessageData"]["Recipients"][0]
    account.pass_s(5)
    (message,) = account.phone()["messages"]
    assert (message["id"], message["direction"], message["from"], message["to"]) == (sent["messageId"], "in", "POKEA", PHONE)
    assert message["text"] == "Mambo + 100% & 'ñ' 😀"


def test_who_left_a_sender_is_refused_there_and_nowhere_else(account: Account) -> None:
    account.control("POST", f"phones/{PHONE}/opt-out", {"senderId": "POKEA"})
    before = account.balance()
    told = account.sms.send("Habari", [PHONE], sender_id="POKEA")["SMSMessageData"]["Recipients"]
    assert not differences(sms_refused("UserInBlacklist", 406), told[0])
    assert account.balance() == before
    assert account.sms.send("Habari", [PHONE], sender_id="OTHER")["SMSMessageData"]["Recipients"][0]["status"] == "Success"


def test_messages_are_fetched_from_the_last_that_was_received(account: Account) -> None:
    for text in ("one", "two", "three"):
        account.write(text)
    everything = account.sms.fetch_messages()["SMSMessageData"]["Messages"]
    assert [one["text"] for one in everything] == ["one", "two", "three"]
    assert [one["id"] for one in everything] == sorted({one["id"] for one in everything})
    assert {(one["from"], one["to"]) for one in everything} == {(PHONE, SHORT_CODE)}
    rest = account.sms.fetch_messages(last_received_id=everything[0]["id"])["SMSMessageData"]["Messages"]
    assert rest == everything[1:]
    assert account.sms.fetch_messages(everything[-1]["id"]) == {"SMSMessageData": {"Messages": []}}


def test_subscriptions_are_listed_until_they_are_deleted(account: Account) -> None:
    ORDERS["subscription.create"].send(account)
    ORDERS["subscription.create"].send(account, phoneNumber=OTHER)
    first, second = ORDERS["subscription.fetch"].send(account).json()["responses"]
    assert (first["phoneNumber"], second["phoneNumber"]) == (PHONE, OTHER)
    later = account.ask("GET", "/version1/subscription", params={**ORDERS["subscription.fetch"].fields, "lastReceivedId": first["id"]})
    assert later.json() == {"responses": [second]}
    ORDERS["subscription.delete"].send(account)
    assert ORDERS["subscription.fetch"].send(account).json() == {"responses": [second]}


# Money


def test_out_of_balance(account: Account) -> None:
    account.control("PUT", "settings", {"balance": "KES 0.5000"})
    told = account.sms.send("Habari", [PHONE])["SMSMessageData"]
    assert told["Recipients"][0]["statusCode"] == 405
    assert not differences(sms_refused("InsufficientBalance", 405), told["Recipients"][0])
    airtime = account.airtime.send(PHONE, "10", "KES")
    assert account.last.status_code == 201
    assert not differences(golden.answer_to_airtime(golden.AIRTIME_REFUSED, sent=0, problem=golden.Text(".+")), airtime)
    assert airtime["responses"][0]["errorMessage"] == "Insufficient Credit"
    assert account.voice.call(VOICE_NUMBER, [PHONE]) == golden.CALL_REFUSED
    assert account.last.status_code == 200
    assert account.insights.check_sim_swap_state([PHONE])["responses"][0]["status"] == "InsufficientBalance"
    assert account.balance() == Decimal("0.5")
    account.pass_s(10)
    assert not account.receiver.got


def test_airtime_is_charged_less_its_discount_and_is_on_the_phone(account: Account) -> None:
    before = account.balance()
    recipients = [{"phoneNumber": number, "amount": "44", "currency_code": "KES"} for number in (PHONE, "+1234", OTHER)]
    told = account.airtime.send(recipients=recipients)
    accepted, refused = golden.AIRTIME_ACCEPTED, golden.AIRTIME_REFUSED
    assert not differences(golden.answer_to_airtime(accepted, refused, accepted, sent=2), told)
    good = [one for one in told["responses"] if one["status"] == "Sent"]
    assert [sum_of(one["amount"]) for one in good] == [44, 44]
    assert sum_of(told["totalAmount"]) == sum(sum_of(one["amount"]) for one in good)
    assert sum_of(told["totalDiscount"]) == sum(sum_of(one["discount"]) for one in good) > 0
    assert account.balance() == before - sum_of(told["totalAmount"]) + sum_of(told["totalDiscount"])
    account.pass_s(10)
    assert account.phone()["balance"] == "KES 44.0000"


def test_sums_that_the_sdk_lets_through_are_refused(account: Account) -> None:
    before = account.balance()
    for amount in ("nan", "inf", "-5", "1e400", "1e-9", "1_0"):
        (refused,) = account.airtime.send(PHONE, amount, "KES")["responses"]
        assert (refused["status"], refused["requestId"]) == ("Failed", "None"), amount
        assert account.last.status_code == 201
    (refused,) = account.airtime.send(PHONE, "10", "XYZ")["responses"]
    assert refused["status"] == "Failed"
    assert account.balance() == before


def test_airtime_that_fails_is_given_back(account: Account) -> None:
    before = account.balance()
    sent = account.airtime.send("+254711000008", "10", "KES")["responses"][0]
    assert account.balance() < before
    account.pass_s(10)
    assert [one["status"] for one in account.told("airtime.status")] == ["Failed"]
    assert ORDERS["airtime.find"].send(account, transactionId=sent["requestId"]).json() == {"status": "Failed"}
    assert account.balance() == before


def test_airtime_that_the_application_does_not_know_is_not_sent(account: Account) -> None:
    account.says("airtime.validation", '{"status":"Failed"}')
    before = account.balance()
    account.airtime.send(PHONE, "10", "KES")
    account.pass_s(10)
    assert [one["status"] for one in account.told("airtime.status")] == ["Failed"]
    assert (account.balance(), sum_of(account.phone()["balance"])) == (before, 0)


@pytest.mark.parametrize("header", ["Idempotency-Key", "Idempotence-Key"])
def test_airtime_with_a_key_that_was_seen_is_a_duplicate(account: Account, header: str) -> None:
    order = ORDERS["Airtime.send"]
    first = account.ask("POST", order.path, data=order.fields, headers={header: "once"})
    check(first, "Airtime.send")
    after = account.balance()
    again = account.ask("POST", order.path, data=order.fields, headers={header: "once"})
    assert again.status_code == 201
    assert again.headers["Content-Type"] == golden.JSON
    assert "duplicate" in again.json()["errorMessage"].lower()
    assert again.json()["numSent"] == 0
    assert all(one["status"] == "Failed" for one in again.json()["responses"])
    assert account.balance() == after
    account.pass_s(10)
    assert len(account.told("airtime.status")) == 1
    assert account.phone()["balance"] == "KES 10.0000"
    assert account.ask("POST", order.path, data=order.fields, headers={header: "another"}).json()["numSent"] == 1


def test_key_that_the_sdk_keeps_makes_the_next_order_a_duplicate(account: Account) -> None:
    assert account.airtime.send(PHONE, "10", "KES", idempotency_key="once")["numSent"] == 1
    assert account.airtime.send(OTHER, "10", "KES")["numSent"] == 0


@pytest.mark.parametrize("name", ["MobileData.send", "b2c"])
def test_disbursement_with_a_key_that_was_seen_is_a_duplicate(account: Account, name: str) -> None:
    order = ORDERS[name]
    first = account.ask("POST", order.path, json=order.fields, headers={"Idempotency-Key": "once"})
    check(first, name)
    after = sum_of(account.data.fetch_wallet_balance()["balance"])
    again = account.ask("POST", order.path, json=order.fields, headers={"Idempotency-Key": "once"})
    assert "duplicate" in again.text.lower()
    assert sum_of(account.data.fetch_wallet_balance()["balance"]) == after
    account.pass_s(10)
    assert len(account.told("payments.notification")) == 1


def test_mobile_data_is_paid_from_the_wallet_and_is_on_the_phone(account: Account) -> None:
    before = sum_of(account.data.fetch_wallet_balance()["balance"])
    good, bad = account.data.send("bundles", [bundle(), bundle("+12025550123")])["entries"]
    assert account.last.status_code == 201
    assert not differences(golden.DATA_REFUSED, bad)
    assert sum_of(account.data.fetch_wallet_balance()["balance"]) == before - sum_of(good["value"]) < before
    account.pass_s(10)
    assert account.phone()["data"] == ["100 MB Day"]
    found = account.data.find_transaction(good["transactionId"])["data"]
    assert (found["transactionId"], found["category"], found["value"]) == (good["transactionId"], "MobileData", good["value"])
    assert (found["status"], found["requestMetadata"], found["destination"]) == ("Success", {"order": "7"}, PHONE)


def test_unknown_transaction_is_not_available(account: Account) -> None:
    for unknown in ("ATPid_" + "0" * 32, "ATQid_" + "0" * 32, "nothing"):
        account.data.find_transaction(unknown)
        check(account.last, "unknown transaction")


@pytest.mark.parametrize(
    "changed", [{"unit": ["MB"]}, {"quantity": True}, {"quantity": -1}, {"validity": "Year"}, {"phoneNumber": None}], ids=str
)
def test_mobile_data_that_cannot_be_is_refused_and_costs_nothing(account: Account, changed: dict[str, Any]) -> None:
    before = account.data.fetch_wallet_balance()
    told = ORDERS["MobileData.send"].send(account, recipients=[{**bundle(), **changed}])
    assert told.status_code == 201
    (refused,) = told.json()["entries"]
    assert refused.keys() == golden.DATA_REFUSED.keys()
    assert account.data.fetch_wallet_balance() == before


@pytest.mark.parametrize(("does_pay", "status"), [(True, "Success"), (False, "Failed")])
def test_checkout_asks_the_phone_and_moves_the_money(account: Account, does_pay: bool, status: str) -> None:
    before = sum_of(account.data.fetch_wallet_balance()["balance"])
    made = ORDERS["checkout"].send(account).json()
    (prompt,) = account.phone()["payment_prompts"]
    assert (prompt["id"], prompt["amount"]) == (made["transactionId"], "KES 100.5000")
    account.control("POST", f"phones/{PHONE}/payments/{prompt['id']}", {"pin": does_pay})
    account.pass_s(5)
    assert not account.phone()["payment_prompts"]
    (told,) = account.told("payments.notification")
    assert (told["transactionId"], told["category"], told["status"]) == (made["transactionId"], "MobileCheckout", status)
    assert (told["source"], told["destination"], told["requestMetadata"]) == (PHONE, "PaymentWallet", {"order": "7"})
    found = ORDERS["airtime.find"].send(account, transactionId=made["transactionId"]).json()
    assert not differences({"status": "Success", "data": golden.FOUND}, found)
    assert found["data"]["status"] == status
    paid = sum_of(told["value"]) if does_pay else 0
    assert sum_of(account.data.fetch_wallet_balance()["balance"]) == before + paid


def test_checkout_that_cannot_be_is_an_invalid_request(account: Account) -> None:
    shape = {"description": golden.Text(".+"), "status": "InvalidRequest", "transactionId?": golden.Text()}
    for changed in ({"phoneNumber": "+1234"}, {"currencyCode": "USD"}, {"amount": -1}, {"amount": "ten"}):
        told = ORDERS["checkout"].send(account, **changed)
        assert told.status_code == 201
        assert not differences(shape, told.json()), changed
    assert not account.phone()["payment_prompts"]


def test_sim_swap_check_refuses_what_has_no_card(account: Account) -> None:
    before = account.balance()
    told = account.insights.check_sim_swap_state([PHONE, "+12025550123"])
    assert not differences(golden.answer_to_swap(golden.SWAP_ACCEPTED, golden.SWAP_REFUSED), told)
    assert account.balance() == before - Decimal(str(told["responses"][0]["cost"]["amount"]))
    account.pass_s(10)
    assert [one["requestId"] for one in account.told("sim_swap.status")] == [told["responses"][0]["requestId"]]


# Calls


def test_call_to_no_number_is_refused_beside_a_good_one(account: Account) -> None:
    told = account.voice.call(VOICE_NUMBER, [PHONE, "+1234"])
    assert told["errorMessage"] == "None"
    assert [(one["phoneNumber"], one["status"]) for one in told["entries"]] == [(PHONE, "Queued"), ("+1234", "InvalidPhoneNumber")]
    assert told["entries"][1]["sessionId"] == "None"
    assert account.phone()["calls"][0]["call"] == told["entries"][0]["sessionId"]


def test_call_is_charged_when_it_ends(account: Account) -> None:
    before = account.balance()
    call = account.in_call("<Conference/>")
    account.pass_s(61)
    account.control("POST", f"calls/{call}/hangup", {})
    account.pass_s(1)
    (told,) = account.told("voice.event")
    assert int(told["durationInSeconds"]) in range(61, 70)
    assert account.balance() == before - Decimal(told["amount"]) < before


def test_queued_calls_count_until_they_leave(account: Account) -> None:
    empty = {"entries": [], "errorMessage": "None", "status": "Success"}
    assert account.voice.fetch_queued_calls(VOICE_NUMBER) == empty
    call = account.in_call('<Enqueue name="sales"/>')
    waiting = {"phoneNumber": VOICE_NUMBER, "queueName": "sales", "numCalls": 1}
    assert account.voice.fetch_queued_calls(VOICE_NUMBER)["entries"] == [waiting]
    order = ORDERS["Voice.fetch_queued_calls"]
    assert account.ask("POST", order.path, data={**order.fields, "queueName": "sales"}).json()["entries"] == [waiting]
    assert account.ask("POST", order.path, data={**order.fields, "queueName": "help"}).json()["entries"] == []
    assert account.voice.fetch_queued_calls("+254711082001") == empty
    account.control("POST", f"calls/{call}/hangup", {})
    assert account.voice.fetch_queued_calls(VOICE_NUMBER) == empty


def test_media_that_was_uploaded_is_told_apart_when_it_plays(account: Account) -> None:
    account.voice.media_upload(VOICE_NUMBER, MUSIC)
    call = account.in_call(f'<Play url="{MUSIC}"/><Play url="{MUSIC}?other"/><Conference/>')
    shown = account.control("GET", f"calls/{call}")
    assert shown["heard"][:2] == [f"[plays {MUSIC}]", f"[plays {MUSIC}?other]"]
    played = [step["text"] for step in shown["steps"] if step["what"] == "Play"]
    assert played == [f"[plays {MUSIC}]", "from the files that were uploaded", f"[plays {MUSIC}?other]"]


def test_call_that_is_not_connected_cannot_be_transferred(account: Account) -> None:
    call = account.in_call("<Conference/>")
    for unknown in (call, "ATVId_none"):
        told = ORDERS["call.transfer"].send(account, sessionId=unknown)
        assert told.status_code == 200
        shape = {"callTransferResponse": {"errorMessage": golden.Text("(?!None).+"), "status": "Aborted"}}
        assert not differences(shape, told.json())


def test_whatsapp_message_is_on_the_phone(account: Account) -> None:
    sent = account.whatsapp.send({"message": "Habari"}, VOICE_NUMBER, PHONE)
    assert (account.phone()["messages"][-1]["text"], sent["phoneNumber"]) == ("Habari", PHONE)


# Callbacks


def report(account: Account) -> dict[str, Any]:
    """Have a message reported."""
    sent = account.sms.send("Habari", [PHONE])["SMSMessageData"]["Recipients"][0]
    return {"id": sent["messageId"], "phoneNumber": PHONE, "status": "Success", "networkCode": "99999"}


def failed_report(account: Account) -> dict[str, Any]:
    """Have a message reported as failed."""
    sent = account.sms.send("Habari", ["+254711000002"])["SMSMessageData"]["Recipients"][0]
    return {"id": sent["messageId"], "status": "Failed", "failureReason": "DeliveryFailure"}


def premium_report(account: Account) -> dict[str, Any]:
    """Have a premium message reported."""
    link = account.write("news")["link_id"]
    sent = account.sms.send_premium("Habari", SHORT_CODE, [PHONE], link_id=link)["SMSMessageData"]["Recipients"][0]
    return {"id": sent["messageId"], "status": "Success", "retryCount": "0"}


def incoming(account: Account) -> dict[str, Any]:
    """Write a message on the phone."""
    written = account.write("Habari + 100% & ñ=1; a b")
    return {"id": written["id"], "linkId": written["link_id"], "text": "Habari + 100% & ñ=1; a b", "from": PHONE, "to": SHORT_CODE}


def opt_out(account: Account) -> dict[str, Any]:
    """Leave a sender."""
    account.control("POST", f"phones/{PHONE}/opt-out", {"senderId": "POKEA"})
    return {"senderId": "POKEA", "phoneNumber": PHONE}


def subscribe(account: Account) -> dict[str, Any]:
    """Subscribe by the API."""
    ORDERS["subscription.create"].send(account)
    return {"phoneNumber": PHONE, "shortCode": SHORT_CODE, "keyword": "news", "updateType": "addition"}


def unsubscribe(account: Account) -> dict[str, Any]:
    """Leave a keyword by the control API."""
    body = {"shortCode": SHORT_CODE, "keyword": "news"}
    account.control("POST", f"phones/{PHONE}/subscriptions", body)
    account.pass_s(1)
    account.receiver.got.clear()
    account.control("DELETE", f"phones/{PHONE}/subscriptions", body)
    return {"phoneNumber": PHONE, "updateType": "deletion"}


def validate_airtime(account: Account) -> dict[str, Any]:
    """Send airtime, about which the application is asked."""
    sent = account.airtime.send(PHONE, "500", "KES")["responses"][0]
    return {"transactionId": sent["requestId"], "phoneNumber": PHONE, "amount": 500}


def airtime(account: Account) -> dict[str, Any]:
    """Send airtime."""
    sent = account.airtime.send(PHONE, "500", "KES")["responses"][0]
    same = {"requestId": sent["requestId"], "discount": sent["discount"], "value": sent["amount"]}
    return {**same, "phoneNumber": PHONE, "status": "Success"}


def sim_swap(account: Account) -> dict[str, Any]:
    """Have a card checked that was not swapped."""
    told = account.insights.check_sim_swap_state([PHONE])
    request = told["responses"][0]["requestId"]
    return {"requestId": request, "transactionId": told["transactionId"], "lastSimSwapDate": "01-01-1900", "status": "Swapped"}


def swapped(account: Account) -> dict[str, Any]:
    """Have a card checked that was swapped yesterday."""
    account.insights.check_sim_swap_state(["+254711000007"])
    return {"lastSimSwapDate": f"{datetime.now(UTC) - timedelta(days=1):%d-%m-%Y}"}


def dial(account: Account) -> dict[str, Any]:
    """Dial the application's USSD code and type twice."""
    account.says("ussd.session", "CON More?")
    session = account.control("POST", f"phones/{PHONE}/ussd", {"code": USSD_CODE}, status=201)["session"]
    account.control("POST", f"phones/{PHONE}/ussd/{session}", {"input": "1"})
    account.says("ussd.session", "END Kwaheri, ñ & 1+1")
    account.receiver.got.clear()
    account.control("POST", f"phones/{PHONE}/ussd/{session}", {"input": "2"})
    return {"sessionId": session, "phoneNumber": PHONE, "serviceCode": USSD_CODE}


def ussd(account: Account) -> dict[str, Any]:
    """Expect the third request of a session."""
    return {**dial(account), "text": "1*2", "networkCode": "99999"}


def ussd_end(account: Account) -> dict[str, Any]:
    """Expect the end of a session."""
    done = {"input": "1*2", "hopsCount": "3", "lastAppResponse": "END Kwaheri, ñ & 1+1", "errorMessage": "", "hopsMetadata": ""}
    return {**dial(account), **done, "status": "Success"}


def instruct_outbound(account: Account) -> dict[str, Any]:
    """Be called and answer."""
    sent = account.ask("POST", "/call", data={**ORDERS["Voice.call"].fields, "clientRequestId": "order 7"}).json()
    call = sent["entries"][0]["sessionId"]
    account.control("POST", f"calls/{call}/answer", {})
    same = {"sessionId": call, "clientRequestId": "order 7", "direction": "Outbound"}
    return {**same, "callerNumber": PHONE, "destinationNumber": VOICE_NUMBER, "callerCountryCode": "KE"}


def instruct_inbound(account: Account) -> dict[str, Any]:
    """Call the account's number."""
    call = account.control("POST", f"phones/{PHONE}/call", {"to": VOICE_NUMBER}, status=201)["call"]
    same = {"sessionId": call, "direction": "Inbound", "callSessionState": "Ringing"}
    return {**same, "callerNumber": PHONE, "destinationNumber": VOICE_NUMBER}


def instruct_digits(account: Account) -> dict[str, Any]:
    """Press keys that were asked for."""
    call = account.in_call('<GetDigits finishOnKey="#"><Say>Press</Say></GetDigits>')
    account.receiver.got.clear()
    account.says("voice.instructions", DOCUMENT("<Say>Asante</Say>"))
    account.control("POST", f"calls/{call}/digits", {"digits": "12*#"})
    return {"sessionId": call, "dtmfDigits": "12*"}


def instruct_recording(account: Account) -> dict[str, Any]:
    """Speak for a recording; it can be fetched."""
    call = account.in_call('<Record maxLength="10"><Say>Speak</Say></Record>')
    account.receiver.got.clear()
    account.says("voice.instructions", DOCUMENT("<Say>Asante</Say>"))
    url = account.control("POST", f"calls/{call}/record", {"seconds": 3})["recording"]
    sound = requests.get(url, timeout=10)
    assert (sound.status_code, sound.content[:4], sound.content[8:12]) == (200, b"RIFF", b"WAVE")
    return {"sessionId": call, "recordingUrl": url}


def ended(account: Account) -> dict[str, Any]:
    """Hang up a call."""
    call = account.in_call("<Conference/>")
    account.control("POST", f"calls/{call}/hangup", {})
    return {"sessionId": call, "status": "Success", "hangupCause": "NORMAL_CLEARING", "direction": "Outbound"}


def ended_dialled(account: Account) -> dict[str, Any]:
    """Hang up a call that was connected to another phone."""
    call = account.in_call(f'<Dial phoneNumbers="{OTHER}" record="true"/>')
    account.control("POST", f"calls/{call}/answer", {"phone": OTHER})
    account.control("POST", f"calls/{call}/hangup", {})
    url = account.control("GET", f"calls/{call}")["recording"]
    return {"sessionId": call, "dialDestinationNumber": OTHER, "recordingUrl": url}


def ended_unanswered(account: Account) -> dict[str, Any]:
    """Reject a call."""
    call = account.voice.call(VOICE_NUMBER, [PHONE])["entries"][0]["sessionId"]
    account.control("POST", f"calls/{call}/reject", {})
    return {"sessionId": call, "status": "Aborted", "durationInSeconds": "0", "hangupCause": "CALL_REJECTED"}


def paid(account: Account) -> dict[str, Any]:
    """Pay what the account asks for."""
    made = ORDERS["checkout"].send(account).json()["transactionId"]
    account.control("POST", f"phones/{PHONE}/payments/{made}", {"pin": True})
    return {"transactionId": made, "category": "MobileCheckout", "value": "KES 100.5000", "productName": "shop", "status": "Success"}


def paid_out(account: Account) -> dict[str, Any]:
    """Be paid by the account."""
    made = ORDERS["b2c"].send(account).json()["entries"][0]["transactionId"]
    ends = {"source": "PaymentWallet", "destination": PHONE}
    return {"transactionId": made, "category": "MobileB2C", "value": "KES 50.0000", "status": "Success", **ends}


def validate_payout(account: Account) -> dict[str, Any]:
    """Be paid by the account, which is asked whether it wants to."""
    made = ORDERS["b2c"].send(account).json()["entries"][0]["transactionId"]
    return {"transactionId": made, "phoneNumber": PHONE, "amount": 50, "metadata": {"order": "7"}}


CAUSES = [
    ("sms.delivery_report", report),
    ("sms.delivery_report", failed_report),
    ("sms.delivery_report", premium_report),
    ("sms.incoming_message", incoming),
    ("sms.opt_out", opt_out),
    ("sms.subscription", subscribe),
    ("sms.subscription", unsubscribe),
    ("airtime.validation", validate_airtime),
    ("airtime.status", airtime),
    ("sim_swap.status", sim_swap),
    ("sim_swap.status", swapped),
    ("ussd.session", ussd),
    ("ussd.session_end", ussd_end),
    ("voice.instructions", instruct_outbound),
    ("voice.instructions", instruct_inbound),
    ("voice.instructions", instruct_digits),
    ("voice.instructions", instruct_recording),
    ("voice.event", ended),
    ("voice.event", ended_dialled),
    ("voice.event", ended_unanswered),
    ("payments.notification", paid),
    ("payments.notification", paid_out),
    ("payments.validation", validate_payout),
]


@pytest.mark.parametrize(("kind", "cause"), CAUSES, ids=[f"{kind}-{cause.__name__}" for kind, cause in CAUSES])
def test_callback_comes_once_as_recorded(account: Account, kind: str, cause: Callable[[Account], dict[str, Any]]) -> None:
    expected = cause(account)
    account.pass_s(5)
    record = CALLBACKS[kind]
    (got,) = account.receiver.at(f"/{kind}")
    assert got.headers["Content-Type"] == record.media
    assert record.agent in (None, got.headers["User-Agent"])
    assert not [name for name in got.headers if "signature" in name.lower()]
    said = said_by(got)
    assert not differences(record.shape, said, kind), (record.source, got.body)
    names = list(said)
    assert names[: record.begins] == order_of(record.shape, names)[: record.begins], record.source
    assert {name: said[name] for name in expected} == expected
    # Every mark but letters, digits and -._~ is encoded, a space as a plus.
    written = urlencode(said) if record.media == golden.FORM else json.dumps(said, separators=(",", ":"))
    assert got.body.decode() == written


def test_ussd_request_goes_as_it_was_captured(account: Account) -> None:
    session = dial(account)["sessionId"]
    (got,) = account.receiver.at("/ussd.session")
    captured = f"phoneNumber=%2B{PHONE[1:]}&serviceCode=%2A384%2A1234%23&text=1%2A2&sessionId={session}&networkCode=99999"
    assert got.body.decode() == captured


def test_time_that_passes_waits_for_what_is_under_way(account: Account) -> None:
    has_answered = threading.Event()

    def answer_late(_: Got) -> tuple[int, str]:
        threading.Event().wait(0.3)
        has_answered.set()
        return 200, ""

    account.receiver.answers["/sms.opt_out"] = answer_late
    opt_out(account)
    account.receiver.wait("/sms.opt_out")
    account.pass_s(5)
    assert has_answered.is_set()


def test_every_kind_of_callback_is_caused_here() -> None:
    assert {kind for kind, _ in CAUSES} == set(CALLBACKS)


def test_stop_of_a_subscriber_is_incoming_and_leaves(account: Account) -> None:
    account.sms.send("Habari", [PHONE], sender_id=SHORT_CODE)
    account.write("STOP")
    account.pass_s(5)
    assert account.told("sms.opt_out") == [{"senderId": SHORT_CODE, "phoneNumber": PHONE}]
    assert [one["text"] for one in account.told("sms.incoming_message")] == ["STOP"]
    assert account.sms.send("Habari", [PHONE], sender_id=SHORT_CODE)["SMSMessageData"]["Recipients"][0]["statusCode"] == 406


def test_no_address_for_a_kind_means_no_callback(account: Account) -> None:
    account.control("PUT", "settings", {"callbacks": {"sms.delivery_report": None}})
    account.sms.send("Habari", [PHONE])
    account.pass_s(60)
    assert not account.receiver.got
