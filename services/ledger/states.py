"""Which state stands where several were told: the same one, in whatever order they come. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.ledger.readings import larger


@dataclass(frozen=True)
class Ladder:
    """The states of one sort of thing. A lower one never takes the place of a higher one."""

    # The first is where everything begins, the last holds the ends; within a step the last word wins
    steps: tuple[tuple[str, ...], ...]
    # An end under another name: two names of one end are no conflict
    same: Mapping[str, str]

    def spelled(self, word: str) -> str:
        """Return a word as it is usually written; another one as it is."""
        known = {name.lower(): name for step in self.steps for name in step}
        return known.get(word.strip().lower(), word.strip())

    def height(self, word: str) -> tuple[int, int, int, str]:
        """Return what states compare by. A word that is not known lies just above the first step."""
        for number, step in enumerate(self.steps):
            if word in step:
                return number, 0, step.index(word), ""
        return 0, 1, 0, word

    def is_end(self, word: str) -> bool:
        """Whether nothing comes after it."""
        return word in self.steps[-1]

    def risen(self, row: Mapping[str, Any], word: str, reason: str | None) -> dict[str, Any]:
        """Return state, reason and conflicts of a row once this word was told. reason: why the thing is in that state."""
        told, known = self.spelled(word), row["state"]
        values = {"state": known, "reason": row["reason"], "conflicts": self._conflicts(row, told)}
        if self.height(told) > self.height(known):
            values |= {"state": told, "reason": reason}
        elif told == known:
            values |= {"reason": larger(row["reason"], reason)}
        return values

    def _conflicts(self, row: Mapping[str, Any], told: str) -> list[str] | None:
        """Return all ends that were told, where they are several."""
        ends = {word for word in (row["state"], told, *(row["conflicts"] or ())) if self.is_end(word)}
        ends -= {name for name in ends if self.same.get(name) in ends}
        return sorted(ends) if len(ends) > 1 else None


MESSAGES = Ladder(
    (("Queued",), ("Sent", "Submitted", "Buffered"), ("AbsentSubscriber", "Expired", "Failed", "Rejected", "Delivered", "Success")),
    {"Delivered": "Success"},
)
AIRTIME = Ladder((("Queued", "Sent"), ("Failed", "Success")), {})
PAYMENTS = Ladder(
    (
        ("PendingConfirmation", "PendingValidation"),
        ("Queued", "Sent"),
        ("NotSupported", "InvalidRequest", "Cancelled", "Failed", "Success"),
    ),
    {},
)
# A swap wins: whoever asks does so to be careful.
SIM_SWAPS = Ladder((("pending",), ("failed", "not_swapped", "swapped")), {})
