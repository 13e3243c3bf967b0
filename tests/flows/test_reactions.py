"""The reactions that are shipped: what each message calls for."""

import pytest

from flows import FLOWS
from services.reactions.keywords import called_for

MESSAGE = "sms.incoming_message"


@pytest.mark.parametrize(
    ("text", "name", "match"),
    [
        ("STOP", "stop", ""), ("Start please", "start", ""), ("help?", "send_help", ""), ("YES-1042", "confirmed", "1042"),
        ("no-1042", "rejected", "1042"), ("Hello", "two_way_reply", ""), ("", "two_way_reply", ""), ("Don't stop", "two_way_reply", ""),
    ],
)  # fmt: skip
def test_each_message_calls_for_one_reaction(text: str, name: str, match: str) -> None:
    assert [(called.rule.name, called.match) for called in called_for(FLOWS.reactions, MESSAGE, text)] == [(name, match)]
