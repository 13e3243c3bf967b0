"""How far the database is behind the program's migrations."""

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.deadline import within
from app.extensions import db
from app.settings import ROOT

READ_S = 2.0


def migrations_behind() -> int:
    """Return how many migrations the database lacks. Raises SQLAlchemyError when it does not answer within 2 s."""
    script = ScriptDirectory(str(ROOT / "migrations"))
    with within(READ_S), db.engine.connect() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    known = [revision.revision for revision in script.walk_revisions()]
    # A database that is ahead of this program, as during a roll-back, lacks nothing.
    return len(known) if at is None else known.index(at) if at in known else 0


def told(behind: int) -> str:
    """Return that number in words."""
    return f"{behind} migration{'' if behind == 1 else 's'} behind"
