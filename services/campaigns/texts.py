"""Messages with {columns}: which they name, and what becomes of them for one recipient. Pure."""

import re
from collections.abc import Mapping

from app.errors import Invalid

# Two braces stand for one. Only names are looked up: what str.format reads from a name, attributes and all, is not.
_MARKS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def columns_of(message: str) -> list[str]:
    """Return the names of the columns of a message, each once. Raises Invalid for a brace that is left alone, or empty ones."""
    if re.search(r"[{}]", _MARKS.sub("", message)):
        raise Invalid("'message' has a brace without its other half: a column is {name}, and a brace itself is written twice, as {{")
    names = [match.group(1).strip() for match in _MARKS.finditer(message) if match.group(1) is not None]
    if "" in names:
        raise Invalid("'message' has {} without a name: a column is {name}, and braces themselves are written twice, as {{}}")
    return list(dict.fromkeys(names))


def filled(message: str, columns: Mapping[str, str]) -> str:
    """Return the message with its columns filled in. Raises KeyError, with the name of a column that is not there."""

    def replaced(match: re.Match[str]) -> str:
        return match.group()[0] if match.group(1) is None else columns[match.group(1).strip()]

    return _MARKS.sub(replaced, message)
