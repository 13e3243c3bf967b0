"""A list of recipients as people paste it: a CSV with a header, or one number a line. Knows no database."""

from services.campaigns.recipients import PHONE, Listed, from_csv, from_list

_SEPARATORS = (",", ";", "\t")


def from_text(text: str) -> list[Listed]:
    """Return the lines of a pasted list. Raises Invalid, for a CSV without a header too."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and (PHONE in lines[0].lower() or any(separator in line for line in lines for separator in _SEPARATORS)):
        return from_csv(text.encode())
    return from_list(lines)
