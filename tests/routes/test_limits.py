"""Counting requests, by many threads at once."""

import sys
import threading
import time
from collections.abc import Callable

from flask import Flask
from limits import RateLimitItemPerMinute

from routes.limits import count
from tests.invoking import ONLY_SQLITE

ROUNDS = 60
MANY = RateLimitItemPerMinute(10**6)


@ONLY_SQLITE
def test_threads_that_count_at_once_do_not_fail(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    failed: list[BaseException] = []
    gate = threading.Barrier(8)

    def counting() -> None:
        with app.test_request_context(environ_base={"REMOTE_ADDR": "127.0.0.1"}):
            for _ in range(ROUNDS):
                # All at the moment in which the store's timer has to be started anew.
                time.sleep(0.012)
                gate.wait()
                try:
                    count(MANY, "test")
                except RuntimeError as error:
                    failed.append(error)

    threads = [threading.Thread(target=counting) for _ in range(8)]
    often = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(often)
    assert failed == []
