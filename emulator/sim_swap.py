"""SIM swap checks: taken at once, answered by a callback."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from emulator import line
from emulator.ids import SIM_SWAP, new_id, new_uuid
from emulator.networks import ATHENA, calling_code_of, is_landline, is_number, network_of
from emulator.settings import CURRENCY
from emulator.world import World

PRICE = Decimal(5)
DAY_S = 86_400
# What is told of a card that was not swapped in the time that the network looks back. Source: Safaricom's documentation of Daraja.
NEVER = "01-01-1900"


def check(world: World, numbers: list[str]) -> dict[str, Any]:
    """Take checks of several numbers and return the whole answer."""
    transaction = new_uuid()
    with world.changing():
        responses = [_check_one(world, number, transaction) for number in numbers]
    queued = sum(one["status"] == "Queued" for one in responses)
    short = responses and all(one["status"] == "InsufficientBalance" for one in responses)
    return {
        "responses": responses,
        "status": "InsufficientBalance" if short else "Processed",
        "totalCost": {"amount": float(PRICE * queued), "currencyCode": CURRENCY},
        "transactionId": transaction,
    }


def _check_one(world: World, number: str, transaction: str) -> dict[str, Any]:
    network = network_of(number, world.settings.carriers)
    if not is_number(number) or is_landline(number) or network is None or network is ATHENA:
        phone = {"carrierName": "", "countryCode": calling_code_of(number), "number": number, "numberType": "FixedLineOrMobile"}
        return {"phoneNumber": phone, "status": "UnsupportedPhoneNumber"}
    phone = {"carrierName": network.name, "countryCode": calling_code_of(number), "networkCode": network.name}
    phone |= {"number": number, "numberType": "Mobile"}
    if world.settings.balance < PRICE:
        return {"phoneNumber": phone, "status": "InsufficientBalance"}
    world.settings.balance -= PRICE
    world.phone(number)
    request = new_id(SIM_SWAP)
    _tell(world, number, request, transaction)
    cost = {"amount": int(PRICE), "currencyCode": CURRENCY}
    return {"cost": cost, "phoneNumber": phone, "requestId": request, "status": "Queued"}


def _tell(world: World, number: str, request: str, transaction: str) -> None:
    is_swapped = world.settings.magic_of(number) == "swapped_yesterday"
    yesterday = datetime.fromtimestamp(world.now() - DAY_S, UTC).strftime("%d-%m-%Y")
    fields = {"status": "Swapped", "lastSimSwapDate": yesterday if is_swapped else NEVER, "providerRefId": new_uuid()}
    line.tell(
        world, "sim_swap.status", fields | {"requestId": request, "transactionId": transaction}, request, number,
        world.settings.report_after_s,
    )  # fmt: skip
