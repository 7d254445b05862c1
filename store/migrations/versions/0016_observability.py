"""What the jobs have measured, the jobs that run, and whether each project's webhooks arrive.

Revision ID: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "measures",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("labels", sa.String(length=200), nullable=False),
        sa.Column("amount", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels"),
    )
    op.create_table(
        "running_jobs",
        sa.Column("project_key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("project_key", "kind"),
    )
    op.create_table(
        "webhooks",
        sa.Column("project_key", sa.String(length=200), nullable=False),
        sa.Column("trouble", sa.String(length=16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("switched_on_at", sa.Float(), nullable=False),
        sa.Column("missed", sa.BigInteger(), nullable=False),
        sa.Column("missed_until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("project_key"),
    )
