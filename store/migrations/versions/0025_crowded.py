"""A second prediction of a task is deleted once no editor can have it open, also if no other work is due.

Revision ID: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("crowded_until", sa.Float(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("projects", "crowded_until")
