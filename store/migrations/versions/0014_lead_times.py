"""The seconds that an annotation took. Annotations that are stored already get them when a reconcile lists them.

Revision ID: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("annotations", sa.Column("lead_seconds", sa.Float))
