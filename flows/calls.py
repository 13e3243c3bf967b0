"""Call flows. A step returns one voice action or several; it must not call anything slow."""

from xml.etree.ElementTree import Element

from services.calls import CallFlow, CallStep
from services.voice_xml import get_digits, record, say

welcome = CallFlow()
survey = CallFlow(start="ask")


@welcome.step
def start(call: CallStep) -> Element:
    """Greet, and hang up."""
    return say("Welcome to the service. This is a demo voice application. Goodbye.")


@survey.step
def ask(call: CallStep) -> Element:
    """Ask for one digit."""
    return _question(call)


def _question(call: CallStep) -> Element:
    question = say("How was our service? Press 1 for good, 2 for bad.")
    return get_digits(question, num_digits=1, timeout_s=20, callback_url=call.url_of("rated"))


@survey.step
def rated(call: CallStep) -> list[Element]:
    """Take the digit, and a comment."""
    if call.digits not in ("1", "2"):
        return [say("Sorry, that was not 1 or 2."), _question(call)]
    prompt = say("Thank you. Tell us why after the beep, then press the hash key.")
    return [record(prompt, finish_on_key="#", max_length_s=30, play_beep=True, callback_url=call.url_of("recorded"))]


@survey.step
def recorded(call: CallStep) -> Element:
    """Say whether the comment arrived."""
    return say("Thank you for your comment. Goodbye." if call.recording_url else "We did not hear you. Goodbye.")
