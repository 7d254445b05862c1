"""The encoders that a home uses where its settings name none. Homes with projects keep what was the default: shipped.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "encoders",
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("part"),
    )
    if op.get_bind().execute(sa.text("SELECT 1 FROM projects LIMIT 1")).first():
        op.bulk_insert(table, [{"part": "image", "name": "shipped"}, {"part": "text", "name": "shipped"}])
