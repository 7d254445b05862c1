"""The answers of the served version and of the one before.

Revision ID: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    wide = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "answers",
        sa.Column("project_key", sa.String(length=200), nullable=False),
        sa.Column("task_id", wide, autoincrement=False, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("item_key", sa.String(length=64), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("look_alike", wide, nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("project_key", "task_id", "version"),
    )
    op.create_index("answers_by_score", "answers", ["project_key", "version", "score"])
    op.create_index("answers_by_look_alike", "answers", ["project_key", "version", "look_alike"])
    op.add_column("projects", sa.Column("answered_generation", sa.BigInteger(), nullable=False, server_default="-1"))
    op.add_column("projects", sa.Column("answered_versions", sa.Text(), nullable=False, server_default="[]"))
