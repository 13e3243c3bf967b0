"""What one kind of callback is made of: the parent of all callback schemas, and the row that KINDS has for each kind."""

from dataclasses import dataclass
from typing import Any

from marshmallow import EXCLUDE, Schema

from app.schemas import answers
from app.schemas.answers import Answer
from app.schemas.fields import Line


class CallbackSchema(Schema):
    """A shape that leaves out what it does not know: Africa's Talking adds fields without notice.

    They are kept all the same, as sent; here one spelled like a name of ours would take that one's place.
    """

    class Meta:
        unknown = EXCLUDE

    def __init__(self) -> None:
        super().__init__()
        self.line_names = [f.data_key or name for name, f in self.fields.items() if isinstance(f, Line)]

    def doubts(self, loaded: dict[str, Any]) -> list[str]:
        """Return what is odd about fields that were taken, a sentence each."""
        found = ((f.data_key or name, f.doubt(loaded[name])) for name, f in self.fields.items() if name in loaded)  # type: ignore[attr-defined]
        return [f"{name} {doubt}" for name, doubt in found if doubt]


@dataclass(frozen=True)
class Kind:
    """One row of KINDS."""

    schema: CallbackSchema
    purpose: str
    # Where its address is entered in Africa's Talking's dashboard
    at_field: str
    sample: dict[str, Any]
    # Fields by which two callbacks are about the same thing; none: known only by being alike
    identity: tuple[str, ...] = ()
    # Those of them that name the thing: with none of these there is no identity
    named_by: tuple[str, ...] = ()
    # Where the phone number, and the id that ties callbacks together, are found; the first that is there
    phone: tuple[str, ...] = ("phoneNumber",)
    reference: tuple[str, ...] = ()
    refused: Answer = answers.BAD
    # Answer to a callback that differs from the first of its identity; None: the usual one
    differing: Answer | None = None
    # Somebody, or money, waits on the line: answered whatever the database does, and never limited
    is_interactive: bool = False
    # A repeat is answered with what is computed now, not with what is stored
    answers_afresh: bool = False
    # Another kind that may take back what this one says, "" for none: one of that kind in between, and the same again is no repeat
    undone_by: str = ""
    # Never a repeat
    is_each_new: bool = False
    sends_json: bool = False
    # Fields that tell it in one line
    facts: tuple[str, ...] = ()
    # The field whose word says how something ended, and its family in app/statuses.py
    ends_in: tuple[str, str] | None = None

    @property
    def patience_s(self) -> float:
        """Seconds that keeping it may take."""
        return 2.0 if self.is_interactive else 5.0
