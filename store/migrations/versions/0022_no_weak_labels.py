"""Weak labels are made where they are asked for, so that no table keeps them.

Revision ID: 0022
"""

import sqlalchemy as sa
from alembic import op

from store.tables import WIDE

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("weak_labels")


def downgrade() -> None:
    op.create_table(
        "weak_labels",
        sa.Column("project_key", sa.String(length=200), nullable=False),
        sa.Column("task_id", WIDE, autoincrement=False, nullable=False),
        sa.Column("space", sa.String(length=64), nullable=False),
        sa.Column("gold_revision", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project_key", "task_id"),
    )
