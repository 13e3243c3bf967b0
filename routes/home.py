"""The front door: what is here, for people and programs, and what robots may do."""

from flask import Blueprint, Response, jsonify

bp = Blueprint("home", __name__)
PRODUCTS = ("sms", "voice", "airtime", "sim-swap", "ussd", "payments")


@bp.get("/")
def index() -> Response:
    """Anybody asks what this is."""
    return jsonify(
        name="Pokea", services={product: f"/api/{product}" for product in PRODUCTS} | {"v1": "/api/v1"}, health="/healthz", ready="/readyz"
    )


@bp.get("/robots.txt")
def robots() -> Response:
    """Crawlers ask what they may read: nothing."""
    return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")


def service(service: str) -> Response:
    """Anybody asks whether a product is here."""
    return jsonify(service=service, status="ready")


for product in (*PRODUCTS, "v1"):
    if product != "ussd":  # which greets in plain text
        bp.add_url_rule(f"/api/{product}", "service", service, defaults={"service": product})
