"""An application of a test that listens, for what posts to it over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import make_server


@contextmanager
def listening(app: Flask) -> Iterator[Flask]:
    """Serve an application at the port of its settings, from a thread of this process."""
    server = make_server("127.0.0.1", app.config["POKEA"].port, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield app
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
