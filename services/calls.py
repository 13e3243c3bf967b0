"""Call flows: steps that answer a call one after the other, each reached through the callbackUrl of the one before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from services.voice_xml import respond

STEP = "step"


@dataclass(frozen=True)
class CallStep:
    """Where a call is. digits and recording_url: what the step before asked for, "" when there is none."""

    session_id: str
    caller_number: str
    destination_number: str
    direction: str
    digits: str
    recording_url: str
    address: str
    token: str = ""

    def url_of(self, step: str) -> str:
        """Return the address that leads to another step, for callback_url of GetDigits and Record."""
        parameters = {STEP: step} | ({"token": self.token} if self.token else {})
        return f"{self.address}?{urlencode(parameters)}"


Action = Callable[[CallStep], Element | Sequence[Element]]


@dataclass(frozen=True)
class CallFlow:
    """Steps by name; a call begins at `start`."""

    start: str = "start"
    steps: dict[str, Action] = field(default_factory=dict)

    def step(self, function: Action) -> Action:
        """Add a function as the step of its name."""
        self.steps[function.__name__] = function
        return function

    def answer(self, call: CallStep, step: str) -> str:
        """Return the XML for a step; one that is not known is the first."""
        actions = self.steps.get(step, self.steps[self.start])(call)
        return respond(actions) if isinstance(actions, Element) else respond(*actions)
