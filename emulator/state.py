"""Everything that the emulator knows, as plain shapes that can be written to a file. Times: seconds of the emulator's clock."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from emulator.settings import Settings
from emulator.timetable import Task

# Of each sort of thing so many are kept; the oldest go.
MOST = 5000
# Of these shapes; a file of another one is not read.
VERSION = 1


@dataclass
class Phone:
    """A phone that somebody uses. airtime: what is on it; data: bundles that it was given."""

    number: str
    airtime: Decimal = Decimal(0)
    data: list[str] = field(default_factory=list)


@dataclass
class Message:
    """A message on a phone. direction: `in` when the phone got it, `out` when it was written there."""

    id: str
    direction: str
    phone: str
    sender: str
    to: str
    text: str
    at: float
    status: str
    cost: str | None = None
    link_id: str | None = None
    is_read: bool = False
    channel: str = "sms"
    # One that is on its way, or never arrives, is on no screen.
    is_on_phone: bool = True


@dataclass
class Incoming:
    """A message to the account, as it is fetched."""

    id: int
    sender: str
    to: str
    text: str
    link_id: str
    at: float


@dataclass
class Subscription:
    """A phone that subscribed to a keyword of a short code."""

    id: int
    phone: str
    short_code: str
    keyword: str
    at: float


@dataclass
class Hop:
    """One exchange of a USSD session. screen: what the handset shows; answer: what the application said."""

    input: str
    screen: str
    answer: str
    ms: int
    why: str | None = None


@dataclass
class UssdSession:
    """A USSD session. status: Incomplete, Success or Failed once it is over."""

    id: str
    phone: str
    code: str
    began: float
    hops: list[Hop] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    # What the application wants echoed with the next hop, and all that it ever wanted
    metadata: str = ""
    all_metadata: list[str] = field(default_factory=list)
    status: str = ""
    error: str = ""
    is_asking: bool = False

    @property
    def is_open(self) -> bool:
        """Whether an answer of the person is still awaited."""
        return not self.status


@dataclass
class Leg:
    """One phone of a call. role: caller, called, dialled or transferred; state: waiting, ringing, active or ended."""

    number: str
    role: str
    state: str = "ringing"
    cause: str | None = None


@dataclass
class Step:
    """Something that happened in a call."""

    at: float
    what: str
    text: str = ""


@dataclass
class Prompt:
    """A Say or Play that a question begins with."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass
class Action:
    """One action of a document of instructions. prompt: what is heard before it waits, one at most."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    prompt: list[Prompt] = field(default_factory=list)


@dataclass
class Call:
    """A call between a person and the account's number. doing: the action under way, until its result is known."""

    id: str
    direction: str
    person: str
    number: str
    began: float
    legs: list[Leg] = field(default_factory=list)
    client_request_id: str = ""
    # What the order of the call brought itself, done instead of asking the application
    own_actions: list[Action] = field(default_factory=list)
    state: str = "ringing"
    answered_at: float | None = None
    ended_at: float | None = None
    heard: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    todo: list[Action] = field(default_factory=list)
    doing: Action | None = None
    say_until: float | None = None
    # Where the application is asked, if not at the address of instructions: the last callbackUrl or Redirect
    address: str | None = None
    # What the application is being asked, beside the usual; None while it is not
    asking: dict[str, Any] | None = None
    # Rises with every change of what is awaited: what was planned for an earlier one is void.
    turn: int = 0
    keys: str = ""
    digits: str = ""
    dial_index: int = 0
    record_from: float | None = None
    record_s: float | None = None
    recording: str = ""
    queue: str | None = None
    queued_at: float | None = None
    bridge: str = ""
    bridged_to: str = ""
    bridged_at: float | None = None
    bridge_cause: str = ""
    # What the final event says beside the usual
    told_at_end: dict[str, str] = field(default_factory=dict)
    redirects: int = 0
    # What was passed over in documents
    notes: list[str] = field(default_factory=list)
    hangup_cause: str | None = None
    amount: Decimal | None = None
    why: str | None = None
    # Since when, and how often, the application was asked while time stood almost still
    hurried_since: float = 0.0
    hurried_asks: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self.state != "ended"


@dataclass
class Transaction:
    """Airtime, mobile data or a payment. details: as it is told in notifications."""

    id: str
    sort: str
    phone: str
    amount: Decimal
    status: str
    at: float
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether its end is still to come."""
        return self.status not in ("Success", "Failed")


@dataclass
class State:
    """All of it. media: addresses that were uploaded, by number; keys: idempotency keys that were seen, with their time."""

    version: int = VERSION
    settings: Settings = field(default_factory=Settings)
    faults: dict[str, Any] = field(default_factory=dict)
    phones: dict[str, Phone] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    incoming: list[Incoming] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    sessions: dict[str, UssdSession] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    keys: dict[str, float] = field(default_factory=dict)
    # Tokens that stand for a key, with the time of their making
    tokens: dict[str, float] = field(default_factory=dict)
    media: dict[str, list[str]] = field(default_factory=dict)
    # Seconds that each recording lasts, by its name
    recordings: dict[str, float] = field(default_factory=dict)
    # By kind, whether the last callback was held back for the next one
    overtaking: dict[str, bool] = field(default_factory=dict)
    next_number: int = 1
    tasks: list[Task] = field(default_factory=list)
    ahead_s: float = 0.0
    scale: float = 1.0

    def number(self) -> int:
        """Return a number that was not given out before."""
        self.next_number += 1
        return self.next_number - 1


def keep(table: dict[str, Any], key: str, value: Any) -> None:
    """Put something into a table of the state, which forgets its oldest when it is full; never what is under way."""
    table[key] = value
    while len(table) > MOST:
        oldest = next((one for one, kept in table.items() if not getattr(kept, "is_open", False)), None)
        if oldest is None or oldest == key:
            return
        del table[oldest]
