"""The way of a callback from the emulator to the application: its bytes, its repeats, and what faults make of it."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from emulator import caller
from emulator.caller import Said
from emulator.kinds import HOUR_S, JSON, KINDS, REPEAT_EVERY_S
from emulator.world import World

# A callback that lets others overtake it is held back so long.
OVERTAKEN_S = 3.0
REDIRECTS = range(300, 400)
Judge = Callable[[Said], str]


def tell(world: World, kind: str, fields: dict[str, Any], strand: str, phone: str = "", delay_s: float = 0.0) -> None:
    """Have the application told something, with faults and repeats. Callbacks of one strand come in their order."""
    for delay, lane in _copies(world, kind, strand, phone):
        world.later(delay_s + delay, "line.post", lane, kind=kind, fields=fields, phone=phone, began=None)


def _copies(world: World, kind: str, strand: str, phone: str) -> list[tuple[float, str]]:
    """Return when, and in which strand, each copy of a callback goes; none when it is dropped."""
    take = world.faults.take
    with world.lock:
        if take("dropped", kind):
            world.log.add(world.now_iso(), "out", "POST", _shown_url(world, kind), explanation="dropped on purpose", kind=kind, phone=phone)
            return []
        late = float(take("late", kind) or 0)
        copies = [(late, strand)]
        if take("reordered", kind) and _is_overtaken(world, kind):
            copies = [(late + OVERTAKEN_S, f"{strand}/overtaken")]
        copies += [(late + number + 1.0, f"{strand}/again") for number in range(take("duplicate", kind) or 0)]
        copies += [(late, f"{strand}/storm {number}") for number in range((take("retry_storm", kind) or 1) - 1)]
        return copies


def _is_overtaken(world: World, kind: str) -> bool:
    """Whether this callback lets the next of its kind go first: each second one does."""
    world.state.overtaking[kind] = not world.state.overtaking.get(kind, False)
    return world.state.overtaking[kind]


def post(world: World, kind: str, fields: dict[str, Any], phone: str, began: float | None) -> None:
    """Post a callback once, and plan the next time if the answer asks for it. began: when it was first posted."""
    state = world.state
    said = ask(world, kind, fields, phone, _no_success)
    if said is None:
        return
    row = KINDS[kind]
    lasts_s = row.repeats_s or (12 * HOUR_S if world.settings.repeat_all and not row.is_asked else 0)
    is_good = said.status is not None and row.good_from <= said.status < row.good_below
    with world.lock:
        began = world.now() if began is None else began
        # The last time is within the hours, not at their end.
        if state is world.state and not is_good and world.now() + REPEAT_EVERY_S - began < lasts_s:
            strand = f"repeat {state.number()}"
            world.later(REPEAT_EVERY_S, "line.post", strand, kind=kind, fields=fields, phone=phone, began=began)


def ask(
    world: World,
    kind: str,
    fields: dict[str, Any],
    phone: str,
    judge: Judge,
    url: str | None = None,
    headers: dict[str, str] | None = None,
) -> Said | None:
    """Post what is answered at once, and return the answer; None where no address is set.

    judge: says what is wrong with an answer, "" for nothing. url: instead of the usual address.
    """
    url = url or world.settings.url_of(kind)
    if url is None:
        explain(world, f"no address is set for {kind}, so nobody was told", kind, phone)
        return None
    body, given = _wire(world, kind, fields)
    state = world.state
    said = caller.post(url, body.encode(), given | (headers or {}), world.settings.answer_within_s)
    if state is not world.state:
        # It is of a world that is gone.
        return said
    problem = not_whole(said) or judge(said)
    world.log.add(world.now_iso(), "out", "POST", url, said.status, said.ms, body, said.text, problem, kind, phone)
    return said


def _wire(world: World, kind: str, fields: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the body of a callback, and its headers."""
    row = KINDS[kind]
    body = json.dumps(fields, separators=(",", ":"), allow_nan=False) if row.media == JSON else urlencode(fields)
    with world.lock:
        has_charset = world.faults.take("charset", kind)
    media = f"{row.media}; charset=UTF-8" if has_charset else row.media
    return body, {"Content-Type": media, "User-Agent": row.user_agent}


def explain(world: World, explanation: str, kind: str, phone: str) -> None:
    """Write to the log why something went as it did, apart from any request."""
    world.log.add(world.now_iso(), "out", "", "", explanation=explanation, kind=kind, phone=phone)


def not_whole(said: Said) -> str:
    """Return why nothing can be made of an answer, whatever it says; "" when something can."""
    if said.status is None:
        return f"your app {said.problem}"
    if said.status in REDIRECTS:
        return f"your app answered {said.status}: redirects are not followed, give the final address"
    return ""


def _no_success(said: Said) -> str:
    return "" if said.status is not None and said.status < 300 else f"your app answered {said.status}"


def _shown_url(world: World, kind: str) -> str:
    return world.settings.url_of(kind) or ""
