"""Reads the XML that answers a call, our own or a program's, and says it in words. Resolves nothing: a DOCTYPE is refused."""

from collections.abc import Callable
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

# What a person reads of one answer
MOST_ACTIONS = 50
MOST_TEXT = 1000


class NotAnAnswer(ValueError):
    """What a call would not understand; the text says why."""


class Action(NamedTuple):
    """One instruction: its name, as Say, and what it does, in words."""

    name: str
    said: str


def read(text: str) -> Element:
    """Return the `<Response>` of an answer. Raises NotAnAnswer."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise NotAnAnswer("a voice answer must not have a DOCTYPE")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise NotAnAnswer(f"a voice answer must be XML: {error}") from error
    if root.tag != "Response":
        raise NotAnAnswer(f"a voice answer must be a <Response>; it is a <{root.tag}>")
    return root


def in_words(text: str) -> list[Action]:
    """Return what an answer makes a call do, in its order; nothing where it ends the call. Raises NotAnAnswer."""
    return [Action(str(one.tag)[:40], _said(one)[:MOST_TEXT]) for one in read(text)[:MOST_ACTIONS]]


def _said(action: Element) -> str:
    say = _WORDS.get(str(action.tag), _text)
    return say(action)


def _text(action: Element) -> str:
    return " ".join("".join(action.itertext()).split())


def _get_digits(action: Element) -> str:
    given = action.attrib
    count = given.get("numDigits", "")
    awaited = "digits" if not count else "1 digit" if count == "1" else f"{count} digits"
    return f"{_prompt(action)}waits for {awaited}{_until(given)}{_limit(given, 'timeout')}"


def _record(action: Element) -> str:
    return f"{_prompt(action)}records{_until(action.attrib)}{_limit(action.attrib, 'maxLength')}"


def _dial(action: Element) -> str:
    given = action.attrib
    order = "one after the other" if given.get("sequential") == "true" else ""
    records = "records the call" if given.get("record") == "true" else ""
    return ", ".join(one for one in (given.get("phoneNumbers", ""), order, records) if one) + _limit(given, "maxDuration")


def _dequeue(action: Element) -> str:
    return f"connects to the first who waits on {action.get('phoneNumber', '')} {action.get('name', '')}".rstrip()


def _prompt(action: Element) -> str:
    """Return what is said before it: the text of Say, the address of Play."""
    prompt = next(iter(action), None)
    said = "" if prompt is None else prompt.get("url", "") if prompt.tag == "Play" else _text(prompt)
    return f"“{said}”, then " if said else ""


def _until(given: dict[str, str]) -> str:
    return f" until {given['finishOnKey']}" if given.get("finishOnKey") else ""


def _limit(given: dict[str, str], name: str) -> str:
    return f", at most {given[name]} s" if given.get(name) else ""


_WORDS: dict[str, Callable[[Element], str]] = {
    "Play": lambda action: action.get("url", ""),
    "GetDigits": _get_digits,
    "Record": _record,
    "Dial": _dial,
    "Enqueue": lambda action: f"waits in the queue {action.get('name', '')}".rstrip(),
    "Dequeue": _dequeue,
    "Conference": lambda _action: "joins the conference of this number",
    "Reject": lambda _action: "refuses the call",
}
