"""Which reactions a message calls for, by its first word."""

from typing import Any

import pytest

from services.apps import Flows
from services.reactions.keywords import called_for, on

MESSAGE = "sms.incoming_message"


def nothing(_happened: Any) -> None:
    """Do nothing."""


RULES = (
    on(MESSAGE, nothing, "STOP", "stop"),
    on(MESSAGE, nothing, ("HELP", "Msaada"), "help"),
    on(MESSAGE, nothing, "YES-*", "yes"),
    on(MESSAGE, nothing, "stop", "second stop"),
    on(MESSAGE, nothing, name="any"),
    on("airtime.status", nothing, name="note"),
    on("airtime.status", nothing, name="note too"),
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("STOP", [("stop", "")]), ("stop", [("stop", "")]), ("  Stop! I said", [("stop", "")]), ("“stop”.", [("stop", "")]),
        ("\u200bSTOP\u200b", [("stop", "")]), ("STOP\nnow", [("stop", "")]), ("STOP\u00a0now", [("stop", "")]),
        ("STOPPED", [("any", "")]), ("please STOP", [("any", "")]), ("", [("any", "")]), ("  ", [("any", "")]), ("!!!", [("any", "")]),
        ("help", [("help", "")]), ("MSAADA tafadhali", [("help", "")]),
        ("YES-1042", [("yes", "1042")]), ("yes-Ab/7.", [("yes", "Ab/7")]), ("Yes-a-b thank you", [("yes", "a-b")]),
        ("YES", [("any", "")]), ("YES-", [("any", "")]), ("YES- 1042", [("any", "")]), ("YES1042", [("any", "")]),
    ],
)  # fmt: skip
def test_the_first_keyword_that_fits_has_the_message_to_itself(text: str, names: list[tuple[str, str]]) -> None:
    assert [(called.rule.name, called.match) for called in called_for(RULES, MESSAGE, text)] == names


def test_of_other_kinds_all_that_are_listed_run() -> None:
    assert [called.rule.name for called in called_for(RULES, "airtime.status", "STOP")] == ["note", "note too"]
    assert called_for(RULES, "sms.opt_out", "") == []


@pytest.mark.parametrize(
    ("kind", "keyword", "said"),
    [
        ("sms.incoming", "STOP", "there is no kind 'sms.incoming'"), ("airtime.status", "STOP", "only sms.incoming_message has keywords"),
        (MESSAGE, "STOP NOW", "cannot be a keyword"), (MESSAGE, "", "cannot be a keyword"), (MESSAGE, "-*", "cannot be a keyword"),
        (MESSAGE, "STOP!", "cannot be a keyword"), (MESSAGE, ("STOP", "*"), "cannot be a keyword"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused(kind: str, keyword: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        on(kind, nothing, keyword)


def test_two_reactions_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two reactions are named 'nothing'"):
        Flows(reactions=(on(MESSAGE, nothing), on("airtime.status", nothing)))


@pytest.mark.parametrize("text", ["a" + 60_000 * "_" + "a", 60_000 * "_", 60_000 * "_-" + "STOP"], ids=["between", "alone", "before"])
def test_a_word_without_end_costs_nothing(text: str) -> None:
    assert [called.rule.name for called in called_for(RULES, MESSAGE, text)] == ["any"]
