"""What is remembered of USSD sessions, for menus that ask for it: a memory of their own, and where a number was cut off."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.deadline import within
from app.extensions import db
from app.models import Callback, UssdSession
from services.slots import index_key
from services.ussd import Menu, Shown

logger = logging.getLogger(__name__)
# Reading may take so long, of the two seconds that an answer may wait for the database.
READ_S = 0.8


@dataclass
class Memory:
    """What a menu keeps for itself, and what was typed in a session that was cut off."""

    own: dict[str, Any] = field(default_factory=dict)
    unfinished: str | None = None

    def after(self, shown: Shown, service_code: str) -> dict[str, Any]:
        """Return what has to be remembered once this screen was shown."""
        return {"own": self.own, "unfinished": self.unfinished, "path": shown.path, "ended": shown.ends, "code": service_code}


def recall(menu: Menu, hop: dict[str, Any]) -> Memory:
    """Return what is remembered for one hop; nothing where the database does not answer."""
    try:
        # A session of its own, so that no connection is held while the menu runs.
        with within(READ_S), Session(db.engine) as session:
            kept = session.get(UssdSession, index_key(hop["session_id"]))
            if kept is not None:
                return Memory(kept.memory["own"], kept.memory["unfinished"])
            return Memory(unfinished=_cut_off(session, menu, hop) if menu.resume_within_s and not hop["text"] else None)
    except SQLAlchemyError as error:
        logger.warning("what was remembered of a session is not known: %s", type(error).__name__)
        return Memory()


def _cut_off(session: Session, menu: Menu, hop: dict[str, Any]) -> str | None:
    since = datetime.now(UTC) - timedelta(seconds=menu.resume_within_s)
    last = (
        select(UssdSession)
        .join(Callback, Callback.reference == UssdSession.id)
        .where(Callback.phone == index_key(hop["phone_number"]), Callback.kind == "ussd.session")
        .where(UssdSession.id != index_key(hop["session_id"]), UssdSession.updated_at > since, Callback.replay_of.is_(None))
        .order_by(Callback.id.desc())
        .limit(1)
    )
    found = session.scalars(last).first()
    # Only into the same menu: what was typed means something else in another.
    if found is None or found.memory["ended"] or found.memory["code"] != hop["service_code"]:
        return None
    return found.memory["path"] or None
