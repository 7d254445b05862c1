"""What the gallery filters by: the labels of each kept answer, those of gold, and doubtful gold.

Revision ID: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    wide = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "answer_labels",
        sa.Column("project_key", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("task_id", wide, autoincrement=False, nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("project_key", "version", "task_id", "label"),
    )
    op.create_table(
        "gold_labels",
        sa.Column("project_key", sa.String(length=200), nullable=False),
        sa.Column("task_id", wide, autoincrement=False, nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("there", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("project_key", "task_id", "label"),
    )
    op.create_table(
        "doubts",
        sa.Column("project_key", sa.String(length=200), nullable=False),
        sa.Column("task_id", wide, autoincrement=False, nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("gold", sa.String(length=64), nullable=False),
        sa.Column("stands", sa.Boolean(), nullable=False),
        sa.Column("dismissed_at", sa.Float(), nullable=False),
        sa.Column("dismissed_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("project_key", "task_id", "label"),
    )
