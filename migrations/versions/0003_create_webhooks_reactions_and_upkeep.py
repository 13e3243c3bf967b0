"""Give callbacks what the worker needs; create events, endpoints, deliveries, reactions, marks and alerts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
TIME = sa.DateTime(timezone=True)


def _only(condition: str) -> dict[str, Any]:
    """Return what makes an index hold only the rows of a condition, on both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Add the columns of the worker, then make the tables."""
    op.add_column("callbacks", sa.Column("via", sa.Text()))
    op.add_column("callbacks", sa.Column("replay_of", sa.Text()))
    op.add_column("callbacks", sa.Column("has_effects", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("callbacks", sa.Column("due_at", TIME))
    op.add_column("callbacks", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("callbacks", sa.Column("last_error", sa.Text()))
    op.add_column("callbacks", sa.Column("pinned_at", TIME))
    op.create_index("callbacks_due", "callbacks", ["due_at", "id"], **_only("due_at IS NOT NULL"))
    op.create_index("callbacks_refused", "callbacks", ["id"], **_only("state = 'refused'"))
    op.create_index("callbacks_failed", "callbacks", ["id"], **_only("last_error IS NOT NULL"))
    op.create_index("callbacks_replay_of", "callbacks", ["replay_of"], **_only("replay_of IS NOT NULL"))
    op.create_table(
        "events",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("reference", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("events_reference", "events", ["reference", "id"])
    op.create_table(
        "endpoints",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous_secret", sa.Text()),
        sa.Column("previous_until", TIME),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("off_because", sa.Text()),
        sa.Column("is_for_alerts", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("failing_since", TIME),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_try_at", TIME),
        sa.Column("leased_by", sa.Text()),
        sa.Column("leased_until", TIME),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("endpoint_id", sa.Text(), sa.ForeignKey("endpoints.id", ondelete="CASCADE"), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("callback_id", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("revived_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("attempted_at", TIME),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("ms", sa.Integer()),
        sa.Column("problem", sa.Text()),
    )
    op.create_index("deliveries_callback", "deliveries", ["callback_id"], **_only("callback_id IS NOT NULL"))
    op.create_index("deliveries_dead", "deliveries", ["id"], **_only("state = 'dead'"))
    op.create_index("deliveries_due", "deliveries", ["endpoint_id", "due_at"], **_only("state = 'waiting'"))
    op.create_index("deliveries_event", "deliveries", ["endpoint_id", "event_id"], unique=True)
    op.create_index("deliveries_of_endpoint", "deliveries", ["endpoint_id", "id"])
    op.create_index("deliveries_waiting", "deliveries", ["endpoint_id", "event_id"], **_only("state = 'waiting'"))
    op.create_table(
        "attempts",
        sa.Column("delivery_id", sa.Text(), sa.ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("attempted_at", TIME, nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("ms", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("next_try_at", TIME),
    )
    op.create_table(
        "reactions",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("callback_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("leased_until", TIME),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("did", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
    )
    op.create_index("reactions_callback", "reactions", ["callback_id", "name"], unique=True)
    op.create_index("reactions_dead", "reactions", ["id"], **_only("state = 'dead'"))
    op.create_index("reactions_waiting", "reactions", ["due_at"], **_only("state = 'waiting'"))
    op.create_table(
        "marks",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text()),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("cleared_at", TIME),
    )


def downgrade() -> None:
    """Drop the tables, then the columns."""
    op.drop_table("alerts")
    op.drop_table("marks")
    op.drop_table("reactions")
    op.drop_table("attempts")
    op.drop_table("deliveries")
    op.drop_table("endpoints")
    op.drop_table("events")
    for name in ("callbacks_due", "callbacks_refused", "callbacks_failed", "callbacks_replay_of"):
        op.drop_index(name, "callbacks")
    for name in ("via", "replay_of", "has_effects", "due_at", "tries", "last_error", "pinned_at"):
        op.drop_column("callbacks", name)
