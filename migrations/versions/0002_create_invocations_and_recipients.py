"""Create invocations and recipients."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and their indexes."""
    op.create_table(
        "invocations",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("ordered", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text()),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("ms", sa.Integer()),
        sa.Column("answer_status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("problem", sa.Text()),
        sa.Column("advice", sa.Text()),
        sa.Column("was_reached", sa.Boolean()),
        sa.Column("settled", sa.Text()),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
    )
    op.create_index("invocations_idempotency_key", "invocations", ["kind", "idempotency_key"], unique=True)
    op.create_index("invocations_fingerprint", "invocations", ["fingerprint", "id"])
    named = sa.text("reference IS NOT NULL")
    op.create_index("invocations_reference", "invocations", ["reference"], sqlite_where=named, postgresql_where=named)
    is_open = sa.text("state IN ('pending', 'unknown')")
    op.create_index("invocations_open", "invocations", ["state", "id"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "recipients",
        sa.Column("invocation_id", sa.Text(), sa.ForeignKey("invocations.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("advice", sa.Text()),
        sa.Column("cost", sa.BigInteger()),
        sa.Column("cost_currency", sa.Text()),
        sa.Column("amount", sa.BigInteger()),
        sa.Column("currency", sa.Text()),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text()),
        sa.Column("validated_for", sa.Text()),
    )
    op.create_index("recipients_phone", "recipients", ["phone", "invocation_id"])
    op.create_index("recipients_day", "recipients", ["day"])
    given = sa.text("provider_id IS NOT NULL")
    op.create_index("recipients_provider_id", "recipients", ["provider_id"], sqlite_where=given, postgresql_where=given)


def downgrade() -> None:
    """Remove them, and all that they hold."""
    op.drop_table("recipients")
    op.drop_table("invocations")
