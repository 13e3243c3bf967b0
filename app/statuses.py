"""What each status word and code of Africa's Talking means and what to do about it: the one table that all who tell it read.

Sources: Africa's Talking's SDKs, help articles and public integrations as of 2026-11-20, as the field uses them. Words
are compared without regard to case. A state is one of an invocation's: accepted (it was taken), refused (it was not),
unknown (it may have happened); None where a word says nothing about that.
"""

from typing import NamedTuple

ACCEPTED, REFUSED, UNKNOWN = "accepted", "refused", "unknown"


class Meaning(NamedTuple):
    """One word: what it stands for in an invocation, a sentence for people, and what to do."""

    state: str | None
    reason: str
    advice: str


_TOP_UP = "Top up the account at Africa's Talking."
_CHECK_NUMBER = "Check the number, and its country code."
_WAIT = "Nothing to do: a callback tells how it ends."
_MAY_HAVE = "It may have happened: do not repeat it before you know."
_NO_MORE = "Do not message this person unless they ask for it again."

# The code of a recipient in an answer to a message, and its name.
SMS_CODES = {
    "100": "Processed", "101": "Sent", "102": "Queued", "401": "RiskHold", "402": "InvalidSenderId", "403": "InvalidPhoneNumber",
    "404": "UnsupportedNumberType", "405": "InsufficientBalance", "406": "UserInBlacklist", "407": "CouldNotRoute",
    "409": "DoNotDisturbRejection", "500": "InternalServerError", "501": "GatewayError", "502": "RejectedByGateway",
}  # fmt: skip

STATUSES: dict[str, dict[str, Meaning]] = {
    # A recipient of a message, in the answer to it; the sender is told as the word of an answer without recipients.
    "sms": {
        "Processed": Meaning(ACCEPTED, "The message was taken.", _WAIT),
        "Sent": Meaning(ACCEPTED, "The message was sent on.", _WAIT),
        "Queued": Meaning(ACCEPTED, "The message waits to be sent.", _WAIT),
        "Success": Meaning(ACCEPTED, "The message was taken.", _WAIT),
        "RiskHold": Meaning(REFUSED, "The account or message is held for review.", "Ask Africa's Talking why."),
        "InvalidSenderId": Meaning(REFUSED, "The sender is not one of this account's.", "Check AT_SENDER_ID in your settings."),
        "InvalidPhoneNumber": Meaning(REFUSED, "The number is not one.", _CHECK_NUMBER),
        "UnsupportedNumberType": Meaning(REFUSED, "Numbers of this sort take no messages.", "Use a mobile number."),
        "InsufficientBalance": Meaning(REFUSED, "The account has too little money.", _TOP_UP),
        "UserInBlacklist": Meaning(REFUSED, "This person blocked messages from this sender.", _NO_MORE),
        "CouldNotRoute": Meaning(REFUSED, "No network was found for this number.", _CHECK_NUMBER),
        "DoNotDisturbRejection": Meaning(
            REFUSED, "This person takes no promotional messages now.", "Send from 08:00 to 20:00, or from a transactional sender."
        ),
        "InternalServerError": Meaning(UNKNOWN, "Africa's Talking failed while it handled this one.", _MAY_HAVE),
        "GatewayError": Meaning(UNKNOWN, "The network failed while it handled this one.", _MAY_HAVE),
        "RejectedByGateway": Meaning(REFUSED, "The network refused the message.", "Check its text and its sender."),
    },
    "voice": {
        "Queued": Meaning(ACCEPTED, "The call is being made.", _WAIT),
        "InvalidPhoneNumber": Meaning(REFUSED, "The number is not one.", _CHECK_NUMBER),
        "DestinationNotSupported": Meaning(REFUSED, "Calls do not go to this network or country.", "Ask Africa's Talking to open it."),
        "InsufficientCredit": Meaning(REFUSED, "The account has too little money.", _TOP_UP),
        "Insufficient balance": Meaning(REFUSED, "The account has too little money.", _TOP_UP),
        "InvalidCallerId": Meaning(REFUSED, "The calling number is not one of this account's.", "Check AT_VOICE_NUMBER in your settings."),
        "Aborted": Meaning(REFUSED, "The call was given up.", "Try again later."),
    },
    "airtime": {
        "Sent": Meaning(ACCEPTED, "The airtime was sent on.", _WAIT),
        "Queued": Meaning(ACCEPTED, "The airtime waits to be sent.", _WAIT),
        "Success": Meaning(ACCEPTED, "The airtime was delivered.", "Nothing to do."),
        "Failed": Meaning(REFUSED, "The airtime was not sent.", "Read the reason; the account is not charged."),
        "Insufficient Credit": Meaning(REFUSED, "The account has too little money.", _TOP_UP),
        "Insufficient Balance": Meaning(REFUSED, "The account has too little money.", _TOP_UP),
    },
    "sim_swap": {
        "Queued": Meaning(ACCEPTED, "The check is under way.", "Nothing to do: a callback brings the date."),
        "Processed": Meaning(ACCEPTED, "The check is under way.", "Nothing to do: a callback brings the date."),
        "UnsupportedPhoneNumber": Meaning(REFUSED, "This network does not tell about SIM swaps.", "Check another way who it is."),
        "InsufficientBalance": Meaning(REFUSED, "The account has too little money.", _TOP_UP),
        "InvalidRequest": Meaning(REFUSED, "Africa's Talking did not take the request.", "Check that SIM swap is open for this account."),
        "InternalError": Meaning(UNKNOWN, "Africa's Talking failed while it handled this one.", _MAY_HAVE),
    },
    "payments": {
        "PendingConfirmation": Meaning(ACCEPTED, "The person is asked to confirm on the phone.", _WAIT),
        "PendingValidation": Meaning(ACCEPTED, "The payment waits for your validation.", _WAIT),
        "Queued": Meaning(ACCEPTED, "The payment waits to be made.", _WAIT),
        "Sent": Meaning(ACCEPTED, "The payment was sent on.", _WAIT),
        "Success": Meaning(ACCEPTED, "The payment is made.", "Nothing to do."),
        "InvalidRequest": Meaning(REFUSED, "Africa's Talking did not take the request.", "Check the product name, amount and currency."),
        "NotSupported": Meaning(REFUSED, "Payments do not work with this number or network.", "Use another number or way to pay."),
        "Failed": Meaning(REFUSED, "The payment did not happen.", "Read the description; nothing was moved."),
        "Cancelled": Meaning(REFUSED, "The person did not confirm.", "Ask, and start it again."),
    },
    # What a delivery report says became of a message.
    "delivery": {
        "Queued": Meaning(None, "The message waits to be sent.", _WAIT),
        "Sent": Meaning(None, "The network has the message.", _WAIT),
        "Submitted": Meaning(None, "The network has the message.", _WAIT),
        "Buffered": Meaning(None, "The network keeps the message until the phone can be reached.", _WAIT),
        "Success": Meaning(None, "The phone has the message.", "Nothing to do."),
        "Delivered": Meaning(None, "The phone has the message.", "Nothing to do."),
        "Failed": Meaning(None, "The message did not arrive.", "Read the reason."),
        "Rejected": Meaning(None, "The message was refused on its way.", "Read the reason."),
        "Expired": Meaning(None, "The network dropped the message.", "Send again if it still matters."),
        "AbsentSubscriber": Meaning(None, "The phone was off or out of reach.", "Send again later."),
    },
    "failure": {
        "InsufficientCredit": Meaning(None, "The person has too little money for a paid message.", "They have to top up."),
        "InvalidLinkId": Meaning(None, "The linkId is not one of a message of theirs.", "Answer with the linkId that their message had."),
        "UserIsInactive": Meaning(None, "The line is not in use.", "Take the number off your list."),
        "UserInBlackList": Meaning(None, "This person blocked messages from this sender.", _NO_MORE),
        "UserAccountSuspended": Meaning(None, "The line is suspended.", "Try again later, or reach them another way."),
        "NotNetworkSubcriber": Meaning(None, "The number is not with this network.", _CHECK_NUMBER),
        "NotNetworkSubscriber": Meaning(None, "The number is not with this network.", _CHECK_NUMBER),
        "UserNotSubscribedToProduct": Meaning(None, "This person did not subscribe to the product.", "Ask them to subscribe first."),
        "UserDoesNotExist": Meaning(None, "There is no such line.", _CHECK_NUMBER),
        "DeliveryFailure": Meaning(None, "The network could not deliver it.", "Send again later."),
        "DoNotDisturbRejection": Meaning(
            None, "This person takes no promotional messages now.", "Send from 08:00 to 20:00, or from a transactional sender."
        ),
    },
    "hangup": {
        "NORMAL_CLEARING": Meaning(None, "Somebody hung up, as calls end.", "Nothing to do."),
        "CALL_REJECTED": Meaning(None, "The call was declined.", "Try another time."),
        "NORMAL_TEMPORARY_FAILURE": Meaning(None, "The network failed for a moment.", "Call again."),
        "RECOVERY_ON_TIMER_EXPIRE": Meaning(None, "The network did not answer in time.", "Call again."),
        "ORIGINATOR_CANCEL": Meaning(None, "The caller hung up before it was answered.", "Nothing to do."),
        "LOSE_RACE": Meaning(None, "Another phone of the same dial answered first.", "Nothing to do."),
        "USER_BUSY": Meaning(None, "The line was busy.", "Call again later."),
        "NO_ANSWER": Meaning(None, "Nobody answered.", "Call again later."),
        "NO_USER_RESPONSE": Meaning(None, "The phone did not respond.", "Call again later."),
        "SUBSCRIBER_ABSENT": Meaning(None, "The phone was off or out of reach.", "Call again later."),
        "SERVICE_UNAVAILABLE": Meaning(None, "The network does not offer this call now.", "Call again later."),
        "USER_NOT_REGISTERED": Meaning(None, "The SIP or WebRTC client is not connected.", "Connect it, then call again."),
        "UNALLOCATED_NUMBER": Meaning(None, "Nobody has this number.", _CHECK_NUMBER),
        "UNSPECIFIED": Meaning(None, "The network gave no reason.", "Call again; ask Africa's Talking if it stays so."),
    },
}
# Words of each family that say: it did not work.
_FAILURES = {
    "delivery": {"failed", "rejected", "expired", "absentsubscriber"},
    "airtime": {"failed"},
    "payments": {"failed", "cancelled", "invalidrequest", "notsupported"},
    "sim_swap": {"unsupportedphonenumber", "insufficientbalance", "invalidrequest", "internalerror", "failed"},
    "ussd": {"failed", "incomplete"},
    "hangup": {word.lower() for word in STATUSES["hangup"]} - {"normal_clearing", "originator_cancel", "lose_race"},
}
_BY_WORD = {family: {word.lower(): meaning for word, meaning in words.items()} for family, words in STATUSES.items()}


def meaning_of(family: str, word: object) -> Meaning | None:
    """Return what a word of one family means, None for a word that is not in the table. family: a key of STATUSES."""
    return _BY_WORD[family].get(str(word).strip().lower())


def is_failure(family: str, word: object) -> bool:
    """Whether a word of a callback says that something did not work. family: delivery, airtime, payments, sim_swap, ussd or hangup."""
    return str(word).strip().lower() in _FAILURES[family]
