"""Gold is read anew: annotations that were understood in part had counted as "nothing is there".

All projects with annotations are due for a training, `reread_until` says up to when their versions may have learned
from misread gold, `gold_notes` keeps what the last reading did not know, and `versions.note` marks a version.

Revision ID: 0006
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("gold_notes", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("projects", sa.Column("reread_until", sa.Float(), nullable=False, server_default="0"))
    op.add_column("versions", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    op.execute(
        sa.text(
            "UPDATE projects SET gold_revision = gold_revision + 1, attempts = 0, retry_at = 0, reread_until = :now "
            "WHERE EXISTS (SELECT 1 FROM annotations WHERE annotations.project_key = projects.key)"
        ).bindparams(now=time.time())
    )
