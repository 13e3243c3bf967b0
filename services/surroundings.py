"""What every page tells besides its own matter: workers, alerts, what to look at, the public address. Asked for once for many pages."""

from dataclasses import dataclass
from datetime import datetime
from threading import Lock, Thread
from time import monotonic

from sqlalchemy import Connection, Engine, select

from app.deadline import within
from app.errors import StorageUnavailable
from app.models import Alert
from app.settings import Settings
from services.reading.wanted import looks
from services.spend_switch import read_switch
from services.tunnel import Public, public_address
from services.upkeep.backlog import Workers, workers_seen

# Dashboards that are open ask every other second, and are told the same.
FRESH_S = 1.0
# What one look may wait for the database.
PATIENCE_S = 3.0
# A tunnel is noticed within this time.
TUNNEL_S = 2.5


@dataclass(frozen=True)
class Around:
    """What was found. looks: how many callbacks and orders want to be looked at. alerts: what is wrong, a sentence each.

    stopped: that nothing is sent, and who wanted that; None where it is.
    """

    workers: Workers
    alerts: list[str]
    looks: int
    public: Public
    stopped: str | None


class Surroundings:
    """The last look around, shared by the threads of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = Lock()
        # When it was looked, and what was found: None where the database did not answer
        self._around: tuple[float, Around | None] = (float("-inf"), None)
        self._public = Public(settings.public_url, "PUBLIC_URL") if settings.public_url else Public("", "")
        self._asked_at = float("-inf")
        # How often something was changed here
        self._changes = 0

    def look(self, engine: Engine, now: datetime) -> Around:
        """Return what is around, not older than FRESH_S unless another thread is looking.

        Raises SQLAlchemyError or StorageUnavailable, and the latter at once while another thread finds out whether the database is back.
        """
        at, around = self._around
        if monotonic() - at >= FRESH_S and self._turn.acquire(blocking=around is None and at < 0):
            try:
                around = self._renew(engine, now)
            finally:
                self._turn.release()
        if around is None:
            raise StorageUnavailable
        return around

    def _renew(self, engine: Engine, now: datetime) -> Around | None:
        at, around = self._around
        if monotonic() - at < FRESH_S:
            return around
        found, changes = None, self._changes
        try:
            with within(PATIENCE_S), engine.connect() as connection:
                found = self._found(connection, now)
        finally:
            # What was changed meanwhile may have been read before.
            self._around = (monotonic() if changes == self._changes else float("-inf"), found)
        return found

    def _found(self, connection: Connection, now: datetime) -> Around:
        raised = select(Alert.detail).where(Alert.cleared_at.is_(None)).order_by(Alert.name)
        switch = read_switch(connection)
        return Around(
            workers_seen(connection, now), list(connection.scalars(raised)), looks(connection), self._public_address(),
            switch.said() if switch and switch.is_stopped else None,
        )  # fmt: skip

    def forget(self) -> None:
        """Look anew the next time: something was changed just now."""
        self._changes += 1
        self._around = (float("-inf"), None)

    def _public_address(self) -> Public:
        """Return the address that was last known; who asks for it does not wait for a tunnel to answer."""
        if not self._settings.public_url and monotonic() - self._asked_at > TUNNEL_S:
            self._asked_at = monotonic()
            Thread(target=self._ask_tunnel, daemon=True).start()
        return self._public

    def _ask_tunnel(self) -> None:
        self._public = public_address(self._settings)
