"""Create what callbacks add up to."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
TIME = sa.DateTime(timezone=True)


def _only(condition: str) -> dict[str, Any]:
    """Return what makes an index hold only the rows of a condition, on both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Make the tables and their indexes."""
    op.create_table(
        "messages",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("own", sa.Text()),
        sa.Column("text", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("retry_count", sa.Integer()),
        sa.Column("conflicts", sa.Text()),
        sa.Column("cost", sa.BigInteger()),
        sa.Column("currency", sa.Text()),
        sa.Column("network_code", sa.Text()),
        sa.Column("link_id", sa.Text()),
        sa.Column("invocation_id", sa.Text()),
        sa.Column("reference", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("messages_invocation_id", "messages", ["invocation_id"])
    op.create_index("messages_phone", "messages", ["phone", "id"])
    op.create_index("messages_provider_id", "messages", ["provider_id"], unique=True)
    op.create_index("messages_reference", "messages", ["reference"])
    op.create_index("messages_state", "messages", ["state", "id"])
    op.create_table(
        "opt_outs",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("callback_id", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("opt_outs_phone", "opt_outs", ["phone", "sender"], unique=True)
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("short_code", sa.Text(), nullable=False),
        sa.Column("keyword", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("callback_id", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("subscriptions_phone", "subscriptions", ["phone", "short_code", "keyword"], unique=True)
    op.create_table(
        "airtime",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("conflicts", sa.Text()),
        sa.Column("value", sa.BigInteger()),
        sa.Column("discount", sa.BigInteger()),
        sa.Column("currency", sa.Text()),
        sa.Column("invocation_id", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("airtime_phone", "airtime", ["phone", "id"])
    op.create_index("airtime_provider_id", "airtime", ["provider_id", "phone"], unique=True)
    op.create_table(
        "sim_swaps",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Text()),
        sa.Column("phone", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("swapped_on", sa.Date()),
        sa.Column("conflicts", sa.Text()),
        sa.Column("invocation_id", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("sim_swaps_phone", "sim_swaps", ["phone", "id"])
    op.create_index("sim_swaps_provider_id", "sim_swaps", ["provider_id"], unique=True)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("own", sa.Text()),
        sa.Column("direction", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("duration_s", sa.Integer()),
        sa.Column("cost", sa.BigInteger()),
        sa.Column("currency", sa.Text()),
        sa.Column("network_code", sa.Text()),
        sa.Column("invocation_id", sa.Text()),
        sa.Column("has_told_start", sa.Boolean(), nullable=False),
        sa.Column("has_told_end", sa.Boolean(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("sessions_phone", "sessions", ["phone", "id"])
    op.create_index("sessions_provider_id", "sessions", ["provider_id"], unique=True)
    op.create_table(
        "recordings",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("duration_s", sa.Integer()),
        sa.Column("status", sa.Text()),
        sa.Column("sent_status", sa.Text()),
        sa.Column("sent_duration", sa.Text()),
        sa.Column("participants", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("processed_at", TIME),
    )
    op.create_index("recordings_session_id", "recordings", ["session_id", "url"], unique=True)
    op.create_table(
        "payments",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("conflicts", sa.Text()),
        sa.Column("category", sa.Text()),
        sa.Column("product_name", sa.Text()),
        sa.Column("value", sa.BigInteger()),
        sa.Column("fee", sa.BigInteger()),
        sa.Column("currency", sa.Text()),
        sa.Column("about", sa.Text()),
        sa.Column("invocation_id", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("payments_phone", "payments", ["phone", "id"])
    op.create_index("payments_provider_id", "payments", ["provider_id"], unique=True)
    op.create_table(
        "costs",
        sa.Column("source", sa.Text(), primary_key=True),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
    )
    op.create_index("costs_day", "costs", ["day", "product", "currency", "amount"])
    op.create_index("costs_phone", "costs", ["phone", "currency", "day", "amount"])
    # Who opted out before there was this table still did.
    op.execute(
        "INSERT INTO opt_outs (id, phone, sender, state, by, callback_id, created_at, updated_at) "
        "SELECT 'out_' || substr(max(id), 4), '+' || ltrim(phone, '+'), '', 'out', 'callback', max(id), max(received_at), max(received_at) "
        "FROM callbacks WHERE kind = 'sms.opt_out' AND state <> 'refused' AND phone IS NOT NULL GROUP BY '+' || ltrim(phone, '+')"
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("costs")
    op.drop_table("payments")
    op.drop_table("recordings")
    op.drop_table("sessions")
    op.drop_table("sim_swaps")
    op.drop_table("airtime")
    op.drop_table("subscriptions")
    op.drop_table("opt_outs")
    op.drop_table("messages")
