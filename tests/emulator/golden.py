"""What Africa's Talking answers and posts, by record: status, content type and shape, each with the source it is known from.

Sources carry the tags of the protocol reference (2026-11-20): laravel-fix are recorded answers, py-test and node mocks the
tests of AT's own SDKs, cap21, cap22 and ous captured requests, smsdoc, docs and help its documentation, usb its newer
portal, atn and ti other integrators. `inferred` is our conclusion. In a shape, a dictionary's order is the order on the wire.
"""

import re
from dataclasses import dataclass
from typing import Any

FORM, JSON, TEXT = "application/x-www-form-urlencoded", "application/json", "text/plain; charset=UTF-8"
USSD_AGENT = "at-ussd-api/1.0"
# What stands where a refused order has no identifier, and where nothing went wrong.
NONE = "None"


@dataclass(frozen=True)
class Text:
    """A string, whole as the pattern says."""

    pattern: str = r"[\s\S]*"


@dataclass(frozen=True)
class OneOf:
    """Any of these, of the same JSON type."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Type:
    """A JSON value of one of these types; true is no number."""

    types: tuple[type, ...]


@dataclass(frozen=True)
class Each:
    """A list, all of whose items have one shape."""

    shape: Any
    least: int = 1


WHOLE, NUMBER, FLAG = Type((int,)), Type((int, float)), Type((bool,))
MAP = Type((dict,))


def of(prefix: str) -> Text:
    """Return the shape of an identifier: its product's prefix and 32 hexadecimal digits."""
    return Text(prefix + "[0-9a-f]{32}")


PHONE = Text(r"\+\d{7,15}")
MONEY, ANY_MONEY = Text(r"[A-Z]{3} \d+\.\d{4}"), Text(r"[A-Z]{3} \d+(\.\d+)?")
UUID = Text(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SMS_ID, AIRTIME_ID, CALL_ID, USSD_ID = of("ATXid_"), of("ATQid_"), of("ATVId_"), of("ATUid_")
PAYMENT_ID, SWAP_ID = of("ATPid_"), of("AT(XSw|Swp)id_")
SECONDS = Text(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
ISO = Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NETWORK = Text(r"\d{5}")
DIGITS = Text(r"\d+")
ADDRESS = Text(r"https?://\S+")


def differences(shape: Any, value: Any, where: str = "it") -> list[str]:
    """Return how a value differs from its shape, as sentences; none when it does not. A key with `?` may be absent."""
    if isinstance(shape, dict):
        return _of_object(shape, value, where)
    if isinstance(shape, Each):
        if not isinstance(value, list) or len(value) < shape.least:
            return [f"{where} is no list of {shape.least} or more: {value!r:.120}"]
        return [one for place, item in enumerate(value) for one in differences(shape.shape, item, f"{where}[{place}]")]
    if isinstance(shape, list):
        return _of_list(shape, value, where)
    if isinstance(shape, Text):
        is_same = isinstance(value, str) and re.fullmatch(shape.pattern, value) is not None
    elif isinstance(shape, OneOf):
        is_same = any(type(value) is type(one) and value == one for one in shape.values)
    elif isinstance(shape, Type):
        is_same = type(value) in shape.types
    else:
        is_same = type(value) is type(shape) and value == shape
    return [] if is_same else [f"{where} is {value!r:.120}, not {shape!r:.120}"]


def _of_object(shape: dict[str, Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where} is no object: {value!r:.120}"]
    named = {key.removesuffix("?"): inner for key, inner in shape.items()}
    found = [f"{where} lacks {key}" for key in shape if not key.endswith("?") and key not in value]
    found += [f"{where} has {key}, which no record has" for key in value if key not in named]
    return found + [one for key in value if key in named for one in differences(named[key], value[key], f"{where}.{key}")]


def _of_list(shape: list[Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or len(value) != len(shape):
        return [f"{where} is no list of {len(shape)}: {value!r:.120}"]
    return [one for place, inner in enumerate(shape) for one in differences(inner, value[place], f"{where}[{place}]")]


def order_of(shape: dict[str, Any], present: list[str]) -> list[str]:
    """Return the names that are present in the order of the record."""
    return [key.removesuffix("?") for key in shape if key.removesuffix("?") in present]


@dataclass(frozen=True)
class Answer:
    """An answer of the API."""

    # Or a OneOf, where no record tells
    status: Any
    shape: Any
    source: str
    media: str = JSON


def answer_to_sms(message: str, *recipients: Any) -> dict[str, Any]:
    """Return the shape of an answer to a message with exactly these recipients."""
    return {"SMSMessageData": {"Message": Text(message), "Recipients": list(recipients)}}


SMS_ACCEPTED = {
    "cost": MONEY,
    "messageId": SMS_ID,
    "messageParts?": WHOLE,
    "number": PHONE,
    "status": "Success",
    "statusCode": OneOf((100, 101, 102)),
}
SMS_TOTAL = r"Sent to \d+/\d+ Total Cost: [A-Z]{3} \d+(\.\d{1,4})? Message parts: \d+"


def sms_refused(status: str, code: int) -> dict[str, Any]:
    """Return the shape of a recipient that was refused. Source: smsdoc (None and 0), the table of ti:44348635927 (codes)."""
    return {"cost": "0", "messageId": NONE, "number": Text(r"\+\d+"), "status": status, "statusCode": code}


NO_SENDER = {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}  # laravel-fix, with HTTP 201
CALL_REFUSED = {"entries": [], "errorMessage": "Insufficient balance"}  # ti:71471706481
AIRTIME_ACCEPTED = {
    "amount": MONEY,
    "discount": MONEY,
    "errorMessage": NONE,
    "phoneNumber": PHONE,
    "requestId": AIRTIME_ID,
    "status": "Sent",
}
# tsk tests (message), inferred (the rest)
AIRTIME_REFUSED = {
    "amount": MONEY,
    "discount": Text(r"0|[A-Z]{3} 0\.0000"),
    "errorMessage": Text(r"(?!None).+"),
    "phoneNumber": Text(),
    "requestId": NONE,
    "status": "Failed",
}


def answer_to_airtime(*responses: Any, sent: int, problem: Any = NONE) -> dict[str, Any]:
    """Return the shape of an answer to an order of airtime."""
    return {
        "errorMessage": problem,
        "numSent": sent,
        "responses": list(responses),
        "totalAmount": ANY_MONEY,
        "totalDiscount": ANY_MONEY,
    }


DATA_ACCEPTED = {"phoneNumber": PHONE, "provider": "Athena", "status": "Queued", "transactionId": PAYMENT_ID, "value": MONEY}
DATA_REFUSED = {"errorMessage": "Destination not supported", "phoneNumber": PHONE, "status": "NotSupported"}  # laravel-fix
SWAP_ACCEPTED = {
    "cost": {"amount": NUMBER, "currencyCode": "KES"},
    "phoneNumber": {"carrierName": "Safaricom", "countryCode": 254, "networkCode": "Safaricom", "number": PHONE, "numberType": "Mobile"},
    "requestId": SWAP_ID,
    "status": "Queued",
}
# laravel-fix: no requestId, cost and networkCode
SWAP_REFUSED = {
    "phoneNumber": {"carrierName": "", "countryCode": WHOLE, "number": PHONE, "numberType": "FixedLineOrMobile"},
    "status": "UnsupportedPhoneNumber",
}


def answer_to_swap(*responses: Any) -> dict[str, Any]:
    """Return the shape of an answer to SIM swap checks."""
    cost = {"amount": NUMBER, "currencyCode": Text("[A-Z]{3}")}
    return {"responses": list(responses), "status": "Processed", "totalCost": cost, "transactionId": UUID}


CATEGORY, ENDS = Text("Bank.*|Card.*|Mobile.*|Wallet.*|UserStash.*"), OneOf(("PhoneNumber", "BankAccount", "Card", "Wallet", "UserStash"))
PAYMENT = {
    "transactionId": PAYMENT_ID,
    "category": CATEGORY,
    "provider": "Athena",
    "providerRefId?": Text(".+"),
    "providerChannel": Text(".+"),
    "clientAccount?": Text(),
    "productName": Text(),
    "sourceType": ENDS,
    "source": Text(r"\+\d+|PaymentWallet"),
    "destinationType": ENDS,
    "destination": Text(r"\+\d+|PaymentWallet"),
    "value": MONEY,
    "transactionFee?": MONEY,
    "providerFee?": MONEY,
    "status": OneOf(("Success", "Failed")),
    "description": Text(".+"),
    "requestMetadata": MAP,
    "providerMetadata": MAP,
    "transactionDate?": SECONDS,
}
FOUND = {**PAYMENT, "creationTime": SECONDS}

# Where no record tells
CREATED_OR_OK = OneOf((200, 201))
ANSWERS = {
    "SMS.send": Answer(201, answer_to_sms(SMS_TOTAL, SMS_ACCEPTED), "laravel-fix, py-test, vumi; number of parts: stella-remit"),
    "SMS.send_premium": Answer(201, answer_to_sms(r"Sent to 1/1", {**SMS_ACCEPTED, "cost": "0"}), "laravel-fix"),
    # No record is known; the number may be the masked one, which has no plus.
    "SMS.send_hashed": Answer(
        201, answer_to_sms("Sent to 1/1.*", {**SMS_ACCEPTED, "cost": Text(), "number": Text(".+")}), "inferred from SMS.send"
    ),
    "SMS.fetch_messages": Answer(
        200,
        {"SMSMessageData": {"Messages": Each({"linkId": Text(), "text": Text(), "to": Text(), "id": WHOLE, "date": ISO, "from": PHONE})}},
        "py-test, node",
    ),
    "SMS.create_safaricom_subscription": Answer(
        CREATED_OR_OK,
        {"responseCode": "Success", "status": "Sent", "transactionId": Text("Tid_.+"), "url": ADDRESS},
        "py-test; HTTP status unknown",
    ),
    "Airtime.send": Answer(201, answer_to_airtime(AIRTIME_ACCEPTED, sent=1), "laravel-fix"),
    "Application.fetch_application_data": Answer(200, {"UserData": {"balance": MONEY}}, "laravel-fix, node"),
    "Token.generate_auth_token": Answer(
        200, {"token": Text(".+"), "lifetimeInSeconds": WHOLE, "description?": Text()}, "py-test, node lib/token.js"
    ),
    "Voice.call": Answer(
        200, {"entries": Each({"phoneNumber": PHONE, "sessionId": CALL_ID, "status": "Queued"}), "errorMessage": NONE}, "laravel-fix"
    ),
    "Voice.fetch_queued_calls": Answer(
        200,
        {"entries": Each({"phoneNumber": PHONE, "queueName": Text(), "numCalls": WHOLE}), "errorMessage": NONE, "status": "Success"},
        "py-test, laravel-fix",
    ),
    "Voice.media_upload": Answer(201, {"success": True}, "py-test"),
    "Insights.check_sim_swap_state": Answer(200, answer_to_swap(SWAP_ACCEPTED), "laravel-fix; requestId's other prefix: py-test, seed002"),
    "MobileData.send": Answer(201, {"entries": Each(DATA_ACCEPTED)}, "laravel-fix"),
    "MobileData.find_transaction": Answer(200, {"status": "Success", "data": FOUND}, "node mocks; fields: atn, laravel"),
    "MobileData.fetch_wallet_balance": Answer(200, {"status": "Success", "balance": ANY_MONEY}, "node mocks, laravel-fix"),
    "Whatsapp.send": Answer(CREATED_OR_OK, {"messageId": SMS_ID, "phoneNumber": PHONE, "status": "SENT"}, "py-test; HTTP status unknown"),
    "Whatsapp.send_template": Answer(
        CREATED_OR_OK,
        {"status": "Success", "templateId": Text(".+"), "templateStatus": "Pending"},
        "py-test, node mocks; HTTP status unknown",
    ),
    # Beyond the Python SDK
    "subscription.create": Answer(201, {"status": "Success"}, "node mocks; HTTP status: node lib/sms.js"),
    "subscription.fetch": Answer(200, {"responses": Each({"id": WHOLE, "phoneNumber": PHONE, "date": Text(".+")})}, "node mocks, java"),
    "subscription.delete": Answer(CREATED_OR_OK, {"status": "Success"}, "node mocks; HTTP status: node lib/sms.js takes both"),
    "call.transfer": Answer(200, {"callTransferResponse": {"errorMessage": NONE, "status": "Success"}}, "laravel-fix"),
    "checkout": Answer(
        201,
        {
            "description": "Waiting for user input",
            "providerChannel": Text(r"\d+"),
            "status": "PendingConfirmation",
            "transactionId": PAYMENT_ID,
        },
        "laravel-fix",
    ),
    "b2c": Answer(
        201,
        {
            "numQueued": 1,
            "totalValue": MONEY,
            "totalTransactionFee": MONEY,
            "entries": [
                {
                    "phoneNumber": PHONE,
                    "status": "Queued",
                    "provider": "Athena",
                    "providerChannel": Text(r"\d+"),
                    "value": MONEY,
                    "transactionId": PAYMENT_ID,
                    "transactionFee": MONEY,
                }
            ],
        },
        "ti:7855889912; status: laravel-fix (payments 201)",
    ),
    "airtime.find": Answer(
        200, {"status": OneOf(("Sent", "Success", "Failed"))}, "node test, ti:17277091166; words: Airtime status callback"
    ),
    "wallet": Answer(200, {"status": "Success", "balance": ANY_MONEY}, "laravel-fix"),
    "webrtc": Answer(
        201,
        {"clientName": Text(".+"), "incoming": FLAG, "lifeTimeSec": DIGITS, "outgoing": FLAG, "token": of("ATCAPtkn_")},
        "laravel-fix",
    ),
    # What goes wrong
    "wrong key": Answer(401, "The supplied authentication is invalid", "laravel-fix invalid-key", TEXT),
    "unknown transaction": Answer(200, {"status": "NotAvailable"}, "node mocks, laravel-fix"),
    "missing field": Answer(400, Text(r"(?!\s*[{<])[\s\S]+"), "inferred from akka-http", TEXT),
    "unknown path": Answer(404, Text(r"(?!\s*[{<])[\s\S]+"), "inferred from akka-http", TEXT),
    "wrong method": Answer(405, Text(r"(?!\s*[{<])[\s\S]+"), "inferred from akka-http", TEXT),
}
WWW_AUTHENTICATE = 'Basic realm="api",charset=UTF-8'  # laravel-fix invalid-key


@dataclass(frozen=True)
class Callback:
    """A callback. begins: how many of its first names have that very order in captures; the others are a set."""

    media: str
    shape: dict[str, Any]
    source: str
    agent: str | None = None
    begins: int | None = None


_CALL = {
    "isActive": OneOf(("1", "0")),
    "sessionId": CALL_ID,
    "direction": OneOf(("Inbound", "Outbound")),
    "callerNumber": PHONE,
    "destinationNumber": PHONE,
    "dtmfDigits?": Text(r"[0-9*#]*"),
    "callSessionState": OneOf(("Ringing", "Active", "Answered", "Completed", "Transferred", "TransferCompleted")),
    "callerCarrierName": Text(".+"),
    "callerCountryCode": Text("[A-Z]{2}"),
    # The plus is in the decoded text.
    "callStartTime": Text(r"\d{4}-\d\d-\d\d\+\d\d:\d\d:\d\d"),
    "clientRequestId?": Text(".+"),
    "recordingUrl?": Text(r"(https?://\S+)?"),
}
CALLBACKS = {
    "sms.delivery_report": Callback(
        FORM,
        {
            "id": SMS_ID,
            "status": OneOf(("Sent", "Submitted", "Buffered", "Rejected", "Success", "Failed", "AbsentSubscriber", "Expired")),
            "phoneNumber": PHONE,
            "networkCode": NETWORK,
            "failureReason?": Text(r"[A-Za-z]+"),
            "retryCount?": DIGITS,
        },
        "smsdoc, docs:sms/deliveryreports",
    ),
    "sms.incoming_message": Callback(
        FORM,
        {
            "date": Text(SECONDS.pattern + "|" + ISO.pattern),
            "from": PHONE,
            "id": Text(".+"),
            "linkId?": Text(),
            "text": Text(),
            "to": Text(".+"),
            "networkCode": NETWORK,
            "cost?": Text(),
        },
        "smsdoc, courier",
    ),
    "sms.opt_out": Callback(FORM, {"senderId": Text(".+"), "phoneNumber": PHONE}, "smsdoc"),
    "sms.subscription": Callback(
        FORM,
        {"phoneNumber": PHONE, "shortCode": Text(".+"), "keyword": Text(), "updateType": OneOf(("addition", "deletion"))},
        "smsdoc",
    ),
    "voice.instructions": Callback(FORM, {**_CALL, "isActive": "1"}, "docs:voice/callhandler, atn, laravel", begins=5),
    "voice.event": Callback(
        FORM,
        {
            **_CALL,
            "isActive": "0",
            "callSessionState": "Completed",
            "durationInSeconds": DIGITS,
            "currencyCode": "KES",
            "amount": Text(r"\d+(\.\d+)?"),
            "status": OneOf(("Success", "Aborted")),
            "dialDestinationNumber?": PHONE,
            "dialDurationInSeconds?": DIGITS,
            "dialStartTime?": Text(r"\d{4}-\d\d-\d\d[ +]\d\d:\d\d:\d\d"),
            "hangupCause": Text("[A-Z_]+"),
            "lastBridgeHangupCause?": Text("[A-Z_]+"),
            "dequeuedToPhoneNumber?": PHONE,
            "dequeuedToSessionId?": CALL_ID,
            "dequeueTime?": Text(".+"),
            "queueDurationInSeconds?": DIGITS,
        },
        "atn, laravel, ti:10634550338",
        begins=5,
    ),
    "airtime.validation": Callback(
        JSON,
        {
            "transactionId": AIRTIME_ID,
            "phoneNumber": PHONE,
            "sourceIpAddress?": Text(r"[0-9a-f.:]+"),
            "currencyCode": "KES",
            "amount": NUMBER,
        },
        "seed002; absent address: atn",
    ),
    "airtime.status": Callback(
        JSON,
        {
            "phoneNumber": PHONE,
            "description": Text(".+"),
            "status": OneOf(("Success", "Failed")),
            "requestId": AIRTIME_ID,
            "discount": MONEY,
            "value": MONEY,
        },
        "help:6151516, course",
    ),
    "sim_swap.status": Callback(
        JSON,
        {
            "status": Text(".+"),
            "lastSimSwapDate": Text(r"\d\d-\d\d-\d{4}"),
            "providerRefId": Text(".+"),
            "requestId": SWAP_ID,
            "transactionId": UUID,
        },
        "seed002, course",
    ),
    "ussd.session": Callback(
        FORM,
        {"phoneNumber": PHONE, "serviceCode": Text(r"[*#][0-9*#]+#"), "text": Text(), "sessionId": USSD_ID, "networkCode": NETWORK},
        "cap21, cap22, ous",
        USSD_AGENT,
    ),
    "ussd.session_end": Callback(
        FORM,
        {
            "date": SECONDS,
            "sessionId": USSD_ID,
            "serviceCode": Text(r"[*#][0-9*#]+#"),
            "networkCode": NETWORK,
            "phoneNumber": PHONE,
            "status": OneOf(("Incomplete", "Success", "Failed")),
            "cost": "0.00",
            "durationInMillis": DIGITS,
            "hopsCount": DIGITS,
            "hopsMetadata": Text(),
            "input": Text(),
            "lastAppResponse": Text(),
            "errorMessage": Text(),
        },
        "usb, ous (cost without currency, errorMessage, input and hopsMetadata present but empty)",
        USSD_AGENT,
    ),
    "payments.notification": Callback(JSON, PAYMENT, "atn, laravel, ti:44436146976"),
    # Of a payment to a person; of one that a person makes of their own accord, C2B below
    "payments.validation": Callback(
        JSON,
        {
            "transactionId": PAYMENT_ID,
            "phoneNumber": PHONE,
            "currencyCode": "KES",
            "amount": NUMBER,
            "sourceIpAddress": Text(r"[0-9a-f.:]+"),
            "metadata": MAP,
        },
        "atn",
    ),
}
