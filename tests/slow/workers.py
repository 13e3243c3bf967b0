"""Starts workers quickly, for tests that kill many: each line that it reads forks one, whose process id it writes.

As `flask worker`, but for the time that its imports take.
"""

import os
import signal
import sys

import services.upkeep.worker
from app import create_app
from app.config import load_settings


def work() -> None:
    """Be a worker until somebody ends it."""
    app = create_app()
    services.upkeep.worker.Worker(app, load_settings()).run()


def main() -> None:
    """Fork a worker for each line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.close(0)
            work()
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
