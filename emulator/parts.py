"""How many parts a message is sent in. Source: GSM 03.38 (3GPP TS 23.038): 160 or 153 septets, 70 or 67 characters of UCS-2."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")


def parts_of(text: str) -> int:
    """Return the number of parts of a text, one at least."""
    if all(letter in _BASIC or letter in _EXTENDED for letter in text):
        size = len(text) + sum(letter in _EXTENDED for letter in text)
        single, joined = 160, 153
    else:
        size = len(text.encode("utf-16-be")) // 2
        single, joined = 70, 67
    return 1 if size <= single else -(-size // joined)
