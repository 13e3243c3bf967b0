"""Logins that somebody ended: a cookie that was copied is worth nothing afterwards."""

from datetime import datetime, timedelta

from sqlalchemy import select

from app.extensions import db, writing
from app.models import Mark
from services.upkeep.marks import forget_marks, write_mark

_PREFIX = "ended login "


def end_login(login_id: str, now: datetime, kept_for: timedelta) -> None:
    """Remember that a login ended. kept_for: how long one is good."""
    with writing() as connection:
        forget_marks(connection, _PREFIX, now - kept_for)
        write_mark(connection, _PREFIX + login_id, None, now)


def has_ended(login_id: str) -> bool:
    """Whether somebody ended a login."""
    with db.engine.connect() as connection:
        return connection.scalar(select(Mark.name).where(Mark.name == _PREFIX + login_id)) is not None
