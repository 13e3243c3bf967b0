"""The world that a request is about."""

from flask import current_app

from emulator.world import World


def the_world() -> World:
    """Return the world of the running program."""
    world: World = current_app.extensions["emulator.world"]
    return world
