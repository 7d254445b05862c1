"""Which generation of CURRENT Label Studio's uncertainty sampling goes by.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("offered_generation", sa.BigInteger(), nullable=False, server_default="0"))
