import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.menus import account
from services import gsm7, ussd_checks
from services.ussd import Ask, Choose, End, Hop, Menu, Option, RunsCode, missing_screens, show, warnings

HOP = Hop("+254711000017", "s1", "*384*1234#")
BOOKS = tuple(Option(f"A book with a long title, number {n}", "bought") for n in range(1, 21))


def screens() -> dict:
    return {
        "start": Choose("Welcome", (Option("Send money", "amount"), Option("Books", "books"), Option("Name", "name"))),
        "amount": Ask("How much?", "pin", "amount", ussd_checks.amount(Decimal(10), Decimal(5000))),
        "pin": Ask("Your PIN?", "sent", "pin", ussd_checks.digits(4, 4), secret=True),
        "sent": lambda hop: End(f"Sent {hop.answers['amount']} to {hop.phone_number}"),
        "books": Choose("Which book?", BOOKS),
        "bought": End("Thank you"),
        "name": Ask("Your name?", "hello", "name", ussd_checks.something),
        "hello": lambda hop: End(f"Hello {hop.answers['name']}"),
    }


MENU = Menu(screens(), back="0", home="00")


def said(text: str, menu: Menu = MENU, size: int = 160, unfinished: str | None = None) -> str:
    return show(menu, HOP, text, size, unfinished).answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "CON What would you want to check \n1. My Account \n2. My phone number"), ("1", "CON Choose account information you want to view \n1. Account number"),
        ("2", "END Your phone number is +254711000017"), ("1*1", "END Your account number is ACC1001"), ("3", "END Invalid choice"), ("1*2", "END Invalid choice"),
        ("2*1", "END Invalid choice"), ("*", "END Invalid choice"), ("1*1*1", "END Invalid choice"), ("13", "END Invalid choice"), ("0", "END Invalid choice"),
    ],
)  # fmt: skip
def test_the_demo_menu_word_for_word(text: str, answer: str) -> None:
    assert said(text, account) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "CON Welcome\n1. Send money\n2. Books\n3. Name"),
        ("7", "CON Invalid choice\nWelcome\n1. Send money\n2. Books\n3. Name"),
        ("7*1", "CON How much?\n0. Back\n00. Home"),
        ("1*5", "CON Please type an amount from 10 to 5000.\nHow much?\n0. Back\n00. Home"),
        ("1*5*50", "CON Your PIN?\n0. Back\n00. Home"),
        ("1*50*12*1234", "END Sent 50 to +254711000017"),
        ("1*50*0", "CON How much?\n0. Back\n00. Home"),
        ("1*50*0*60*1234", "END Sent 60 to +254711000017"),
        ("1*50*00", "CON Welcome\n1. Send money\n2. Books\n3. Name"),
        ("1*0*3*Amina Odhiambo", "END Hello Amina Odhiambo"),
        ("3*", "CON Please type an answer.\nYour name?\n0. Back\n00. Home"),
        ("0", "CON Invalid choice\nWelcome\n1. Send money\n2. Books\n3. Name"),
    ],
)
def test_input_checks_back_and_home(text: str, answer: str) -> None:
    assert said(text) == answer


def test_long_screens_are_paged_forwards_and_backwards() -> None:
    seen, text = [], "2"
    while True:
        answer = said(text)
        assert gsm7.length(answer[4:]) <= 160
        seen += re.findall(r"number (\d+)", answer)
        if "98. More" not in answer:
            break
        text += "*98"
    assert seen == [str(n) for n in range(1, 21)]
    assert text.count("98") > 3
    assert said("2*98*0") == said("2")
    assert said(f"{text}*98") != said(text)  # there is no page behind the last
    assert said("2*98*20") == "END Thank you"
    assert said("2*0") == said("")


def test_a_long_end_is_paged_too() -> None:
    menu = Menu({"start": End(" ".join(f"word{n}" for n in range(60)))})
    answers = [said("*".join(["98"] * n), menu) for n in range(3)]
    assert [answer[:3] for answer in answers] == ["CON", "CON", "END"]
    words = re.findall(r"word\d+", " ".join(answers))
    assert words == [f"word{n}" for n in range(60)]


def test_an_operator_with_longer_screens_gets_fewer_pages() -> None:
    menu = Menu({"start": End(" ".join(f"word{n}" for n in range(60)))})
    assert len(said("", menu, size=160)) < len(said("", menu, size=184)) <= 188


def test_places_of_secrets_are_told() -> None:
    assert show(MENU, HOP, "1*50*12*1234", 160).secret_places == [2, 3]
    assert show(MENU, HOP, "1*50*1234", 160, "1").secret_places == [2]
    assert show(MENU, HOP, "1*50*1234", 160, "1*50").secret_places == [1, 2]


def test_a_session_that_was_cut_off_goes_on() -> None:
    offer = "CON You were cut off. Go on where you were?\n1. Go on\n2. Start again"
    assert said("", unfinished="1*50") == offer
    assert said("9", unfinished="1*50") == offer.replace("CON ", "CON Invalid choice\n")
    assert said("1", unfinished="1*50") == said("1*50")
    assert said("9*1*1234", unfinished="1*50") == "END Sent 50 to +254711000017"
    assert said("2", unfinished="1*50") == said("")
    assert said("2*3*Amina", unfinished="1*50") == "END Hello Amina"


def test_an_option_may_have_its_own_key() -> None:
    menu = Menu({"start": Choose("Pick", (Option("A", "a", key="9"),)), "a": End("A")})
    assert said("", menu) == "CON Pick\n9. A"
    assert said("9", menu) == "END A"


def test_warnings_name_length_and_unusual_characters() -> None:
    assert warnings("CON " + "x" * 200, 160) == ["USSD screen is 200 characters; this network cuts at 160."]
    assert warnings("END it’s", 160) == ["unusual characters: ’"]
    assert warnings("END " + "é" * 160, 160) == []


@pytest.mark.parametrize("menu", [account, MENU], ids=["demo", "full"])
@given(text=st.text(alphabet="0123489*#ab é\n\x00", max_size=60), size=st.sampled_from([160, 184]))
def test_any_input_gets_a_valid_screen_and_the_same_one_again(menu: Menu, text: str, size: int) -> None:
    answer = said(text, menu, size)
    assert answer.startswith(("CON ", "END "))
    assert said(text, menu, size) == answer


@example("0" * 161, 160)
@example("é" + " " * 160, 160)
@given(st.text(max_size=600), st.integers(40, 184))
def test_pages_fit_whatever_the_text(text: str, size: int) -> None:
    menu = Menu({"start": End(text)})
    answer = said("", menu, size)
    assert gsm7.length(answer[4:]) <= gsm7.room(answer[4:], size) or gsm7.unusual(text)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (ussd_checks.something, ["x"], ["", "  "]),
        (ussd_checks.digits(4, 4), ["1234"], ["123", "12345", "12a4", "١٢٣٤", "1234\n"]),
        (ussd_checks.digits(3, 5), ["123", "12345"], ["12", "123456"]),
        (ussd_checks.amount(Decimal(10), Decimal(50)), ["10", "50", "12.50"], ["9", "51", "1e1", "1_0", "ten", "12.505"]),
    ],
)
def test_checks_know_right_from_wrong(check: ussd_checks.Check, right: list[str], wrong: list[str]) -> None:
    assert [check(typed) for typed in right] == [None] * len(right)
    assert all(check(typed) for typed in wrong)


def test_wrong_input_on_a_later_page_is_said_on_the_first() -> None:
    assert said("2*98*77").startswith("CON Invalid choice\nWhich book?")


def test_the_first_page_has_every_way_out_and_a_last_end_has_none() -> None:
    assert said("2").endswith("98. More\n0. Back\n00. Home")
    menu = Menu({"start": End(" ".join(f"word{n}" for n in range(60)))}, back="0")
    assert "Back" not in said("98*98", menu)


def test_so_many_steps_are_nobodys() -> None:
    assert said("*".join(["98", "0"] * 8000)) == "END Invalid choice"


@pytest.mark.parametrize(("text", "runs"), [("", False), ("2*98*77", False), ("3", False), ("1*50", True), ("3*x", True)])
def test_what_is_data_runs_no_code(text: str, runs: bool) -> None:
    if runs:
        with pytest.raises(RunsCode):
            show(MENU, HOP, text, 160, only_data=True)
    else:
        assert show(MENU, HOP, text, 160, only_data=True) == show(MENU, HOP, text, 160)


def test_a_menu_knows_which_screens_it_lacks() -> None:
    assert missing_screens(MENU) == []
    menu = Menu({"start": Choose("x", (Option("a", "nowhere"), Option("b", "ask"))), "ask": Ask("?", to="gone", save_as="a")})
    assert missing_screens(menu) == ["gone", "nowhere"]
    assert missing_screens(Menu()) == ["start"]
