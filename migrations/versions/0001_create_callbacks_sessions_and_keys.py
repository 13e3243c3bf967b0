"""Create callbacks, ussd_sessions and api_keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first three tables."""
    op.create_table(
        "callbacks",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("slot", sa.LargeBinary()),
        sa.Column("fields_hash", sa.LargeBinary(), nullable=False),
        sa.Column("identity", sa.Text()),
        sa.Column("differs_from", sa.Text()),
        sa.Column("phone", sa.Text()),
        sa.Column("reference", sa.Text()),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("raw_body", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("checks", sa.Text(), nullable=False),
        sa.Column("errors", sa.Text()),
        sa.Column("flags", sa.Text()),
        sa.Column("secret_places", sa.Text()),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answer_status", sa.Integer(), nullable=False),
        sa.Column("answer_type", sa.Text(), nullable=False),
        sa.Column("ms", sa.Integer(), nullable=False),
        sa.Column("spent", sa.Text()),
        sa.Column("app", sa.Text()),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("repeated_at", sa.DateTime(timezone=True)),
        sa.Column("repeated_from", sa.Text()),
    )
    op.create_index("callbacks_slot", "callbacks", ["slot"], unique=True)
    for name, columns in (("callbacks_phone", ["phone", "id"]), ("callbacks_reference", ["reference"])):
        present = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(name, "callbacks", columns, sqlite_where=present, postgresql_where=present)
    op.create_table(
        "ussd_sessions",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("memory", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
    )
    op.create_index("api_keys_key_hash", "api_keys", ["key_hash"], unique=True)


def downgrade() -> None:
    """Remove them, and all that they hold."""
    for table in ("api_keys", "ussd_sessions", "callbacks"):
        op.drop_table(table)
