"""Create campaigns, their batches and recipients."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
TIME = sa.DateTime(timezone=True)


def _only(condition: str) -> dict[str, Any]:
    """Return what makes an index hold only the rows of a condition, on both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Make the tables and their indexes."""
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("own", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("paused_because", sa.Text()),
        sa.Column("send_at", TIME),
        sa.Column("quiet_hours", sa.Text()),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("next_batch_at", TIME),
        sa.Column("preview", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("fingerprint", sa.LargeBinary()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
    )
    op.create_index("campaigns_idempotency_key", "campaigns", ["idempotency_key"], unique=True)
    op.create_index("campaigns_running", "campaigns", ["state", "id"])
    op.create_table(
        "campaign_batches",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("campaign_id", sa.Text(), sa.ForeignKey("campaigns.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("leased_until", TIME),
        sa.Column("leased_by", sa.Text()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("invocation_id", sa.Text()),
        sa.Column("chosen", sa.Text()),
    )
    op.create_index("campaign_batches_invocation_id", "campaign_batches", ["invocation_id"])
    op.create_index("campaign_batches_number", "campaign_batches", ["campaign_id", "number"], unique=True)
    op.create_index("campaign_batches_waiting", "campaign_batches", ["campaign_id", "due_at"], **_only("state = 'waiting'"))
    op.create_table(
        "campaign_recipients",
        sa.Column("campaign_id", sa.Text(), sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("phone", sa.Text(), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("batch_number", sa.Integer()),
    )
    op.create_index("campaign_recipients_batch", "campaign_recipients", ["campaign_id", "batch_number"])
    op.create_index("campaign_recipients_state", "campaign_recipients", ["campaign_id", "state", "position"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("campaign_recipients")
    op.drop_table("campaign_batches")
    op.drop_table("campaigns")
