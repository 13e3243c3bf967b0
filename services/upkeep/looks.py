"""What alerts look for in the database: each look returns what is wrong in a sentence, or None. Each is a short read."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, select
from ulid import ULID

from app.models import Callback, Endpoint, Invocation
from app.models.invocation import OPEN
from services.upkeep.backlog import Queue, backlog, literally

# Raised above the first, cleared below the second: what goes up and down around one of them is told once.
TOO_OLD_S, YOUNG_AGAIN_S = 60, 30
REFUSED_WITHIN = timedelta(minutes=10)
MOST_REFUSED = 5
# More than that are not told apart.
MOST_COUNTED = 1000
FAILING_FOR = timedelta(minutes=15)
MONEY = ("airtime.send", "payments.checkout")


@dataclass(frozen=True)
class Scene:
    """What is looked at. raised: the names of the alerts that hold already."""

    connection: Connection
    now: datetime
    queues: list[Queue]
    raised: Container[str]


Look = Callable[[Scene], str | None]


def is_unknown() -> ColumnElement[bool]:
    """Return the condition for invocations whose end is not known, with that of the index that holds them."""
    is_open = Invocation.state.in_(bindparam("open", OPEN, expanding=True, literal_execute=True))
    return and_(is_open, literally(Invocation.state, "unknown"))


def _dead_work(scene: Scene) -> str | None:
    dead = [f"{one.dead} {one.name}" for one in scene.queues if one.dead]
    return f"Given up until a person looks: {', '.join(dead)}." if dead else None


def _queue_age(scene: Scene) -> str | None:
    most_s = YOUNG_AGAIN_S if "queue_age" in scene.raised else TOO_OLD_S
    late = [f"{one.name} {one.oldest_s:.0f} s" for one in scene.queues if one.oldest_s > most_s]
    return f"The oldest work that is due waits: {', '.join(late)}. More workers may be needed." if late else None


def _refused_callbacks(scene: Scene) -> str | None:
    # Ids are time-ordered.
    first_id = f"cb_{ULID.from_datetime(scene.now - REFUSED_WITHIN)}"
    rows = select(Callback.id).where(literally(Callback.state, "refused"), Callback.id >= first_id).limit(MOST_COUNTED).subquery()
    count = scene.connection.execute(select(func.count()).select_from(rows)).scalar_one()
    if count < MOST_REFUSED:
        return None
    return f"{count} callbacks were refused within 10 minutes. See why: flask callbacks list --state refused"


def _failing_endpoint(scene: Scene) -> str | None:
    is_off = Endpoint.is_active.is_(False) & Endpoint.off_because.is_not(None)
    is_failing = Endpoint.is_active & (Endpoint.failing_since < scene.now - FAILING_FOR)
    query = select(Endpoint.id, Endpoint.is_active, Endpoint.failing_since).where(or_(is_off, is_failing)).order_by(Endpoint.id).limit(20)
    said = [
        f"{row.id} fails since {row.failing_since:%Y-%m-%d %H:%M} UTC" if row.is_active else f"{row.id} was turned off"
        for row in scene.connection.execute(query)
    ]
    return f"Webhooks do not arrive: {', '.join(said)}." if said else None


def _unknown_money(scene: Scene) -> str | None:
    rows = select(Invocation.id).where(is_unknown(), Invocation.kind.in_(MONEY)).limit(MOST_COUNTED).subquery()
    count = scene.connection.execute(select(func.count()).select_from(rows)).scalar_one()
    what = "1 order of money" if count == 1 else f"{count} orders of money"
    return f"{what} may or may not have happened. Settle by hand: flask invocations list --state unknown" if count else None


LOOKS: dict[str, Look] = {
    "dead_work": _dead_work,
    "failing_endpoint": _failing_endpoint,
    "queue_age": _queue_age,
    "refused_callbacks": _refused_callbacks,
    "unknown_money": _unknown_money,
}


def look_at_all(connection: Connection, now: datetime, raised: Container[str] = ()) -> dict[str, str | None]:
    """Return what every look found. raised: the names of the alerts that hold already, some of which are slow to be cleared."""
    scene = Scene(connection, now, backlog(connection, now), raised)
    return {name: look(scene) for name, look in LOOKS.items()}
