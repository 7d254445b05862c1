"""Keeping answers goes on after the last task that it has looked at.

Revision ID: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("answered_upto", sa.BigInteger(), nullable=False, server_default="-1"))


def downgrade() -> None:
    op.drop_column("projects", "answered_upto")
