"""The alphabet of text on phone networks (3GPP TS 23.038) and how long a text is in it. Knows no product."""

from typing import NamedTuple

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each takes two places.
_EXTENDED = frozenset("^{}\\[~]|€\f")


def unusual(text: str) -> str:
    """Return the characters that the alphabet lacks, each once, in their order."""
    return "".join(dict.fromkeys(char for char in text if char not in _BASIC and char not in _EXTENDED))


def length(text: str) -> int:
    """Return the places that a text takes in this alphabet; its unusual characters count as one each."""
    return len(text) + sum(char in _EXTENDED for char in text)


def room(text: str, places: int) -> int:
    """Return how many places a screen of `places` has for this text: UCS-2 characters take 16 bits instead of 7."""
    return places * 7 // 16 if unusual(text) else places


class Parts(NamedTuple):
    """How a message travels. length: in places of its encoding; unusual: the characters that make it UCS-2."""

    encoding: str
    length: int
    parts: int
    unusual: str


def message_parts(text: str) -> Parts:
    """Return the parts of a message: 160 places of GSM-7 in one or 153 in each of several, 70 or 67 of UCS-2."""
    odd = unusual(text)
    sizes = [len(char.encode("utf-16-be")) // 2 for char in text] if odd else [1 + (char in _EXTENDED) for char in text]
    alone, together = (70, 67) if odd else (160, 153)
    parts, used = 1, 0
    for size in sizes if sum(sizes) > alone else ():
        # A character is never torn in two.
        if used + size > together:
            parts, used = parts + 1, 0
        used += size
    return Parts("UCS-2" if odd else "GSM-7", sum(sizes), parts, odd)
