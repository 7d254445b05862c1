"""What was kept in texts and special numbers gets columns of its own.

A version's `judged_generation` stood in its metrics, its `due_at` in its reason; a project's `reconcile_urgent` was a
`reconcile_not_before` of 0.

Revision ID: 0009
"""

import json
import re

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WAITS = re.compile(r"; waits (\d+) s, so that versions do not churn$")


def upgrade() -> None:
    op.add_column("versions", sa.Column("judged_generation", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("versions", sa.Column("due_at", sa.Float, nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("reconcile_urgent", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE projects SET reconcile_urgent = (1 = 1) "
        "WHERE reconcile_asked_at > 0 AND reconcile_not_before = 0 AND reconciled_at > 0"
    )
    versions = sa.table(
        "versions",
        *(
            sa.column(name)
            for name in ("project_key", "number", "metrics", "reason", "created_at", "judged_generation", "due_at")
        ),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(versions)).all():
        metrics = json.loads(row.metrics)
        generation, waits = metrics.pop("generation", 0), WAITS.search(row.reason)
        if generation or waits:
            values = {
                "metrics": json.dumps(metrics),
                "judged_generation": generation,
                "reason": WAITS.sub("", row.reason),
                "due_at": row.created_at + float(waits[1]) if waits else 0.0,
            }
            own = (versions.c.project_key == row.project_key) & (versions.c.number == row.number)
            connection.execute(sa.update(versions).where(own).values(values))
