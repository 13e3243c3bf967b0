"""One statement, compiled once from Core and run on the driver itself: for the path that every callback takes.

The models stay the truth: names, types and conditions come from them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import BindParameter, Dialect


class AlreadyThere(Exception):
    """This very row is in the database: an earlier try was committed although its connection broke."""


class Prepared:
    """A statement as the driver takes it, and how a dict of values becomes its arguments."""

    def __init__(self, statement: Any, dialect: Dialect, names: Sequence[str]) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        self.text: str = compiled.string
        self._is_positional = compiled.positiontup is not None
        order = compiled.positiontup or list(compiled.binds)
        self._plan = [(name, *_bind(compiled.binds[name], dialect)) for name in order]

    def arguments(self, values: dict[str, Any]) -> Any:
        """Return the driver's arguments, a tuple or a dict, for these values."""
        ready = []
        for name, fixed, process in self._plan:
            value = values.get(name, fixed)
            ready.append(value if process is None or value is None else process(value))
        return tuple(ready) if self._is_positional else dict(zip((name for name, _, _ in self._plan), ready, strict=True))


def _bind(bind: BindParameter, dialect: Dialect) -> tuple[Any, Callable[[Any], Any] | None]:
    return bind.effective_value, bind.type.dialect_impl(dialect).bind_processor(dialect)
