"""The one table of status words: nothing that Africa's Talking is known to say is missing, and each says what to do."""

import pytest

from app.schemas.callbacks import HANGUP_CAUSES, KINDS
from app.statuses import ACCEPTED, REFUSED, SMS_CODES, STATUSES, UNKNOWN, meaning_of

# As the provider's protocol is known in public on 2026-11-20.
KNOWN = {
    "sms": "Processed Sent Queued Success RiskHold InvalidSenderId InvalidPhoneNumber UnsupportedNumberType InsufficientBalance UserInBlacklist "
    "CouldNotRoute DoNotDisturbRejection InternalServerError GatewayError RejectedByGateway",
    "voice": "Queued InvalidPhoneNumber DestinationNotSupported InsufficientCredit",
    "airtime": "Sent Failed Success",
    "sim_swap": "UnsupportedPhoneNumber InsufficientBalance InvalidRequest InternalError Queued Processed",
    "payments": "PendingConfirmation PendingValidation InvalidRequest NotSupported Success Failed Queued Sent Cancelled",
    "delivery": "Sent Submitted Buffered Rejected Success Failed AbsentSubscriber Expired",
    "failure": "InsufficientCredit InvalidLinkId UserIsInactive UserInBlackList UserAccountSuspended NotNetworkSubcriber NotNetworkSubscriber "
    "UserNotSubscribedToProduct UserDoesNotExist DeliveryFailure DoNotDisturbRejection",
    "hangup": "NORMAL_CLEARING CALL_REJECTED NORMAL_TEMPORARY_FAILURE RECOVERY_ON_TIMER_EXPIRE ORIGINATOR_CANCEL LOSE_RACE USER_BUSY NO_ANSWER "
    "NO_USER_RESPONSE SUBSCRIBER_ABSENT SERVICE_UNAVAILABLE USER_NOT_REGISTERED UNALLOCATED_NUMBER UNSPECIFIED",
}
CODES = {100, 101, 102, 401, 402, 403, 404, 405, 406, 407, 409, 500, 501, 502}


@pytest.mark.parametrize(("family", "word"), [(family, word) for family, words in KNOWN.items() for word in words.split()])
def test_every_known_word_says_what_it_is_and_what_to_do(family: str, word: str) -> None:
    meaning = meaning_of(family, word.upper())
    assert meaning is not None
    assert meaning.reason.endswith(".")
    assert meaning.advice.endswith(".")


def test_every_code_has_a_name_of_the_table() -> None:
    assert {int(code) for code in SMS_CODES} == CODES
    assert set(SMS_CODES.values()) <= set(STATUSES["sms"])


@pytest.mark.parametrize("family", ["sms", "voice", "airtime", "sim_swap", "payments"])
def test_words_of_answers_stand_for_a_state(family: str) -> None:
    assert {meaning.state for meaning in STATUSES[family].values()} <= {ACCEPTED, REFUSED, UNKNOWN}


def test_what_schemas_know_is_in_the_table() -> None:
    for kind, name, family in (("sms.delivery_report", "status", "delivery"), ("sms.delivery_report", "failure_reason", "failure"),
            ("payments.notification", "status", "payments")):  # fmt: skip
        for word in KINDS[kind].schema.fields[name].words:
            assert meaning_of(family, word), (family, word)
    assert all(meaning_of("hangup", cause) for cause in HANGUP_CAUSES)
    assert meaning_of("sms", "NeverHeardOf") is None
