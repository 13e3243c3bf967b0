"""The alphabet of text on phone networks (3GPP TS 23.038) and how long a text is in it. Knows no product."""

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
