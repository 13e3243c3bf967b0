"""Insights: SIM swap checks."""

from flask import Blueprint, Response, jsonify

from emulator import sim_swap
from emulator.api.door import given, guard, numbers_in
from emulator.here import the_world

bp = guard(Blueprint("insights", __name__))


@bp.post("/v1/sim-swap")
def check() -> Response:
    """When SIM cards were swapped: callbacks bring the answers."""
    world = the_world()
    order = given("username", "phoneNumbers")
    return jsonify(sim_swap.check(world, numbers_in(order["phoneNumbers"])))
