"""How much gold a training had to take without its pictures, so that it is trained on again once they are read.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("unread_gold", sa.Integer(), nullable=False, server_default="0"))
