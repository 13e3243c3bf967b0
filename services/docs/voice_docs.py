"""The voice actions, told: what each does, and an example with all its attributes, made by the builder itself."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from services import voice_xml as xml
from services.voice_xml import respond

_HOLD, _NUMBER = "https://example.com/hold.mp3", "+254711082000"


@dataclass(frozen=True)
class Action:
    """One voice action. attributes: all that it may have."""

    name: str
    purpose: str
    attributes: tuple[str, ...]
    example: str


def voice_actions() -> list[Action]:
    """Return every action, in the order of the builder."""
    digits = xml.get_digits(
        xml.say("Press 1 for help, then hash."), num_digits=1, timeout_s=20, finish_on_key="#", callback_url="https://example.com/digits"
    )
    record = xml.record(
        xml.say("Speak after the tone."), finish_on_key="#", max_length_s=30, timeout_s=10, trim_silence=True, play_beep=True,
        callback_url="https://example.com/recorded",
    )  # fmt: skip
    dial = xml.dial(
        [_NUMBER], record=True, sequential=True, caller_id=_NUMBER, max_duration_s=600, ringback_tone="https://example.com/ring.mp3"
    )
    return [
        _action("speaks a text; SSML in it pauses, stresses and spells", xml.say("Welcome.", voice="woman", play_beep=False)),
        _action("plays a sound file", xml.play("https://example.com/welcome.mp3")),
        _action("takes key presses after one Say or Play; they come back as dtmfDigits", digits),
        _action("calls others, by comma, and connects the first who answers", dial),
        _action("records the caller; without anything in it, the rest of the call", record),
        _action("lets the caller wait in a queue", xml.enqueue(_HOLD, "support")),
        _action("connects to the first who waits in a queue", xml.dequeue(_NUMBER, "support")),
        _action("goes on with what another address answers", xml.redirect("https://example.com/next")),
        _action("joins the conference of this number", xml.conference()),
        _action("refuses the call; nobody pays", xml.reject()),
    ]


def _action(purpose: str, example: Element) -> Action:
    return Action(example.tag, purpose, tuple(example.attrib), respond(example).removeprefix(xml.DECLARATION))
