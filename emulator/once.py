"""Orders that are done once, however often they come: by the key that the caller gives them."""

from emulator.state import keep
from emulator.world import World

DUPLICATE = "A duplicate request was received within the last 5 minutes"
# How long Africa's Talking keeps a key is not published; its text names minutes.
LASTS_S = 24 * 3600


def is_repeat(world: World, key: str) -> bool:
    """Whether an order's key was seen before; from now on it was. Nothing repeats an order without a key."""
    if not key:
        return False
    with world.changing() as state:
        seen_at = state.keys.get(key)
        if seen_at is not None and world.now() - seen_at < LASTS_S:
            return True
        keep(state.keys, key, world.now())
        return False


def forget(world: World, key: str) -> None:
    """Let an order of which nothing was done be made again."""
    with world.changing() as state:
        state.keys.pop(key, None)
