"""The control API: everything that a person can do on the pages, for tests and scripts."""

from flask import Flask

from emulator.control import calls, phones, world


def init_app(app: Flask) -> None:
    """Register every part, in alphabetical order."""
    for part in (calls, phones, world):
        app.register_blueprint(part.bp)
