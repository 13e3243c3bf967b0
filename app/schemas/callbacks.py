"""Every kind of callback: its shape (a schema) and its row in KINDS. Adding a kind is adding one of each, and a view.

Names on the wire stand only in `data_key`; what is required is what contract and provider require, nothing more.
"""

from typing import Any

from marshmallow import validates_schema

from app.schemas import answers
from app.schemas.fields import ATTime, Known, Line, Mapped, Money, PhoneNumber, Renamed, SwapDate, Text, Truth, Whole, missing_one_of
from app.schemas.kind import CallbackSchema, Kind

HANGUP_CAUSES = (
    "NORMAL_CLEARING", "CALL_REJECTED", "NORMAL_TEMPORARY_FAILURE", "RECOVERY_ON_TIMER_EXPIRE", "ORIGINATOR_CANCEL",
    "LOSE_RACE", "USER_BUSY", "NO_ANSWER", "NO_USER_RESPONSE", "SUBSCRIBER_ABSENT", "SERVICE_UNAVAILABLE",
    "USER_NOT_REGISTERED", "UNALLOCATED_NUMBER", "UNSPECIFIED",
)  # fmt: skip
CALL_STATUSES = {
    "completed": "completed", "success": "completed", "answered": "completed", "failed": "failed", "aborted": "failed",
    "busy": "busy", "no-answer": "no_answer", "notanswered": "no_answer", "rejected": "rejected",
    "invalidphonenumber": "invalid_number",
}  # fmt: skip


class DeliveryReport(CallbackSchema):
    id = Text(required=True)
    status = Known(
        "Queued",
        "Sent",
        "Submitted",
        "Buffered",
        "Success",
        "Delivered",
        "Failed",
        "Rejected",
        "Expired",
        "AbsentSubscriber",
        required=True,
    )
    phone_number = PhoneNumber(data_key="phoneNumber")
    network_code = Text(data_key="networkCode")
    failure_reason = Known(
        "InsufficientCredit", "InvalidLinkId", "UserIsInactive", "UserInBlackList", "UserAccountSuspended",
        "NotNetworkSubcriber", "NotNetworkSubscriber", "UserNotSubscribedToProduct", "UserDoesNotExist",
        "DeliveryFailure", "DoNotDisturbRejection", data_key="failureReason",
    )  # fmt: skip
    retry_count = Whole(data_key="retryCount")


class IncomingMessage(CallbackSchema):
    id = Text(required=True)
    sender = PhoneNumber(data_key="from", required=True)
    to = Line(required=True)
    text = Text(required=True, blank=True)
    date = ATTime(required=True)
    link_id = Text(data_key="linkId")
    network_code = Text(data_key="networkCode")
    cost = Money()


class OptOut(CallbackSchema):
    sender_id = Text(data_key="senderId", required=True)
    phone_number = PhoneNumber(data_key="phoneNumber", required=True)


class Subscription(CallbackSchema):
    phone_number = PhoneNumber(data_key="phoneNumber", required=True)
    short_code = Text(data_key="shortCode", required=True)
    keyword = Text()
    update_type = Known("addition", "deletion", data_key="updateType", required=True)


class Call(CallbackSchema):
    session_id = Text(data_key="sessionId")
    is_active = Truth(data_key="isActive")
    direction = Known("Inbound", "Outbound")
    caller_number = PhoneNumber(data_key="callerNumber")
    destination_number = PhoneNumber(data_key="destinationNumber")
    call_session_state = Known(
        "Ringing", "Active", "Answered", "Completed", "Transferred", "TransferCompleted", data_key="callSessionState"
    )
    dtmf_digits = Text(data_key="dtmfDigits")
    recording_url = Text(data_key="recordingUrl")
    client_request_id = Text(data_key="clientRequestId")
    client_dialed_number = Line(data_key="clientDialedNumber")
    call_start_time = ATTime(data_key="callStartTime")


class CallInstructions(Call):
    session_id = Text(data_key="sessionId", required=True)


class CallEvent(Call):
    event_type = Text(data_key="eventType")
    status = Text()
    duration_s = Whole(data_key="durationInSeconds")
    amount = Money()
    currency_code = Text(data_key="currencyCode")
    hangup_cause = Known(*HANGUP_CAUSES, data_key="hangupCause")
    last_bridge_hangup_cause = Known(*HANGUP_CAUSES, data_key="lastBridgeHangupCause")
    dial_destination_number = PhoneNumber(data_key="dialDestinationNumber")
    dial_duration_s = Whole(data_key="dialDurationInSeconds")
    dial_start_time = ATTime(data_key="dialStartTime")
    queue_duration_s = Whole(data_key="queueDurationInSeconds")
    dequeue_time = ATTime(data_key="dequeueTime")
    dequeued_to_phone_number = PhoneNumber(data_key="dequeuedToPhoneNumber")
    dequeued_to_session_id = Text(data_key="dequeuedToSessionId")
    call_transferred_to_number = PhoneNumber(data_key="callTransferredToNumber")
    call_transfer_state = Known("Active", "Completed", "CallerHangup", "CalleeHangup", data_key="callTransferState")


class Recording(CallbackSchema):
    session_id = Text(data_key="sessionId", required=True)
    phone_number = PhoneNumber(data_key="phoneNumber")
    recording_url = Text(data_key="recordingUrl")
    duration_s = Whole(data_key="duration")
    status = Renamed(CALL_STATUSES)


class AirtimeValidation(CallbackSchema):
    transaction_id = Text(data_key="transactionId", required=True)
    phone_number = PhoneNumber(data_key="phoneNumber", required=True)
    currency_code = Text(data_key="currencyCode", required=True)
    amount = Money(required=True)
    source_ip_address = Text(data_key="sourceIpAddress")


class AirtimeStatus(CallbackSchema):
    request_id = Text(data_key="requestId", required=True)
    status = Known("Success", "Failed", "Sent", required=True)
    phone_number = PhoneNumber(data_key="phoneNumber")
    description = Text()
    value = Money()
    discount = Money()


class SimSwapStatus(CallbackSchema):
    status = Known("Swapped", "NotSwapped", "Queued", "Processed", "Success", "Failed", required=True)
    request_id = Text(data_key="requestId")
    transaction_id = Text(data_key="transactionId")
    provider_ref_id = Text(data_key="providerRefId")
    last_sim_swap_date = SwapDate(data_key="lastSimSwapDate")

    @validates_schema
    def _is_named(self, data: dict[str, Any], **kwargs: Any) -> None:
        if not any((data.get(name) or "").strip() for name in ("request_id", "transaction_id")):
            raise missing_one_of("requestId", "transactionId")


class UssdHop(CallbackSchema):
    session_id = Text(data_key="sessionId", required=True)
    phone_number = PhoneNumber(data_key="phoneNumber", required=True)
    service_code = Text(data_key="serviceCode", load_default="")
    network_code = Text(data_key="networkCode", load_default="")
    text = Text(load_default="")


class UssdEnd(CallbackSchema):
    session_id = Text(data_key="sessionId", required=True)
    phone_number = PhoneNumber(data_key="phoneNumber")
    service_code = Text(data_key="serviceCode")
    network_code = Text(data_key="networkCode")
    status = Known("Incomplete", "Success", "Failed")
    date = ATTime()
    cost = Money()
    duration_ms = Whole(data_key="durationInMillis")
    hops_count = Whole(data_key="hopsCount")
    input = Text()
    last_app_response = Text(data_key="lastAppResponse")
    error_message = Text(data_key="errorMessage")


class PaymentNotification(CallbackSchema):
    transaction_id = Text(data_key="transactionId", required=True)
    status = Known(
        "Success",
        "Failed",
        "Queued",
        "Sent",
        "PendingConfirmation",
        "PendingValidation",
        "InvalidRequest",
        "NotSupported",
        "Cancelled",
        required=True,
    )
    category = Known(
        "BankCheckout", "CardCheckout", "MobileCheckout", "MobileC2B", "MobileB2C", "MobileB2B", "BankTransfer",
        "WalletTransfer", "UserStashTopup", "MobileData",
    )  # fmt: skip
    # Words as often as numbers (PaymentWallet), so no PhoneNumber
    source = Line()
    destination = Line()
    phone_number = PhoneNumber(data_key="phoneNumber")
    product_name = Text(data_key="productName")
    value = Money()
    amount = Money()
    transaction_fee = Money(data_key="transactionFee")
    provider_fee = Money(data_key="providerFee")
    transaction_date = ATTime(data_key="transactionDate")
    request_metadata = Mapped(data_key="requestMetadata")
    provider_metadata = Mapped(data_key="providerMetadata")


class PaymentValidation(CallbackSchema):
    phone_number = PhoneNumber(data_key="phoneNumber", required=True)
    transaction_id = Text(data_key="transactionId")
    value = Money()
    amount = Money()
    currency_code = Text(data_key="currencyCode")
    metadata = Mapped()
    provider_metadata = Mapped(data_key="providerMetadata")

    @validates_schema
    def _has_a_sum(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data.get("value") is None and data.get("amount") is None:
            raise missing_one_of("value", "amount")


_CALL_SAMPLE = {
    "isActive": "1", "sessionId": "ATVId_6f4b1d2c8a9e4f70b3c5d6e7f8091a2b", "direction": "Inbound",
    "callerNumber": "+254711000017", "destinationNumber": "+254711082000", "callerCountryCode": "KE",
    "callStartTime": "2026-03-04 10:30:00", "callSessionState": "Ringing",
}  # fmt: skip

# There is no such message: an answer that names it is refused with InvalidLinkId.
SAMPLE_LINK_ID = "ATUid_ebc267b0bc8d3b1939a9b4ddbe45cf64"

KINDS: dict[str, Kind] = {
    "sms.delivery_report": Kind(
        DeliveryReport(), "tells what became of a message that was sent", "SMS › Delivery Report URL",
        {"id": "ATXid_8b0e7153bf7c3706d85c524e44006655", "status": "Success", "phoneNumber": "+254711000017",
            "networkCode": "63902", "retryCount": "0"},
        identity=("id", "status", "retryCount"), named_by=("id",), reference=("id",),
        facts=("status", "failureReason"), ends_in=("status", "delivery"),
    ),
    "sms.incoming_message": Kind(
        IncomingMessage(), "a message to your short code or number", "SMS › Incoming Messages URL",
        {"date": "2026-03-04 10:30:00", "from": "+254711000017", "id": "ec9adc86-51d5-4bc8-8eb0-f89fc43c5fa5",
            "linkId": SAMPLE_LINK_ID, "text": "Hello, I need help", "to": "12345", "networkCode": "63902"},
        identity=("id",), named_by=("id",), phone=("from",), reference=("id",),
        facts=("to", "text"),
    ),
    "sms.opt_out": Kind(
        OptOut(), "a person wants no more bulk messages from a sender", "SMS › Opt-out URL",
        {"senderId": "MyBrand", "phoneNumber": "+254711000019"}, undone_by="sms.incoming_message",
        facts=("senderId",),
    ),
    "sms.subscription": Kind(
        Subscription(), "a person subscribed to a keyword, or left it", "SMS › Subscription URL",
        {"phoneNumber": "+254711000017", "shortCode": "12345", "keyword": "NEWS", "updateType": "addition"},
        facts=("updateType", "shortCode", "keyword"),
    ),
    "voice.instructions": Kind(
        CallInstructions(), "a call asks what to do next", "Voice › Call Instructions URL", _CALL_SAMPLE,
        phone=("callerNumber",), reference=("sessionId",), refused=answers.SORRY_XML, is_interactive=True, is_each_new=True,
        facts=("callSessionState", "dtmfDigits"),
    ),
    "voice.event": Kind(
        CallEvent(), "a call changed its state or ended", "Voice › Event Notification URL",
        _CALL_SAMPLE | {"isActive": "0", "callSessionState": "Completed", "status": "Success", "durationInSeconds": "42",
            "currencyCode": "KES", "amount": "2.00", "hangupCause": "NORMAL_CLEARING"},
        identity=("sessionId", "eventType", "callSessionState", "isActive", "status", "callTransferState",
            "hangupCause"), named_by=("sessionId",),
        phone=("callerNumber", "phoneNumber"), reference=("sessionId",), refused=answers.OK,
        facts=("callSessionState", "hangupCause", "durationInSeconds"), ends_in=("hangupCause", "hangup"),
    ),
    "voice.recording": Kind(
        Recording(), "a recording of a call is ready, as other gateways post it", "Voice › other spelling",
        {"sessionId": "ATVoice_a1b2c3d4e5f6", "phoneNumber": "+254711000017",
            "recordingUrl": "https://voice.africastalking.com/recordings/a1b2c3d4e5f6.mp3", "duration": "420", "status": "completed"},
        identity=("sessionId", "phoneNumber", "status", "recordingUrl"), named_by=("sessionId",), reference=("sessionId",),
        facts=("status", "duration"),
    ),
    "airtime.validation": Kind(
        AirtimeValidation(), "asks whether airtime that is about to be sent is yours", "Airtime › Validation URL",
        {"transactionId": "ATQid_9c1f2e3d4b5a69788796a5b4c3d2e1f0", "phoneNumber": "+254711000017",
            "sourceIpAddress": "127.12.32.24", "currencyCode": "KES", "amount": 500.0},
        identity=("transactionId",), named_by=("transactionId",), reference=("transactionId",),
        refused=answers.FAILED, differing=answers.FAILED, is_interactive=True, sends_json=True,
        facts=("currencyCode", "amount"),
    ),
    "airtime.status": Kind(
        AirtimeStatus(), "tells what became of airtime that was sent", "Airtime › Status Callback URL",
        {"phoneNumber": "+254711000017", "description": "Airtime Delivered Successfully", "status": "Success",
            "requestId": "ATQid_5971f1bba10ef43a9e7516072cb95eb9", "discount": "KES 0.6000", "value": "KES 100.0000"},
        identity=("requestId", "phoneNumber", "status"), named_by=("requestId",), reference=("requestId",), sends_json=True,
        facts=("status", "value"), ends_in=("status", "airtime"),
    ),
    "sim_swap.status": Kind(
        SimSwapStatus(), "tells when a number's SIM card was last swapped", "SIM swap › Status Callback URL",
        {"status": "Swapped", "lastSimSwapDate": "01-01-1900", "providerRefId": "fe3b-46fd-931c-c672a325260ebfdc409e7",
            "requestId": "ATSwpid_349f28ca442f72d781f7169b32dac094", "transactionId": "738e202b-ea2f-43e5-b451-0e401d83c4a2"},
        identity=("requestId", "transactionId", "status"), named_by=("requestId", "transactionId"), reference=("requestId",
            "transactionId"), sends_json=True,
        facts=("status", "lastSimSwapDate"), ends_in=("status", "sim_swap"),
    ),
    "ussd.session": Kind(
        UssdHop(), "a person dialled your code, or answered a screen", "USSD › Session Callback URL",
        {"phoneNumber": "+254711000017", "serviceCode": "*384*1234#", "text": "",
            "sessionId": "ATUid_48fa91200314bd807d4b6ab0553854ed", "networkCode": "63902"},
        identity=("sessionId",
            "text"), named_by=("sessionId",), reference=("sessionId",), refused=answers.SORRY_END, is_interactive=True, answers_afresh=True,
        facts=("serviceCode", "text"),
    ),
    "ussd.session_end": Kind(
        UssdEnd(), "tells how a USSD session ended", "USSD › Status Notification URL",
        {"date": "2026-03-04 10:31:00", "sessionId": "ATUid_48fa91200314bd807d4b6ab0553854ed", "serviceCode": "*384*1234#",
            "networkCode": "63902", "phoneNumber": "+254711000017", "status": "Success", "cost": "KES 0.00",
            "durationInMillis": "9000", "hopsCount": "2", "input": "2", "lastAppResponse": "END Your phone number is +254711000017"},
        identity=("sessionId",), named_by=("sessionId",), reference=("sessionId",),
        facts=("status", "hopsCount"), ends_in=("status", "ussd"),
    ),
    "payments.notification": Kind(
        PaymentNotification(), "tells what became of a payment", "Payments › Notification URL",
        {"transactionId": "ATPid_e22c1d460fae4e72b005d284ba649293", "category": "MobileCheckout", "provider": "Mpesa",
            "providerRefId": "QX123ERQT", "providerChannel": "525900", "productName": "duka", "sourceType": "PhoneNumber",
            "source": "+254711000017", "destinationType": "Wallet", "destination": "PaymentWallet", "value": "KES 375.0000",
            "transactionFee": "KES 1.0000", "status": "Success", "description": "Received payment",
            "requestMetadata": {"item": "Vanilla Latte"}, "transactionDate": "2026-03-04 10:30:00"},
        identity=("transactionId", "status"), named_by=("transactionId",), phone=("phoneNumber", "source",
            "destination"), reference=("transactionId",), sends_json=True,
        facts=("status", "value"), ends_in=("status", "payments"),
    ),
    "payments.validation": Kind(
        PaymentValidation(), "asks whether a payment that is about to happen is expected", "Payments › Validation URL",
        {"transactionId": "ATPid_0d5f3c2b1a49587766554433221100ff", "phoneNumber": "+254711000017",
            "sourceIpAddress": "127.12.32.24", "currencyCode": "KES", "amount": 375.0, "metadata": {"order": "1042"}},
        identity=("transactionId",), named_by=("transactionId",), reference=("transactionId",),
        refused=answers.FAILED, differing=answers.FAILED, is_interactive=True, sends_json=True,
        facts=("currencyCode", "amount"),
    ),
}  # fmt: skip
