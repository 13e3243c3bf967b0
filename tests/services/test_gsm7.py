import pytest

from services import gsm7


@pytest.mark.parametrize(("text", "unusual", "length", "room"), [("Hello\n1. Ok", "", 11, 160), ("10€ [x]", "", 10, 160), ("it’s ’ok", "’", 8, 70), ("Habari 😀", "😀", 8, 70), ("", "", 0, 160)])  # fmt: skip
def test_lengths_are_those_of_the_alphabet(text: str, unusual: str, length: int, room: int) -> None:
    assert (gsm7.unusual(text), gsm7.length(text), gsm7.room(text, 160)) == (unusual, length, room)
