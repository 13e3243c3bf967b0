"""Whether the database can be reached at all, asked once at start."""

from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from app.config import CannotStart
from app.settings import Settings


def check_database(settings: Settings) -> None:
    """Raise CannotStart, naming the database with its password masked, when it does not answer within 5 s."""
    url = make_url(settings.database_url)
    if settings.uses_sqlite:
        settings.instance_dir.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": 5} if settings.uses_sqlite else {"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        raise CannotStart(f"Cannot start: the database {url.render_as_string(hide_password=True)} is out of reach: {reason}") from error
