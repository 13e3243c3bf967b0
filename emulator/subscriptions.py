"""Who takes messages and who does not: opt-outs from senders, subscriptions to keywords."""

from typing import Any

from emulator import line
from emulator.clock import iso
from emulator.errors import NotFound
from emulator.state import Subscription
from emulator.world import World

MOST_TOLD = 100


def opt_out(world: World, phone: str, sender: str) -> None:
    """Let a phone leave a sender: told by a callback; from now on it refuses the sender's messages."""
    world.phone(phone)
    with world.changing():
        left = world.settings.opt_outs.setdefault(sender, [])
        if phone not in left:
            left.append(phone)
        line.tell(world, "sms.opt_out", {"senderId": sender, "phoneNumber": phone}, f"opt-out {phone}", phone)


def subscribe(world: World, phone: str, short_code: str, keyword: str) -> Subscription:
    """Let a phone subscribe to a keyword: told by a callback. Subscribing again changes nothing."""
    world.phone(phone)
    with world.changing() as state:
        found = find(world, phone, short_code, keyword)
        if found:
            return found
        made = Subscription(state.number(), phone, short_code, keyword, world.now())
        state.subscriptions.append(made)
        _tell_of(world, made, "addition")
        return made


def unsubscribe(world: World, phone: str, short_code: str, keyword: str) -> None:
    """Let a phone leave a keyword: told by a callback. Raises NotFound."""
    with world.changing() as state:
        found = find(world, phone, short_code, keyword)
        if not found:
            raise NotFound(f"{phone} has no subscription to '{keyword}' of {short_code}")
        state.subscriptions.remove(found)
        _tell_of(world, found, "deletion")


def find(world: World, phone: str, short_code: str, keyword: str) -> Subscription | None:
    """Return a phone's subscription, None where there is none."""
    asked = (phone, short_code, keyword.lower())
    return next((one for one in world.state.subscriptions if (one.phone, one.short_code, one.keyword.lower()) == asked), None)


def _tell_of(world: World, subscription: Subscription, update: str) -> None:
    fields = {
        "phoneNumber": subscription.phone,
        "shortCode": subscription.short_code,
        "keyword": subscription.keyword,
        "updateType": update,
    }
    line.tell(world, "sms.subscription", fields, f"subscription {subscription.phone}", subscription.phone)


def subscribers(world: World, short_code: str, keyword: str, after: int) -> list[dict[str, Any]]:
    """Return who subscribed to a keyword after a subscription's id, as the API gives it."""
    with world.lock:
        found = [one for one in world.state.subscriptions if one.id > after and one.short_code == short_code]
        return [{"id": one.id, "phoneNumber": one.phone, "date": iso(one.at)} for one in found if one.keyword.lower() == keyword.lower()][
            :MOST_TOLD
        ]


def stop(world: World, phone: str, sender: str) -> None:
    """Let a phone leave all that a sender sends it."""
    for one in [one for one in world.state.subscriptions if (one.phone, one.short_code) == (phone, sender)]:
        unsubscribe(world, phone, sender, one.keyword)
    got_bulk = any(one.direction == "in" and one.phone == phone and one.sender == sender for one in world.state.messages.values())
    if got_bulk or any(letter.isalpha() for letter in sender):
        opt_out(world, phone, sender)
