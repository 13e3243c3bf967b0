"""What can be broken on purpose. All of it is off until somebody switches it on."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from emulator.errors import Refused

REPORTS = ("Failed", "Rejected", "never")


@dataclass(frozen=True)
class Fault:
    """One fault. takes: what its value is, in words; is_value: whether a value is one; usual: what `true` stands for."""

    meaning: str
    takes: str
    is_value: Callable[[Any], bool]
    usual: Any


def _is_number(least: float, most: float, only_whole: bool = False) -> Callable[[Any], bool]:
    kinds = int if only_whole else int | float

    def is_value(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        return bool(least <= value <= most)

    return is_value


def _flag(meaning: str) -> Fault:
    return Fault(meaning, "true", lambda value: value is True, True)


def _count(meaning: str, most: int, usual: int) -> Fault:
    return Fault(meaning, f"a whole number from 1 to {most}", _is_number(1, most, only_whole=True), usual)


def _seconds(meaning: str, usual: float, most: float = 86_400) -> Fault:
    return Fault(meaning, f"seconds, {most:g} at most", _is_number(0.01, most), usual)


FAULTS = {
    "duplicate": _count("every callback comes again so many times, a second apart", 20, 1),
    "late": _seconds("every callback comes so many seconds late", 30),
    "reordered": _flag("callbacks overtake each other; a report of a message on its way comes after the last one"),
    "dropped": _flag("callbacks never come"),
    "retry_storm": _count("so many copies of every callback come at once", 200, 20),
    "callback_first": _flag("the report comes before the answer to the send"),
    "slow": _seconds("answers of the API take so many seconds", 5, most=120),
    "hang": _flag("the API takes a request, does what it asks, and never answers"),
    "reset": _flag("the API does what is asked and breaks the connection"),
    "too_many": _flag("the API answers 429 and does nothing"),
    "server_error": Fault(
        "the API does what is asked and answers with this status", "a status from 500 to 599", _is_number(500, 599, True), 503
    ),
    "html": _flag("the API does what is asked and answers with a page of HTML"),
    "charset": _flag("content types name a charset, in answers of the API and in callbacks"),
    "drop_session": _count("the network drops a USSD session after so many hops", 50, 2),
    "app_slow": _seconds("to the network your application seems to take so many seconds longer", 12),
    "report": Fault(
        f"delivery reports say this: {', '.join(REPORTS)}",
        f"one of {', '.join(REPORTS)}",
        lambda value: isinstance(value, str) and value in REPORTS,
        "Failed",
    ),
}


class Faults:
    """Those that are on: {name: {"value", "only", "times"}}. only: kinds of callback or paths, with `*`; times: how often still."""

    def __init__(self, on: dict[str, Any]) -> None:
        self.on = on

    def change(self, given: dict[str, Any]) -> None:
        """Switch what is named on or off, all of it or, when anything is wrong, nothing. Raises Refused."""
        read = {name: self._read(name, value) for name, value in given.items()}
        for name, value in read.items():
            self.on.pop(name, None)
            if value is not None:
                self.on[name] = value

    def look(self, name: str, subject: str) -> Any:
        """Return the value of a fault where it is on and meant for a kind of callback or a path; else None."""
        found = self.on.get(name)
        is_meant = found and any(fnmatchcase(subject, pattern) for pattern in found["only"] or ["*"])
        return found["value"] if found and is_meant else None

    def take(self, name: str, subject: str) -> Any:
        """Return what look() does, and count it as used."""
        found = self.on.get(name)
        if not found or self.look(name, subject) is None:
            return None
        if found["times"] is not None:
            found["times"] -= 1
            if found["times"] <= 0:
                del self.on[name]
        return found["value"]

    def shown(self) -> dict[str, Any]:
        """Return those that are on, and all that there are."""
        plain = {name: one["value"] if one["only"] is None and one["times"] is None else one for name, one in self.on.items()}
        known = {name: fault.meaning for name, fault in FAULTS.items()}
        takes = {name: fault.takes for name, fault in FAULTS.items()}
        return {"faults": plain, "on": list(self.on), "known": known, "takes": takes, "usual": {n: f.usual for n, f in FAULTS.items()}}

    @staticmethod
    def _read(name: str, given: Any) -> dict[str, Any] | None:
        fault = FAULTS.get(name)
        if fault is None:
            raise Refused(f"No fault '{name}'. There are: {', '.join(FAULTS)}")
        whole = given if isinstance(given, dict) else {"value": given}
        if unknown := set(whole) - {"value", "only", "times"}:
            raise Refused(f"'{name}' takes value, only and times, not '{min(unknown):.40}'")
        value, only, times = whole.get("value", True), whole.get("only"), whole.get("times")
        if value is None or value is False or (value == 0 and not isinstance(value, str)):
            return None
        value = fault.usual if value is True else value
        if not fault.is_value(value):
            raise Refused(f"'{name}' takes {fault.takes}, not {value!r:.60}; false turns it off")
        if only is not None and not (isinstance(only, list) and all(isinstance(one, str) for one in only)):
            raise Refused(f"'only' of '{name}' must be a list of kinds or paths, as [\"sms.*\", \"/call\"]")
        if times is not None and not _is_number(1, 10**6, True)(times):
            raise Refused(f"'times' of '{name}' must be a whole number of 1 or more")
        return {"value": value, "only": only, "times": times}
