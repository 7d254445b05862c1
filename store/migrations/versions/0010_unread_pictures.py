"""Tasks whose pictures could not be read, when the next attempt is due, and the settings of each process.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# SQLite assigns row ids only to columns of type INTEGER; PostgreSQL needs BIGINT.
WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "unread_pictures",
        sa.Column("project_key", sa.String(200), primary_key=True),
        sa.Column("task_id", WIDE, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "processes",
        sa.Column("name", sa.String(250), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
    )
    op.add_column("projects", sa.Column("pictures_due_at", sa.Float, nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("pictures_pause", sa.Float, nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("address_notes", sa.Text, nullable=False, server_default="{}"))
