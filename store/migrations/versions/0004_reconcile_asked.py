"""Reconciles are asked for in the store, so that no lost wake-up loses one, and go by task id: deletions shift nothing.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("projects", "reconcile_cursor")  # it held a page's number
    op.add_column("projects", sa.Column("reconcile_cursor", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("reconcile_failures", sa.Integer(), nullable=False, server_default="0"))
    for name in ("reconcile_asked_at", "reconcile_began_at", "reconcile_not_before"):
        op.add_column("projects", sa.Column(name, sa.Float(), nullable=False, server_default="0"))
