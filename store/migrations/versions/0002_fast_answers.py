"""Fast answers that wait for their whole ones, and industry keys of a project's own.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WIDE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "fast_answers",
        sa.Column("project_key", sa.String(length=200), nullable=False),
        sa.Column("task_id", WIDE, autoincrement=False, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("given_at", sa.Float(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("project_key", "task_id", "version"),
    )
    op.add_column("projects", sa.Column("industry_keys", sa.Text(), nullable=False, server_default="[]"))
