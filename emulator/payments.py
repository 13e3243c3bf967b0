"""Money of a wallet: checkouts that a person confirms, payments to and from people, mobile data."""

from decimal import Decimal
from typing import Any

from emulator import line
from emulator.airtime import SOURCE_ADDRESS, not_validated
from emulator.clock import at_time
from emulator.errors import NotFound, Refused
from emulator.ids import PAYMENTS, new_id, new_uuid
from emulator.networks import is_number
from emulator.once import DUPLICATE, is_repeat
from emulator.settings import CURRENCY, money, read_sum
from emulator.state import Transaction, keep
from emulator.world import World

# The sandbox's provider of everything.
PROVIDER = "Athena"
CHANNEL = "525900"
DATA_PRICE_PER_MB = Decimal("0.05")
UNITS = {"MB": 1, "GB": 1024}
VALIDITIES = ("Day", "Week", "BiWeek", "BiWeekly", "Month", "Quarterly")
MOST_DATA = 1_000_000
DONE_AFTER_S = 1.0


def checkout(world: World, number: str, product: str, currency: str, amount: object, metadata: dict[str, Any]) -> dict[str, Any]:
    """Ask a person to pay; the phone shows it until it is answered."""
    if not is_number(number):
        return {"description": "Invalid phone number", "status": "InvalidRequest"}
    try:
        value = read_sum(f"{currency} {amount}")
    except Refused:
        return {"description": f"Only sums in {CURRENCY} are paid here", "status": "InvalidRequest"}
    if value <= 0:
        return {"description": "The amount must be above 0", "status": "InvalidRequest"}
    made = _begin(world, "MobileCheckout", number, value, product, _between(number, is_from_phone=True), metadata, "PendingConfirmation")
    world.later(
        world.settings.payment_within_s, "payment.finish", made.id, transaction_id=made.id, problem="The person did not answer in time"
    )
    return {
        "description": "Waiting for user input",
        "providerChannel": CHANNEL,
        "status": "PendingConfirmation",
        "transactionId": made.id,
    }


def answer(world: World, number: str, transaction_id: str, is_paid: bool) -> Transaction:
    """Let a person pay or cancel what the phone asks. Raises NotFound."""
    with world.lock:
        asked = world.state.transactions.get(transaction_id)
        if not asked or asked.phone != number or asked.status != "PendingConfirmation":
            raise NotFound(f"{number} is not asked to pay '{transaction_id:.60}'")
    finish(world, transaction_id, "" if is_paid else "Request cancelled by user")
    return asked


def prompts(world: World, number: str) -> list[Transaction]:
    """Return what a phone asks its person to pay."""
    with world.lock:
        waiting = [one for one in world.state.transactions.values() if one.phone == number]
        return [one for one in waiting if one.status == "PendingConfirmation"]


def pay_in(world: World, number: str, product: str, amount: object, account: str) -> Transaction:
    """Let a person pay of their own accord: the application is asked first, then told."""
    world.phone(number)
    value = read_sum(amount)
    if value <= 0:
        raise Refused("'amount' must be above 0")
    made = _begin(world, "MobileC2B", number, value, product, _between(number, is_from_phone=True), {}, "PendingValidation")
    made.details["clientAccount"] = account
    asked = {"provider": PROVIDER, "clientAccount": account, "productName": product, "phoneNumber": number, "value": money(value)}
    world.later(0.0, "payment.validate", made.id, transaction_id=made.id, fields=asked | {"providerMetadata": {"reference": new_uuid()}})
    return made


def pay_out(world: World, product: str, recipients: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """Pay several people, each after the application validated it. A key that was seen pays nobody."""
    with world.changing():
        is_seen = is_repeat(world, key)
        entries = [_repeated(one) if is_seen else _pay_one(world, product, one) for one in recipients]
    queued = [entry for entry in entries if entry["status"] == "Queued"]
    total = sum((read_sum(entry["value"]) for entry in queued), Decimal(0))
    return {"numQueued": len(queued), "totalValue": money(total), "totalTransactionFee": money(Decimal(0)), "entries": entries}


def _pay_one(world: World, product: str, order: dict[str, Any]) -> dict[str, Any]:
    number = str(order.get("phoneNumber", ""))
    try:
        value = read_sum(f"{order.get('currencyCode', CURRENCY)} {order.get('amount', '')}")
    except Refused as wrong:
        return {"phoneNumber": number, "status": "Failed", "errorMessage": wrong.message}
    problem = "" if is_number(number) and value > 0 else "Invalid phone number or amount"
    if problem or world.settings.wallet < value:
        return {"phoneNumber": number, "status": "Failed", "errorMessage": problem or "Insufficient balance"}
    world.settings.wallet -= value
    metadata = order.get("metadata") or {}
    made = _begin(world, "MobileB2C", number, value, product, _between(number, is_from_phone=False), metadata, "PendingValidation")
    asked = {"transactionId": made.id, "phoneNumber": number, "currencyCode": CURRENCY, "amount": float(value)}
    fields = asked | {"sourceIpAddress": SOURCE_ADDRESS, "metadata": metadata}
    world.later(0.2, "payment.validate", made.id, transaction_id=made.id, fields=fields)
    sent = {"phoneNumber": number, "status": "Queued", "provider": PROVIDER, "providerChannel": CHANNEL, "value": money(value)}
    return sent | {"transactionId": made.id, "transactionFee": money(Decimal(0))}


def validate(world: World, transaction_id: str, fields: dict[str, Any]) -> None:
    """Ask the application whether a payment may go on."""
    with world.lock:
        made = world.state.transactions.get(transaction_id)
    if made:
        problem = not_validated(world, "payments.validation", fields, made.phone)
        world.later(DONE_AFTER_S, "payment.finish", made.id, transaction_id=made.id, problem=problem)


def send_data(world: World, product: str, recipients: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """Send mobile data to several and return the whole answer. A key that was seen sends nothing."""
    with world.changing():
        is_seen = is_repeat(world, key)
        return {"entries": [_repeated(one) if is_seen else _send_data_to(world, product, one) for one in recipients]}


def _repeated(order: dict[str, Any]) -> dict[str, Any]:
    return {"errorMessage": DUPLICATE, "phoneNumber": str(order.get("phoneNumber", "")), "status": "Failed"}


def _send_data_to(world: World, product: str, order: dict[str, Any]) -> dict[str, Any]:
    number, unit, validity = (str(order.get(name, "")) for name in ("phoneNumber", "unit", "validity"))
    quantity = order.get("quantity")
    is_counted = isinstance(quantity, int | float) and not isinstance(quantity, bool) and 0 < quantity <= MOST_DATA
    if not is_counted or unit not in UNITS or validity not in VALIDITIES:
        return {"errorMessage": "Invalid quantity, unit or validity", "phoneNumber": number, "status": "InvalidRequest"}
    if not is_number(number) or not world.network_of(number).country:
        return {"errorMessage": "Destination not supported", "phoneNumber": number, "status": "NotSupported"}
    value = Decimal(str(quantity)) * UNITS[unit] * DATA_PRICE_PER_MB
    if world.settings.wallet < value:
        return {"errorMessage": "Insufficient balance", "phoneNumber": number, "status": "Failed"}
    world.settings.wallet -= value
    metadata = order.get("metadata") or {}
    made = _begin(world, "MobileData", number, value, product, _between(number, is_from_phone=False), metadata, "Queued")
    made.details |= {"providerChannel": "MobileData", "bundle": f"{quantity:g} {unit} {validity}"}
    world.later(DONE_AFTER_S, "payment.finish", made.id, transaction_id=made.id, problem="")
    return {"phoneNumber": number, "provider": PROVIDER, "status": "Queued", "transactionId": made.id, "value": money(value)}


def _between(number: str, is_from_phone: bool) -> dict[str, str]:
    phone, wallet = ("PhoneNumber", number), ("Wallet", "PaymentWallet")
    (source_type, source), (destination_type, destination) = (phone, wallet) if is_from_phone else (wallet, phone)
    return {"sourceType": source_type, "source": source, "destinationType": destination_type, "destination": destination}


def _begin(
    world: World, category: str, number: str, value: Decimal, product: str, ends: dict[str, str], metadata: dict[str, Any], status: str
) -> Transaction:
    with world.changing() as state:
        world.phone(number)
        details = {"category": category, "productName": product, **ends, "requestMetadata": metadata}
        made = Transaction(new_id(PAYMENTS), category, number, value, status, world.now(), details)
        keep(state.transactions, made.id, made)
        return made


def finish(world: World, transaction_id: str, problem: str) -> None:
    """End a payment, move its money, and tell the application."""
    with world.changing() as state:
        made = state.transactions.get(transaction_id)
        if not made or made.status in ("Success", "Failed"):
            return
        if not problem and world.settings.magic_of(made.phone) == "failed":
            problem = "The provider did not complete the transaction"
        made.status = "Failed" if problem else "Success"
        is_payout = made.details["sourceType"] == "Wallet"
        if is_payout == bool(problem):
            # A payout that failed comes back; what a person paid comes in.
            world.settings.wallet += made.amount
        if made.sort == "MobileData" and not problem:
            world.phone(made.phone).data.append(made.details["bundle"])
        made.details |= {"description": problem or _success(made), "providerRefId": new_uuid(), "transactionDate": at_time(world.now())}
        line.tell(world, "payments.notification", notification(made), made.id, made.phone)


def _success(made: Transaction) -> str:
    return f"{made.details['bundle']} sent" if made.sort == "MobileData" else "Transaction completed"


def notification(made: Transaction) -> dict[str, Any]:
    """Return a payment as it is told in notifications."""
    details = made.details
    told = {"transactionId": made.id, "category": made.sort, "provider": PROVIDER, "providerRefId": details.get("providerRefId", "")}
    told |= {"providerChannel": details.get("providerChannel", CHANNEL)}
    told |= {"clientAccount": details["clientAccount"]} if "clientAccount" in details else {}
    told |= {name: details[name] for name in ("productName", "sourceType", "source", "destinationType", "destination")}
    told |= {"value": money(made.amount), "transactionFee": money(Decimal(0)), "providerFee": money(Decimal(0)), "status": made.status}
    told |= {"description": details.get("description", ""), "requestMetadata": details["requestMetadata"], "providerMetadata": {}}
    return told | {"transactionDate": details.get("transactionDate", at_time(made.at))}


def find(world: World, transaction_id: str) -> dict[str, Any]:
    """Return a transaction as the API gives it."""
    with world.lock:
        made = world.state.transactions.get(transaction_id)
        if not made:
            return {"status": "NotAvailable"}
        if made.sort == "airtime":
            return {"status": made.status}
        return {"status": "Success", "data": notification(made) | {"creationTime": at_time(made.at)}}
