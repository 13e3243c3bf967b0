"""Index callbacks that differ from an earlier one: a person is told how many there are."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    only = sa.text("state = 'differing'")
    op.create_index("callbacks_differing", "callbacks", ["id"], sqlite_where=only, postgresql_where=only)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("callbacks_differing", table_name="callbacks")
