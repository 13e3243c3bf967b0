"""Builder of the voice actions that Africa's Talking understands. Escapes everything and refuses wrong nesting.

Names and attributes: Africa's Talking's voice documentation and SDK builders, read 2026-11. Of two spellings found for
the ring-back tone, `ringbackTone` is used.
"""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
ACTIONS = ("Say", "Play", "GetDigits", "Dial", "Record", "Enqueue", "Dequeue", "Redirect", "Conference", "Reject")
PROMPTS = ("Say", "Play")
INTERPRETATIONS = (
    "currency", "telephone", "date", "time", "verbatim", "spell-out", "characters", "cardinal", "ordinal", "fraction",
    "bleep", "expletive",
)  # fmt: skip
EMPHASIS = ("strong", "moderate", "none", "reduced")
# XML 1.0 has no place for these, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GOOGLE = "http://www.google.com/ssml"


class WrongAction(ValueError):
    """An action that Africa's Talking would not understand; the text says what would be right."""


def respond(*actions: Element) -> str:
    """Return the whole answer for these actions, in this order; without any, the one that ends a call."""
    response = Element("Response")
    for action in actions:
        response.append(_one_of(ACTIONS, action, "an answer"))
    return DECLARATION + tostring(response, encoding="unicode").replace(" />", "/>")


def say(text: str | Element, voice: str | None = None, play_beep: bool | None = None) -> Element:
    """Speak a text, or what `speak()` made. voice: man, woman, or a name such as en-US-Standard-C."""
    action = _element("Say", voice=voice, playBeep=play_beep)
    if isinstance(text, str):
        action.text = _clean(text)
    else:
        action.append(_one_of(("speak",), text, "Say"))
    return action


def play(url: str) -> Element:
    """Play the sound file at an https address."""
    return _element("Play", url=_web_address(url, "Play"))


def get_digits(
    prompt: Element,
    *,
    num_digits: int | None = None,
    timeout_s: int | None = None,
    finish_on_key: str | None = None,
    callback_url: str | None = None,
) -> Element:
    """Take key presses after one Say or Play. finish_on_key: one of 0-9 * #. callback_url: where the digits are posted."""
    action = _element(
        "GetDigits",
        numDigits=_positive(num_digits, "num_digits"),
        timeout=_positive(timeout_s, "timeout_s"),
        finishOnKey=_key(finish_on_key),
        callbackUrl=_web_address(callback_url, "GetDigits"),
    )
    action.append(_one_of(PROMPTS, prompt, "GetDigits"))
    return action


def dial(
    phone_numbers: Sequence[str],
    *,
    record: bool | None = None,
    sequential: bool | None = None,
    caller_id: str | None = None,
    max_duration_s: int | None = None,
    ringback_tone: str | None = None,
) -> Element:
    """Call others, all at once or one after the other, and connect the first who answers. SIP addresses are allowed."""
    if isinstance(phone_numbers, str) or not phone_numbers or any("," in number or not number.strip() for number in phone_numbers):
        raise WrongAction("Dial needs a list of phone numbers, for example dial(['+254711000017'])")
    return _element(
        "Dial",
        phoneNumbers=",".join(phone_numbers),
        record=record,
        sequential=sequential,
        callerId=caller_id,
        maxDuration=_positive(max_duration_s, "max_duration_s"),
        ringbackTone=_web_address(ringback_tone, "Dial"),
    )


def record(
    prompt: Element | None = None,
    *,
    finish_on_key: str | None = None,
    max_length_s: int | None = None,
    timeout_s: int | None = None,
    trim_silence: bool | None = None,
    play_beep: bool | None = None,
    callback_url: str | None = None,
) -> Element:
    """Record the caller. Without any attribute or prompt, the rest of the call is recorded."""
    action = _element(
        "Record",
        finishOnKey=_key(finish_on_key),
        maxLength=_positive(max_length_s, "max_length_s"),
        timeout=_positive(timeout_s, "timeout_s"),
        trimSilence=trim_silence,
        playBeep=play_beep,
        callbackUrl=_web_address(callback_url, "Record"),
    )
    if prompt is not None:
        action.append(_one_of(PROMPTS, prompt, "Record"))
    return action


def enqueue(hold_music: str | None = None, name: str | None = None) -> Element:
    """Let the caller wait in a queue."""
    return _element("Enqueue", holdMusic=_web_address(hold_music, "Enqueue"), name=name)


def dequeue(phone_number: str, name: str | None = None) -> Element:
    """Connect to the first who waits. phone_number: the number of yours that callers queued on."""
    if not phone_number.strip():
        raise WrongAction("Dequeue needs the number that callers queued on")
    return _element("Dequeue", phoneNumber=phone_number, name=name)


def redirect(url: str) -> Element:
    """Go on with what another address answers."""
    action = _element("Redirect")
    action.text = _clean(_web_address(url, "Redirect") or "")
    return action


def conference() -> Element:
    """Join the conference of this number."""
    return Element("Conference")


def reject() -> Element:
    """Refuse the call; nobody pays."""
    return Element("Reject")


def speak(*parts: str | Element) -> Element:
    """Make SSML for say(): text, and what pause(), say_as() and emphasis() made, in this order."""
    whole = Element("speak")
    for part in parts:
        if isinstance(part, str):
            _append_text(whole, _clean(part))
        else:
            whole.append(_one_of(("break", "say-as", "emphasis"), part, "speak"))
            if any(name.startswith("google:") for name in part.attrib):
                whole.set("xmlns:google", _GOOGLE)
    return whole


def pause(time_ms: int) -> Element:
    """Be silent for so many milliseconds."""
    return _element("break", time=f"{_positive(time_ms, 'time_ms')}ms")


def say_as(
    text: str,
    interpret_as: str,
    *,
    language: str | None = None,
    format: str | None = None,
    detail: int | None = None,
    style: str | None = None,
) -> Element:
    """Read a text as what it is. format and detail: for date and time; language: for currency; style: `zero-as-zero` for telephone."""
    if interpret_as not in INTERPRETATIONS:
        raise WrongAction(f"'{interpret_as}' is not one of: {', '.join(INTERPRETATIONS)}")
    part = _element(
        "say-as", **{"interpret-as": interpret_as, "language": language, "format": format, "detail": detail, "google:style": style}
    )
    part.text = _clean(text)
    return part


def emphasis(text: str, level: str) -> Element:
    """Stress a text. level: strong, moderate, none or reduced."""
    if level not in EMPHASIS:
        raise WrongAction(f"'{level}' is not one of: {', '.join(EMPHASIS)}")
    part = _element("emphasis", level=level)
    part.text = _clean(text)
    return part


def _element(tag: str, **attributes: str | int | bool | None) -> Element:
    given = {name: value for name, value in attributes.items() if value is not None}
    return Element(tag, {name: str(value).lower() if isinstance(value, bool) else _clean(str(value)) for name, value in given.items()})


def _append_text(whole: Element, text: str) -> None:
    if len(whole):
        whole[-1].tail = (whole[-1].tail or "") + text
    else:
        whole.text = (whole.text or "") + text


def _one_of(tags: Sequence[str], element: object, place: str) -> Element:
    if not isinstance(element, Element) or element.tag not in tags:
        found = element.tag if isinstance(element, Element) else type(element).__name__
        raise WrongAction(f"{found} cannot stand in {place}, which takes: {', '.join(tags)}")
    return element


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text)


def _positive(value: int | None, name: str) -> int | None:
    if value is not None and (isinstance(value, bool) or value < 1):
        raise WrongAction(f"{name} is {value}: it must be 1 or more")
    return value


def _key(key: str | None) -> str | None:
    if key is not None and (len(key) != 1 or key not in "0123456789*#"):
        raise WrongAction(f"finish_on_key is '{key}': it must be one of 0-9, * and #")
    return key


def _web_address(url: str | None, action: str) -> str | None:
    if url is not None and not url.startswith(("https://", "http://")):
        raise WrongAction(f"'{url}' in {action} is not an address like https://example.com/hold.mp3")
    return url
