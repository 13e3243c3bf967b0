"""What an open page shows of a list already, so that it is told what came since: the late ones too, and none twice."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ulid import ULID

from app.errors import Invalid

# An id is made before its row is committed: what is new may have a smaller id than what was seen, but not by more than this.
LATE = timedelta(seconds=15)
# Of a ULID so many letters at its end tell it from others of the same minute.
TAIL = 8


@dataclass(frozen=True)
class Known:
    """ULIDs. since: what came later may be new. oldest: of the last line, "" where the list ends with it.

    tails: ends of those of the lines since then, but for lines that may have changed.
    """

    since: str
    oldest: str = ""
    tails: frozenset[str] = frozenset()

    def first_place(self) -> str:
        """Return the place after which a line may have come that is to be shown."""
        return max(self.since, self.oldest)


def place_of(ulid: str, name: str) -> str:
    """Return a place in a list, which is a ULID. name: of the parameter. Raises Invalid for anything else."""
    try:
        moment_of(ulid)
    except ValueError as error:
        raise Invalid(f"'{name}' must be a place in the list") from error
    return ulid


def moment_of(place: str) -> datetime:
    """Return when the row at a place was made. Raises ValueError for what is none."""
    moment: datetime = ULID.from_str(place).datetime
    return moment


def since_for(now: datetime) -> str:
    """Return the place from which a page that was made now is told what came."""
    return str(ULID.from_datetime(now - LATE))
