"""What a reaction gets, and all that it can do: each order once, however often the reaction runs."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.errors import Forbidden
from app.extensions import writing
from app.schemas.callbacks import SAMPLE_LINK_ID
from services import opt_outs
from services.reactions.asking import NotSent, Ordered, ask, asked_by, key_of, settings
from services.reactions.keywords import MESSAGE
from services.reactions.swap_answers import SwapAnswer, wait_for


@dataclass
class Happened:
    """One kept callback, as a reaction gets it.

    Methods that order something return an Ordered. They raise NotSent where it was refused, unless `insist=False`; what is
    unknown may have happened, and raises nothing. Without `phone` they are about the number that the callback is about.
    """

    id: str
    kind: str
    # Typed, under our names, and as it was sent
    data: dict[str, Any]
    fields: dict[str, Any]
    # E.164 where it is a number, else as sent
    phone: str
    received_at: datetime
    # Of a message: what it says, and what stood for the * of the keyword
    text: str = ""
    match: str = ""
    # It came with a secret of ours, or was fetched from Africa's Talking
    is_proven: bool = False
    # The reaction: its row, and its name in flows/
    reaction_id: str = ""
    name: str = ""
    # What it did: an entry for each order
    did: list[dict[str, Any]] = field(default_factory=list)
    orders: int = 0

    def send_sms(self, message: str, phone: str | None = None, sender_id: str | None = None, insist: bool = True) -> Ordered:
        """Send a message. phone: one, or several by comma."""
        return self._ask("sms.bulk", {"phone": phone or self.phone, "message": message, "senderId": sender_id}, insist)

    def reply(self, message: str, insist: bool = True) -> Ordered:
        """Answer a message, from the number that it came to, with its linkId; one of our own samples without."""
        if self.kind != MESSAGE:
            raise NotSent(f"Only a message can be replied to, not {self.kind}: use send_sms.")
        link_id = self.data.get("link_id")
        parameters = {"phone": self.phone, "message": message, "linkId": link_id if link_id and link_id != SAMPLE_LINK_ID else None}
        return self._ask("sms.premium", parameters, insist, sender=self.data["to"])

    def call(self, phone: str | None = None, insist: bool = True) -> Ordered:
        """Call a number; the flow for calls answers who picks up."""
        return self._ask("voice.call", {"phone": phone or self.phone}, insist)

    def send_airtime(self, amount: Decimal | int | str, currency: str, phone: str | None = None, insist: bool = True) -> Ordered:
        """Top up a number."""
        return self._ask("airtime.send", {"phone": phone or self.phone, "amount": _text(amount), "currency": currency}, insist)

    def checkout(
        self,
        amount: Decimal | int | str,
        currency: str,
        product_name: str,
        metadata: dict[str, str] | None = None,
        phone: str | None = None,
        insist: bool = True,
    ) -> Ordered:
        """Ask a person to pay."""
        sums = {"amount": _text(amount), "currency": currency, "productName": product_name, "metadata": metadata}
        return self._ask("payments.checkout", {"phone": phone or self.phone, **sums}, insist)

    def check_sim_swap(self, phone: str | None = None, insist: bool = True) -> Ordered:
        """Ask when a SIM card was swapped; the answer comes as a callback."""
        return self._ask("sim_swap.check", {"phone": phone or self.phone}, insist)

    def check_and_wait(self, phone: str | None = None, timeout_s: float = 20, since_days: int = 7) -> SwapAnswer:
        """Ask when a SIM card was swapped, and wait for the answer, 60 s at most.

        Its `is_safe` is true only where it is known that there was no swap within the last `since_days` days.
        """
        ordered = self.check_sim_swap(phone)
        return wait_for(ordered.provider_id, timeout_s, since_days) if ordered.provider_id else SwapAnswer("unknown")

    def opt_out(self) -> None:
        """Keep all messages of ours from this number, whoever is their sender."""
        now = datetime.now(UTC)
        with writing() as connection:
            opt_outs.opt_out(connection, self.phone, "", "keyword", now, self.id)
        self.did.append({"kind": "opt_out", "state": "done"})

    def opt_in(self) -> None:
        """Let messages reach this number again."""
        self._insist_on_proof()
        now = datetime.now(UTC)
        with writing() as connection:
            opt_outs.opt_in(connection, self.phone, "keyword", now, self.id)
        self.did.append({"kind": "opt_in", "state": "done"})

    def skip(self, kind: str, reason: str) -> None:
        """Note that an order was left out, and why."""
        self.did.append(asdict(Ordered(kind, "skipped", reason=reason)))

    @property
    def next_key(self) -> str:
        """The idempotency key of the next order: the same whenever the reaction runs again."""
        return f"{key_of(self.id, self.name)}{self.orders + 1}"

    def _ask(self, kind: str, parameters: dict[str, Any], insist: bool, **fixed: Any) -> Ordered:
        self._insist_on_proof()
        key, self.orders = self.next_key, self.orders + 1
        ordered = ask(kind, parameters, fixed, key, self.id, asked_by(self.name))
        self.did.append(asdict(ordered))
        if insist and ordered.state == "refused":
            raise NotSent(ordered.reason or f"{kind} was refused: nothing was sent.")
        return ordered

    def _insist_on_proof(self) -> None:
        if settings().is_live and not self.is_proven:
            raise Forbidden("This callback is not proven, so nothing is done because of it: live needs its ?token= or signature.")


def _text(amount: Decimal | int | str) -> str:
    return amount if isinstance(amount, str) else f"{Decimal(amount):f}"
