"""The front door: what is here, for people and programs, and what robots may do."""

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

bp = Blueprint("home", __name__)
PRODUCTS = ("sms", "voice", "airtime", "sim-swap", "ussd", "payments")


@bp.get("/")
def index() -> BaseResponse:
    """Anybody asks what this is: a browser gets the dashboard."""
    if "text/html" in request.headers.get("Accept", ""):
        answer: BaseResponse = redirect(url_for("pages.live.page"), 302)
    else:
        services = {product: f"/api/{product}" for product in PRODUCTS} | {"v1": "/api/v1"}
        answer = jsonify(name="Pokea", services=services, health="/healthz", ready="/readyz")
    answer.vary.add("Accept")
    return answer


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
