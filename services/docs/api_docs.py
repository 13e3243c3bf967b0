"""What is known of each address beside what the application tells itself: its parameters, bodies, answers and events. Pure."""

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from app.schemas import answers
from app.schemas.answers import JSON, Answer
from app.schemas.callbacks import KINDS
from app.schemas.endpoints import EndpointBody
from services.campaigns.asked import CampaignSchema
from services.reading import costs, events
from services.reading.tables import LISTS
from services.reading.waiting import MOST_WAIT_S
from services.webhooks.past_deliveries import STATES

API = "/api/v1"
PAGED = ("after", "limit")


@dataclass(frozen=True)
class Operation:
    """One method at one address. path: with {names}. kind: of the callback that comes there; order: of what is invoked."""

    method: str
    path: str
    summary: str
    kind: str = ""
    order: str = ""
    # Any of these opens it; none: no key is needed
    scopes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Method and address together, as people write them."""
        return f"{self.method} {self.path}"


PARAMETERS: dict[str, str] = {
    "kind": "a kind, or a family as sms.*", "state": "a state", "phone": "a number, in any spelling",
    "session": "a session id of Africa's Talking", "reference": "a reference of yours, or an id of Africa's Talking",
    "since": "from this time on: ISO 8601, or 2h for two hours ago", "until": "before this time", "q": "text in the row",
    "after": "the `next` of the page before", "limit": "rows of a page, 1 to 500; 50 where it is left out",
    "wait": f"seconds to wait for a change, 0 to {MOST_WAIT_S}", "format": "json, csv, curl or jsonl",
    "replays": "1: replays too, where format is not json", "by": "what sums are of: product, day, number, by comma",
}  # fmt: skip
QUERIES: dict[str, tuple[str, ...]] = {
    **{f"GET {API}/{name}": (*entry.filters, *PAGED) for name, entry in LISTS.items()},
    f"GET {API}/callbacks": (*LISTS["callbacks"].filters, *PAGED, "format", "replays"),
    f"GET {API}/events": (*events.FILTERS, *PAGED),
    f"GET {API}/costs": (*costs.FILTERS, "by", "limit"),
    f"GET {API}/messages/{{message_id}}": ("wait",),
    f"GET {API}/sim-swap/checks/{{request_id}}": ("wait",),
    f"GET {API}/webhooks": PAGED,
    f"GET {API}/webhooks/{{endpoint_id}}/deliveries": ("state", *PAGED),
    f"POST {API}/webhooks/{{endpoint_id}}/replay": ("since",),
    f"GET {API}/campaigns": ("state", *PAGED),
    f"GET {API}/campaigns/{{campaign_id}}/recipients": ("state", *PAGED),
    f"GET {API}/campaigns/{{campaign_id}}/batches": ("state", *PAGED),
}
NEEDED = {f"POST {API}/webhooks/{{endpoint_id}}/replay": ("since",)}
WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    **{(f"GET {API}/{name}", "state"): tuple(entry.states) for name, entry in LISTS.items() if entry.state is not None},
    (f"GET {API}/webhooks/{{endpoint_id}}/deliveries", "state"): STATES,
    (f"GET {API}/callbacks", "format"): ("json", "csv", "curl", "jsonl"),
}
# Those that give one page of a list
LISTING = {key for key, names in QUERIES.items() if key.startswith("GET") and "limit" in names} | {f"GET {API}/alerts"}
CREATING = {f"POST {API}/webhooks", f"POST {API}/campaigns", f"POST {API}/callbacks/{{callback_id}}/replay"}
# Not wrapped, as programs written for it expect
BARE = {f"GET {API}/voice/recordings/{{recording_id}}"}

_TEXT: dict[str, Any] = {"type": "string"}
BODIES: dict[str, Schema | dict[str, Any]] = {
    f"POST {API}/webhooks": EndpointBody(),
    f"PATCH {API}/webhooks/{{endpoint_id}}": EndpointBody(partial=True),
    f"POST {API}/campaigns": CampaignSchema(),
    f"POST {API}/callbacks/{{callback_id}}/replay": {
        "type": "object",
        "properties": {
            "to": _TEXT | {"description": "an address to post it to, instead of answering it here"},
            "fields": {"type": "object", "description": "fields to set; null takes one away"},
            "effects": {"type": "boolean", "default": False, "description": "with webhooks, reactions and what they send"},
            "confirm": _TEXT | {"enum": ["send"], "description": "in live mode, where effects is true"},
        },
    },
    f"POST {API}/campaigns/{{campaign_id}}/batches/{{number}}/settle": {
        "type": "object",
        "required": ["choice", "by"],
        "properties": {
            "choice": _TEXT | {"enum": ["treat_as_sent", "send_again"]},
            "by": _TEXT | {"description": "the name of who chooses"},
            "note": _TEXT,
        },
    },
}
RECIPIENTS = {
    "type": "array",
    "description": "phone numbers, or objects with phone and the columns that the message names",
    "items": {"anyOf": [_TEXT, {"type": "object", "required": ["phone"]}]},
}

# What each kind is answered where it is taken, as an example where that is computed.
ACCEPTED: dict[str, Answer] = {
    **dict.fromkeys(KINDS, answers.OK),
    "sms.incoming_message": answers.GOOD,
    "airtime.validation": answers.VALIDATED,
    "payments.validation": answers.VALIDATED,
    "ussd.session": Answer("CON What would you want to check \n1. My Account \n2. My phone number"),
    "voice.instructions": Answer(
        '<?xml version="1.0" encoding="UTF-8"?><Response><Say>'
        "Welcome to the service. This is a demo voice application. Goodbye.</Say></Response>"
    ),
}
_ERROR = Answer('{"status":"webhook_error","error":"…"}', JSON, 400)
# Addresses that answer in a way of their own: taken, refused.
SPELLED: dict[str, tuple[Answer, Answer]] = {
    f"{API}/voice/webhook": (Answer('{"status":"webhook_processed","session_id":"…"}', JSON), _ERROR),
    f"{API}/sms/webhook": (Answer('{"status":"webhook_received"}', JSON), _ERROR),
    f"{API}/payments/webhook": (Answer('{"status":"webhook_processed","transaction_id":"…"}', JSON), _ERROR),
}
# Fields of which one at least is needed
ONE_OF = {"sim_swap.status": ("requestId", "transactionId"), "payments.validation": ("value", "amount")}
# Where another kind comes too, told apart by its fields
ALSO = {f"{API}/sms/webhook": "sms.delivery_report"}

# What invokes answer, and when.
INVOKED: dict[int, str] = {
    200: "Africa's Talking took it, at least for one recipient; or, with preview=1, what it would be. A repeat says so: `repeated`.",
    202: "Nobody knows: Africa's Talking did not answer in time. It may have been sent: do not repeat it.",
    400: "Something is wrong with the parameters: nothing was sent.",
    403: "Live without ?token=, or not asked for by a person (previews, prefetching, other sites): nothing was sent.",
    405: "Neither GET nor POST: nothing was sent.",
    409: "Everybody opted out, the same order is under way, or the sandbox cannot do it: nothing was sent.",
    429: "Too many requests, or a cap is reached: nothing was sent.",
    502: "Africa's Talking refused it: nothing was sent. The answer says why, and what to do.",
    503: "Africa's Talking was not reached, or a setting is missing: nothing was sent.",
}


def answers_of(operation: Operation) -> tuple[Answer, Answer]:
    """Return what a callback is answered at an address: taken, refused."""
    return SPELLED.get(operation.path) or (ACCEPTED[operation.kind], KINDS[operation.kind].refused)
