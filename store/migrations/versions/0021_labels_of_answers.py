"""Find the tasks to which a version gives a label, without reading its labels of all tasks.

Revision ID: 0021
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("answer_labels_given", "answer_labels", ["project_key", "version", "label", "given", "task_id"])


def downgrade() -> None:
    op.drop_index("answer_labels_given", "answer_labels")
