"""The ways in, over HTTP: the one list of blueprints and their prefixes."""

from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound

from routes import (
    addresses,
    airtime,
    alerts_api,
    campaigns_api,
    commands,
    health,
    home,
    openapi,
    pages,
    payments,
    reading,
    replays,
    sim_swap,
    sms,
    ussd,
    v1,
    voice,
    webhooks_api,
)


def init_app(app: Flask) -> None:
    """Register every blueprint, in alphabetical order, what is said to who missed an address, and the commands."""
    app.register_blueprint(airtime.bp, url_prefix="/api/airtime")
    app.register_blueprint(alerts_api.bp, url_prefix="/api/v1")
    app.register_blueprint(campaigns_api.bp, url_prefix="/api/v1")
    app.register_blueprint(health.bp)
    app.register_blueprint(home.bp)
    app.register_blueprint(openapi.bp)
    pages.init_app(app)
    app.register_blueprint(payments.bp, url_prefix="/api/payments")
    app.register_blueprint(reading.bp, url_prefix="/api/v1")
    app.register_blueprint(replays.bp, url_prefix="/api/v1")
    app.register_blueprint(sim_swap.bp, url_prefix="/api/sim-swap")
    app.register_blueprint(sms.bp, url_prefix="/api/sms")
    app.register_blueprint(ussd.bp, url_prefix="/api/ussd")
    app.register_blueprint(v1.bp, url_prefix="/api/v1")
    app.register_blueprint(voice.bp, url_prefix="/api/voice")
    app.register_blueprint(webhooks_api.bp, url_prefix="/api/v1")
    app.register_error_handler(NotFound, addresses.not_found)
    app.register_error_handler(MethodNotAllowed, addresses.method_not_allowed)
    commands.init_app(app)
