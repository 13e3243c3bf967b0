"""Reads a document of voice instructions into actions, and says in a sentence what is wrong with one that cannot be read.

Names and attributes: Africa's Talking's voice documentation and SDK builders, as of 2026-11-20; of the two spellings of the
ring-back tone both are taken.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from xml.parsers import expat

from emulator.state import Action, Prompt

MOST_BYTES = 64 * 1024
MOST_DEPTH = 100
PROMPTS = ("Say", "Play")
KEYS = "0123456789*#"


class BadScript(Exception):
    """A document that cannot be followed; the text says why and where."""


@dataclass
class _Node:
    name: str
    attributes: dict[str, str]
    line: int
    children: list["_Node"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def read(document: bytes) -> tuple[list[Action], list[str]]:
    """Return the actions of a document in their order, and what was passed over. Raises BadScript."""
    root = _parsed(document)
    if root.name != "Response":
        raise BadScript(f"Voice answer is not a <Response>: it is a <{root.name}> on line {root.line}")
    notes: list[str] = []
    if between := "".join(text for text in root.texts if not text.startswith("\0")).strip():
        notes.append(f"text between the actions is not spoken: '{between:.40}'")
    return [action for node in root.children if (action := _action(node, notes))], notes


def wrong_with(document: bytes) -> str:
    """Return what is wrong with a document, or was passed over in it, in one line; "" for nothing."""
    try:
        return "; ".join(read(document)[1])
    except BadScript as bad:
        return str(bad)


def _parsed(document: bytes) -> _Node:
    if len(document) > MOST_BYTES:
        raise BadScript(f"Voice answer is too long: it has {len(document)} bytes, {MOST_BYTES} are taken")
    reader = _Reader()
    try:
        return reader.parse(document)
    except expat.ExpatError as error:
        raise BadScript(f"Voice answer is not XML: {reader.explain(error)}") from error
    except (LookupError, ValueError) as error:
        raise BadScript(f"Voice answer declares an encoding on line 1 that cannot be read: {error}") from error


class _Reader:
    """Builds nodes, and knows which elements are open when it fails."""

    def __init__(self) -> None:
        self.root: _Node | None = None
        self.open: list[_Node] = []
        self._expat = expat.ParserCreate()
        self._expat.StartElementHandler = self._begin
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text
        self._expat.StartDoctypeDeclHandler = self._doctype

    def parse(self, document: bytes) -> _Node:
        """Return the root. Bytes, not text: a document may declare its encoding."""
        self._expat.Parse(document, True)
        assert self.root is not None
        return self.root

    def explain(self, error: expat.ExpatError) -> str:
        reason = expat.errors.messages.get(error.code, str(error))
        if self.open and "mismatched tag" in reason:
            return f"<{self.open[-1].name}> opened on line {self.open[-1].line} is not closed (seen on line {error.lineno})"
        if self.open and "no element found" in reason:
            return f"<{self.open[-1].name}> opened on line {self.open[-1].line} is not closed"
        if "no element found" in reason:
            return "it is empty (line 1)"
        return f"{reason} on line {error.lineno}, column {error.offset + 1}"

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        node = _Node(name, attributes, self._expat.CurrentLineNumber)
        if self.open:
            self.open[-1].children.append(node)
            # The place of a child among the words, for what is spoken.
            self.open[-1].texts.append(f"\0{len(self.open[-1].children) - 1}\0")
        else:
            self.root = node
        self.open.append(node)
        if len(self.open) > MOST_DEPTH:
            raise BadScript(f"Voice answer nests more than {MOST_DEPTH} elements on line {node.line}")

    def _end(self, _name: str) -> None:
        self.open.pop()

    def _text(self, text: str) -> None:
        if self.open:
            self.open[-1].texts.append(text)

    def _doctype(self, *_: object) -> None:
        raise BadScript(f"Voice answer has a DOCTYPE on line {self._expat.CurrentLineNumber}, which is not taken")


def _action(node: _Node, notes: list[str]) -> Action | None:
    if node.name not in _ACTIONS:
        known = ", ".join(_ACTIONS)
        notes.append(f"<{node.name}> on line {node.line} is no action and was passed over; there are: {known}")
        return None
    known_attributes, unknown = check(node.name, node.attributes, f"on line {node.line}")
    notes += [f"{name} of <{node.name}> on line {node.line} is not known and was passed over" for name in unknown]
    action = Action(node.name, known_attributes, _spoken(node) if node.name in ("Say", "Redirect") else "")
    if node.name == "Redirect" and (problem := _url(action.text)):
        raise BadScript(f"<Redirect> on line {node.line} leads to '{action.text:.60}': {problem}")
    if node.name in ("GetDigits", "Record"):
        action.prompt = _prompt(node, notes)
    elif node.name != "Say" and node.children:
        notes.append(f"<{node.name}> on line {node.line} takes no elements: <{node.children[0].name}> was passed over")
    return action


def check(name: str, attributes: dict[str, str], where: str) -> tuple[dict[str, str], list[str]]:
    """Return the attributes that an action knows, and the names of those that it does not. Raises BadScript for wrong ones."""
    checks = _ACTIONS[name]
    for attribute, value in attributes.items():
        if attribute in checks and (problem := checks[attribute](value)):
            raise BadScript(f"{attribute} of <{name}> {where} is '{value:.60}': {problem}")
    for attribute in _NEEDED.get(name, ()):
        if not attributes.get(attribute, "").strip():
            raise BadScript(f"<{name}> {where} needs {attribute}")
    known = {attribute: value for attribute, value in attributes.items() if attribute in checks}
    return known, [attribute for attribute in attributes if attribute not in checks]


def _prompt(node: _Node, notes: list[str]) -> list[Prompt]:
    if len(node.children) > 1 or any(child.name not in PROMPTS for child in node.children):
        raise BadScript(f"<{node.name}> on line {node.line} takes one <Say> or one <Play>")
    found = [action for child in node.children if (action := _action(child, notes))]
    return [Prompt(action.name, action.attributes, action.text) for action in found]


def _spoken(node: _Node) -> str:
    return " ".join(_words(node).split())


def _words(node: _Node) -> str:
    inner = "".join(_words(node.children[int(text[1:-1])]) if text.startswith("\0") else text for text in node.texts)
    return f" {inner}" if node.name == "break" else inner


def _free(_value: str) -> str:
    return ""


def _whole(value: str) -> str:
    is_whole = value.isascii() and value.isdigit() and int(value[:9]) > 0 and len(value) < 9
    return "" if is_whole else "it must be a whole number above 0"


def _key(value: str) -> str:
    return "" if len(value) == 1 and value in KEYS else "it must be one of 0-9, * and #"


def _flag(value: str) -> str:
    return "" if value in ("true", "false") else "it must be true or false"


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not set(value) & set(" \t\r\n")
    except ValueError:
        is_address = False
    return "" if is_address else "it must be an address (https://…)"


def _numbers(value: str) -> str:
    return "" if all(one.strip() for one in value.split(",")) else "it must be phone numbers by comma"


Check = Callable[[str], str]
_TONES: dict[str, Check] = {"ringbackTone": _url, "ringBackTone": _url}
_ACTIONS: dict[str, dict[str, Check]] = {
    "Say": {"voice": _free, "playBeep": _flag},
    "Play": {"url": _url},
    "GetDigits": {"numDigits": _whole, "timeout": _whole, "finishOnKey": _key, "callbackUrl": _url},
    "Dial": {"phoneNumbers": _numbers, "record": _flag, "sequential": _flag, "callerId": _free, "maxDuration": _whole, **_TONES},
    "Record": {
        "finishOnKey": _key, "maxLength": _whole, "timeout": _whole, "trimSilence": _flag, "playBeep": _flag, "callbackUrl": _url,
    },
    "Enqueue": {"holdMusic": _url, "name": _free, "url": _url},
    "Dequeue": {"phoneNumber": _free, "name": _free},
    "Redirect": {},
    "Conference": {},
    "Reject": {},
}  # fmt: skip
_NEEDED = {"Play": ("url",), "Dial": ("phoneNumbers",), "Dequeue": ("phoneNumber",)}
