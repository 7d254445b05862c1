"""Looks at all tasks are numbered, and each of them refreshes the predictions in Label Studio once.

Revision ID: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("answers_round", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("refreshed", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("projects", "refreshed")
    op.drop_column("projects", "answers_round")
