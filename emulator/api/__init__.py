"""Africa's Talking's API: its hosts' addresses, all at one root, one blueprint per service."""

from flask import Flask

from emulator.api import account, airtime, chat, insights, messaging, payments, voice


def init_app(app: Flask) -> None:
    """Register every service, in alphabetical order."""
    for service in (account, airtime, chat, insights, messaging, payments, voice):
        app.register_blueprint(service.bp)
