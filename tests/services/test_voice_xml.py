from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas.answers import SORRY_XML
from services import voice_xml as v

HOSTILE = '</Say><Dial phoneNumbers="+254711000099"/>&<!--]]>\'"\x00\x0b\ud800 é 😀'
URL = 'https://a.example/x?a=1&b="2"'


@pytest.mark.parametrize(
    ("action", "xml"),
    [
        (v.say("Hi"), "<Say>Hi</Say>"),
        (v.say("Hi", voice="man", play_beep=True), '<Say voice="man" playBeep="true">Hi</Say>'),
        (v.play("https://a.example/x.mp3"), '<Play url="https://a.example/x.mp3"/>'),
        (
            v.get_digits(v.say("Hi"), num_digits=4, timeout_s=10, finish_on_key="#", callback_url="https://a.example/d"),
            '<GetDigits numDigits="4" timeout="10" finishOnKey="#" callbackUrl="https://a.example/d"><Say>Hi</Say></GetDigits>',
        ),
        (v.get_digits(v.play("https://a.example/x.mp3")), '<GetDigits><Play url="https://a.example/x.mp3"/></GetDigits>'),
        (
            v.dial(["+254711000017", "user@ke.sip.africastalking.com"], record=True, sequential=False, caller_id="+254711082000", max_duration_s=60, ringback_tone="https://a.example/r.mp3"),
            '<Dial phoneNumbers="+254711000017,user@ke.sip.africastalking.com" record="true" sequential="false" callerId="+254711082000" maxDuration="60" ringbackTone="https://a.example/r.mp3"/>',
        ),
        (v.record(), "<Record/>"),
        (
            v.record(v.say("Speak"), finish_on_key="*", max_length_s=30, timeout_s=5, trim_silence=True, play_beep=False, callback_url="https://a.example/r"),
            '<Record finishOnKey="*" maxLength="30" timeout="5" trimSilence="true" playBeep="false" callbackUrl="https://a.example/r"><Say>Speak</Say></Record>',
        ),
        (v.enqueue(), "<Enqueue/>"),
        (v.enqueue("https://a.example/m.mp3", "support"), '<Enqueue holdMusic="https://a.example/m.mp3" name="support"/>'),
        (v.dequeue("+254711082000", "support"), '<Dequeue phoneNumber="+254711082000" name="support"/>'),
        (v.redirect("https://a.example/next"), "<Redirect>https://a.example/next</Redirect>"),
        (v.conference(), "<Conference/>"),
        (v.reject(), "<Reject/>"),
        (
            v.say(v.speak("You owe ", v.say_as("50.00", "currency", language="en-KE"), " by", v.pause(300), v.say_as("04032026", "date", format="ddmmyyyy", detail=1), v.emphasis("now", "strong"), "!")),
            '<Say><speak>You owe <say-as interpret-as="currency" language="en-KE">50.00</say-as> by<break time="300ms"/><say-as interpret-as="date" format="ddmmyyyy" detail="1">04032026</say-as><emphasis level="strong">now</emphasis>!</speak></Say>',
        ),
    ],
)  # fmt: skip
def test_every_action_with_every_attribute(action: ElementTree.Element, xml: str) -> None:
    assert v.respond(action) == f'<?xml version="1.0" encoding="UTF-8"?><Response>{xml}</Response>'


def test_every_action_of_the_reference_is_here() -> None:
    built = {action.tag for action in (v.say(""), v.play(URL), v.get_digits(v.say("")), v.dial(["1"]), v.record(), v.enqueue(), v.dequeue("1"), v.redirect(URL), v.conference(), v.reject())}  # fmt: skip
    assert built == set(v.ACTIONS)
    assert len(built) == 10


def test_the_style_of_a_telephone_number_is_well_formed() -> None:
    xml = v.respond(v.say(v.speak(v.say_as("0711000017", "telephone", style="zero-as-zero"))))
    assert 'google:style="zero-as-zero"' in xml
    assert ElementTree.fromstring(xml).tag == "Response"


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda t: v.say(t), "text"), (lambda t: v.say("x", voice=t), "voice"), (lambda t: v.play("https://" + t), "url"),
        (lambda t: v.get_digits(v.say(t), callback_url="https://" + t), "callbackUrl"), (lambda t: v.dial([t.replace(",", "")], caller_id=t, ringback_tone="https://" + t), "callerId"),
        (lambda t: v.record(v.say(t), callback_url="https://" + t), "callbackUrl"), (lambda t: v.enqueue("https://" + t, t), "name"), (lambda t: v.dequeue(t, t), "name"),
        (lambda t: v.redirect("https://" + t), "text"), (lambda t: v.say(v.speak(t, v.say_as(t, "verbatim"), v.emphasis(t, "none"), t)), "text"),
    ],
)  # fmt: skip
def test_hostile_text_stays_text(build: Callable[[str], ElementTree.Element], text: str) -> None:
    root = ElementTree.fromstring(v.respond(build(HOSTILE)))
    tags = [element.tag for element in root.iter()]
    assert tags.count("Dial") == (1 if root[0].tag == "Dial" else 0)
    assert len(root) == 1
    if text != "text":
        assert "phoneNumbers" in root[0].get(text, "")


@given(st.text())
def test_any_text_makes_xml_that_parses_to_it(text: str) -> None:
    found = ElementTree.fromstring(v.respond(v.say(text))).findtext("Say") or ""
    allowed = "".join(c for c in text if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000")
    assert found == allowed.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    "build",
    [
        lambda: v.respond("<Say>x</Say>"), lambda: v.respond(v.speak("x")), lambda: v.respond(v.pause(5)), lambda: v.get_digits(v.dial(["1"])), lambda: v.get_digits(v.get_digits(v.say(""))),
        lambda: v.get_digits("x"), lambda: v.record(v.conference()), lambda: v.say(v.say("x")), lambda: v.speak(v.say("x")), lambda: v.dial("+254711000017"), lambda: v.dial([]),
        lambda: v.dial(["1,2"]), lambda: v.play("javascript:x"), lambda: v.redirect("/next"), lambda: v.get_digits(v.say(""), num_digits=0), lambda: v.get_digits(v.say(""), finish_on_key="##"),
        lambda: v.record(finish_on_key="a"), lambda: v.record(max_length_s=-1), lambda: v.dequeue(" "), lambda: v.say_as("x", "song"), lambda: v.emphasis("x", "very"),
    ],
)  # fmt: skip
def test_wrong_nesting_and_values_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(v.WrongAction) as refused:
        build()
    assert len(str(refused.value)) > 10


def test_the_apology_is_what_the_builder_makes() -> None:
    apology = v.say("Sorry, this service is not available right now. Please call again later.")
    assert v.respond(apology) == SORRY_XML.body


def test_nothing_to_do_ends_the_call() -> None:
    assert v.respond() == '<?xml version="1.0" encoding="UTF-8"?><Response/>'
