"""Messages: sent to phones, written on them, reported and fetched."""

from decimal import Decimal
from typing import Any

from emulator import line, subscriptions
from emulator.clock import at_time, iso
from emulator.errors import Refused
from emulator.ids import SMS, new_id, new_uuid
from emulator.networks import is_landline, is_number
from emulator.parts import parts_of
from emulator.settings import SMS_CODES, money
from emulator.state import Incoming, Message, keep
from emulator.world import World

PRICE = Decimal("0.8000")
DEFAULT_SENDER = "AFRICASTKNG"
SENT, QUEUED = 101, 102
MOST_FETCHED = 100
NOT_ARRIVED = ("Failed", "Rejected")
STOP_WORDS, START_WORDS = ("stop", "unsubscribe", "end"), ("start", "unstop")


def has_sender(world: World, sender: str) -> bool:
    """Whether the account may send from a sender."""
    if world.settings.senders is not None:
        return sender in (*world.settings.senders, DEFAULT_SENDER)
    return not sender.lower().startswith(("invalid", "wrong"))


def send(
    world: World, to: list[str], text: str, sender: str, *, is_premium: bool, is_queued: bool = False, link_id: str = "", keyword: str = ""
) -> dict[str, Any]:
    """Send one message to many numbers and return `SMSMessageData`. Reports come by the numbers' magic and the sender's state."""
    if not has_sender(world, sender):
        return {"Message": "InvalidSenderId", "Recipients": []}
    price = Decimal(0) if is_premium else PRICE * parts_of(text)
    with world.changing():
        sent = [_send_one(world, number, text, sender, price, is_premium, is_queued, link_id, keyword) for number in to]
    recipients = [recipient for recipient, _ in sent]
    # A report may be posted here and now, for which nobody must wait.
    for plan in (plan for _, plan in sent if plan):
        _plan(world, *plan, is_premium)
    accepted = [one for one in recipients if one["statusCode"] in (SENT, QUEUED)]
    told = f"Sent to {len(accepted)}/{len(recipients)}"
    if not is_premium:
        told += f" Total Cost: {money(price * len(accepted))} Message parts: {parts_of(text)}"
    return {"Message": told, "Recipients": recipients}


def _send_one(
    world: World, number: str, text: str, sender: str, price: Decimal, is_premium: bool, is_queued: bool, link_id: str, keyword: str
) -> tuple[dict[str, Any], tuple[Message, str, str] | None]:
    """Return a recipient as the answer has it, and, if it was taken, its message, the last report's status and reason."""
    refusal = _refusal(world, number, sender, price, is_premium)
    if refusal:
        return {"cost": "0", "messageId": "None", "number": number, "status": refusal, "statusCode": SMS_CODES[refusal]}, None
    world.settings.balance -= price
    message = Message(
        new_id(SMS), "in", number, sender, number, text, world.now(), "Sent", money(price) if price else "0", link_id or None
    )  # fmt: skip
    message.is_on_phone = False
    world.phone(number)
    status, reason = _fate(world, number, sender, is_premium, link_id, keyword)
    keep(world.state.messages, message.id, message)
    taken = {"cost": message.cost, "messageId": message.id, "number": number, "status": "Success"}
    return taken | {"statusCode": QUEUED if is_queued else SENT}, (message, status, reason)


def _refusal(world: World, number: str, sender: str, price: Decimal, is_premium: bool) -> str | None:
    """Return the name under which a recipient is refused, None where it is not."""
    magic = world.settings.magic_of(number)
    if not is_number(number):
        return "InvalidPhoneNumber"
    if is_landline(number):
        return "UnsupportedNumberType"
    if magic in SMS_CODES:
        return magic
    if magic == "blacklisted" or (not is_premium and number in world.settings.opt_outs.get(sender, ())):
        return "UserInBlacklist"
    return "InsufficientBalance" if world.settings.balance < price else None


def _fate(world: World, number: str, sender: str, is_premium: bool, link_id: str, keyword: str) -> tuple[str, str]:
    """Return what the last report will say, and why; "" for a report that never comes."""
    magic = world.settings.magic_of(number)
    if magic == "no_report":
        return "", ""
    if magic in ("failed", "rejected"):
        return ("Failed", "DeliveryFailure") if magic == "failed" else ("Rejected", "UserAccountSuspended")
    if is_premium and link_id and not _has_link(world, number, link_id):
        return "Failed", "InvalidLinkId"
    if is_premium and keyword and not link_id and not subscriptions.find(world, number, sender, keyword):
        return "Rejected", "UserNotSubscribedToProduct"
    return "Success", ""


def _has_link(world: World, number: str, link_id: str) -> bool:
    return any(one.link_id == link_id and one.sender == number for one in world.state.incoming)


def _plan(world: World, message: Message, status: str, reason: str, is_premium: bool) -> None:
    """Plan the reports of one message, forced or moved by the faults that are on."""
    with world.lock:
        forced = world.faults.take("report", "sms.delivery_report")
        is_first = world.faults.take("callback_first", "sms.delivery_report")
        is_reordered = "reordered" in world.state.faults
    if forced:
        status, reason = ("", "") if forced == "never" else (str(forced), "DeliveryFailure" if forced == "Failed" else "UserInBlackList")
    after = world.settings.report_after_s
    if is_first:
        deliver(world, message.id, status)
        if status:
            # The answer to the send waits for it.
            line.post(world, "sms.delivery_report", _report(world, message, status, reason, is_premium), message.phone, None)
        return
    # What the phone shows precedes what is reported of it.
    world.later(after / 2, "sms.deliver", message.id, message_id=message.id, status=status)
    if not status:
        return
    if world.settings.interim_reports or is_reordered:
        line.tell(world, "sms.delivery_report", _report(world, message, "Sent", "", is_premium), message.id, message.phone, after * 0.75)
    copies = 2 if world.settings.magic_of(message.phone) == "two_reports" else 1
    for number in range(copies):
        report = _report(world, message, status, reason, is_premium)
        line.tell(world, "sms.delivery_report", report, message.id, message.phone, after + number)


def deliver(world: World, message_id: str, status: str) -> None:
    """Let a message that was sent arrive on its phone, unless its report says that it did not."""
    with world.changing() as state:
        if message := state.messages.get(message_id):
            message.status = status or "Sent"
            message.is_on_phone = status not in NOT_ARRIVED


def _report(world: World, message: Message, status: str, reason: str, is_premium: bool) -> dict[str, Any]:
    fields = {"id": message.id, "status": status, "phoneNumber": message.phone, "networkCode": world.network_code_of(message.phone)}
    if reason:
        fields["failureReason"] = reason
    return fields | ({"retryCount": "0"} if is_premium else {})


def write(world: World, phone: str, to: str, text: str, link_id: str | None) -> Message:
    """Send a message from a phone to the account: told by a callback, and kept to be fetched. A STOP leaves the sender, too.

    Raises Refused for a message to a name that is no STOP.
    """
    word = text.strip().lower()
    is_name = any(letter.isalpha() for letter in to)
    if is_name and word not in STOP_WORDS:
        raise Refused(f"'{to}' is a name: nobody can answer it, one can only leave it by STOP")
    world.phone(phone)
    with world.changing() as state:
        now = world.now()
        link = new_id(SMS) if link_id is None else link_id
        message = Message(new_uuid(), "out", phone, phone, to, text, now, "Sent", link_id=link, is_read=True)
        keep(state.messages, message.id, message)
        if word in STOP_WORDS:
            subscriptions.stop(world, phone, to)
        if word in START_WORDS and phone in world.settings.opt_outs.get(to, ()):
            world.settings.opt_outs[to].remove(phone)
        if not is_name:
            _tell_of(world, message)
        return message


def _tell_of(world: World, message: Message) -> None:
    """Keep a message to be fetched, and tell the application of it."""
    state, link = world.state, message.link_id or ""
    state.incoming = [*state.incoming[-4999:], Incoming(state.number(), message.phone, message.to, message.text, link, message.at)]
    fields = {"date": at_time(message.at), "from": message.phone, "id": message.id, "linkId": link, "text": message.text}
    fields |= {"to": message.to, "networkCode": world.network_code_of(message.phone)}
    line.tell(world, "sms.incoming_message", fields, message.id, message.phone)


def fetch(world: World, after: int) -> list[dict[str, Any]]:
    """Return messages to the account after one, oldest first, as the API gives them."""
    with world.lock:
        found = [one for one in world.state.incoming if one.id > after][:MOST_FETCHED]
        return [
            {"linkId": one.link_id, "text": one.text, "to": one.to, "id": one.id, "date": iso(one.at), "from": one.sender} for one in found
        ]
