"""Reconciles that were asked for, so that no lost wake-up loses one.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("reconcile_asked_at", "reconcile_began_at", "reconcile_retry_at"):
        op.add_column("projects", sa.Column(name, sa.Float(), nullable=False, server_default="0"))
