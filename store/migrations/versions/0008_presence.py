"""When Label Studio was found not to have a project (any more), and how far the reading of its pictures has come.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("gone_at", sa.Float, nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("encode_cursor", sa.BigInteger, nullable=False, server_default="0"))
