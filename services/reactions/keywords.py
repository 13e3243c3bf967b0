"""Which functions of flows/ a callback calls for: by its kind, and a message by its first word. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.schemas.callbacks import KINDS

MESSAGE = "sms.incoming_message"
# Of the first word of a message so much counts, as long as it may be.
MOST_OF_A_WORD = 100
_ANY_REF = "-*"


@dataclass(frozen=True)
class Rule:
    """One line of the developer's table of reactions."""

    kind: str
    # Gets a services.reactions.acting.Happened
    function: Callable[[Any], None]
    # Words of which a message begins with one; none: not chosen by its words
    keywords: tuple[str, ...]
    name: str


@dataclass(frozen=True)
class Called:
    """A rule that a callback calls for. match: what stood for the `*` of its keyword, "" where there is none."""

    rule: Rule
    match: str = ""


def on(kind: str, function: Callable[[Any], None], keyword: str | Sequence[str] | None = None, name: str | None = None) -> Rule:
    """Return the rule that a function runs for callbacks of a kind.

    keyword: the first word of a message, or several such words; `YES-*` takes YES-1042, and `happened.match` is 1042. Of a word
    MOST_OF_A_WORD characters count.
    name: what it is known by, its function's name if left out. Raises ValueError for a kind or keyword that there cannot be.
    """
    keywords = (keyword,) if isinstance(keyword, str) else tuple(keyword or ())
    if kind not in KINDS:
        raise ValueError(f"there is no kind '{kind}'; kinds are {', '.join(KINDS)}")
    if keywords and kind != MESSAGE:
        raise ValueError(f"only {MESSAGE} has keywords, not {kind}")
    if wrong := [word for word in keywords if not _is_one_word(word.removesuffix(_ANY_REF))]:
        raise ValueError(f"'{wrong[0]}' cannot be a keyword: it must be one word, or end in {_ANY_REF} as YES-*")
    return Rule(kind, function, keywords, name or function.__name__)


def insist_on_own_names(rules: Sequence[Rule]) -> None:
    """Raise ValueError where two rules share a name: by it a function's work is known."""
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two reactions are named '{twice[0]}': give one of them another with name=")


def called_for(rules: Sequence[Rule], kind: str, text: str) -> list[Called]:
    """Return the rules that a callback calls for, in their order.

    text: of a message. The first keyword that fits has the message to itself; where none does, all rules without one run.
    """
    rules = [rule for rule in rules if rule.kind == kind]
    for rule in rules:
        for keyword in rule.keywords:
            if (match := _match(keyword, text)) is not None:
                return [Called(rule, match)]
    return [Called(rule) for rule in rules if not rule.keywords]


def match_of(rule: Rule, text: str) -> str:
    """Return what of a message stands for the `*` of a rule's keyword, "" where nothing does."""
    return next((match for keyword in rule.keywords if (match := _match(keyword, text)) is not None), "")


def _match(keyword: str, text: str) -> str | None:
    word = _trimmed(text)
    if not keyword.endswith(_ANY_REF):
        return "" if word.casefold() == keyword.casefold() else None
    begin = keyword.removesuffix("*")
    is_meant = word[: len(begin)].casefold() == begin.casefold() and len(word) > len(begin)
    return word[len(begin) :] if is_meant else None


def _is_one_word(text: str) -> bool:
    return bool(text) and _trimmed(text) == text


def _trimmed(text: str) -> str:
    # What stands around a word is none of it: `"Stop!"` is STOP.
    word = next(iter(text.split(None, 1)), "")[:MOST_OF_A_WORD]
    begin, end = 0, len(word)
    while begin < end and not word[begin].isalnum():
        begin += 1
    while begin < end and not word[end - 1].isalnum():
        end -= 1
    return word[begin:end]
