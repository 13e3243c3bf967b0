import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from services.budget import PLACES, Budget, OverBudget


def test_it_gives_back_what_the_work_returns_and_raises() -> None:
    budget = Budget(2)
    assert budget.run("a", lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        budget.run("a", lambda: 1 / 0)


def test_a_time_out_of_the_work_itself_is_its_own() -> None:
    def work() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        Budget(2).run("a", work)


def test_a_program_that_hangs_takes_no_more_than_its_places() -> None:
    budget, gate, told = Budget(0.2), threading.Event(), []

    def ask() -> None:
        try:
            budget.run("slow", lambda: gate.wait(10))
        except OverBudget as late:
            told.append(str(late))

    threads = [threading.Thread(target=ask) for _ in range(PLACES + 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("no answer within 0.2 s") == PLACES
    assert told.count(f"{PLACES} sessions wait for it already") == 5
    assert budget.run("other", lambda: "free") == "free"
    gate.set()
    assert Budget(5).run("slow", lambda: "free") == "free"


def test_places_come_back_when_the_work_ends() -> None:
    budget = Budget(2)
    assert [budget.run("a", lambda: 1) for _ in range(3 * PLACES)] == [1] * 3 * PLACES


def test_a_program_that_is_busy_but_answers_is_waited_for() -> None:
    budget = Budget(5)
    # Three rounds of all places: the last ones wait for longer than for a program that answers nobody.
    with ThreadPoolExecutor(3 * PLACES) as people:
        answers = [people.submit(budget.run, "busy", lambda: sleep(0.2)) for _ in range(3 * PLACES)]
        assert [answer.result() for answer in answers] == [None] * 3 * PLACES
