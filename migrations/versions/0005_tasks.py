"""What models are asked: tasks, their finished steps and events, and what chats began with."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "repository", sa.Integer,
            sa.ForeignKey("repositories.id", name="fk_tasks_repository", ondelete="CASCADE"), nullable=False,
        ),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("commit", sa.String(64)),
        sa.Column("pinned", sa.Text, nullable=False),
        sa.Column("snapshot", sa.String(64), sa.ForeignKey("snapshots.id", name="fk_tasks_snapshot")),
        sa.Column("recent", sa.LargeBinary),
        sa.Column("token", sa.String(16)),
        sa.Column("local", sa.Integer, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("lost", sa.Integer, nullable=False),
        sa.Column("cancelled", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(64)),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("error", sa.Text),
        sa.Column("result", sa.LargeBinary),
        sa.Column("spent", sa.Text),
    )  # fmt: skip
    op.create_index("ix_tasks_snapshot", "tasks", ["snapshot"])
    op.create_index("ix_tasks_state", "tasks", ["state"])
    op.create_index("ix_tasks_repository", "tasks", ["repository", "id"])
    op.create_table(
        "task_steps",
        task("fk_task_steps_task"),
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "task_events",
        task("fk_task_events_task"),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_table(
        "conversations",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column(
            "repository", sa.Integer,
            sa.ForeignKey("repositories.id", name="fk_conversations_repository", ondelete="CASCADE"), nullable=False,
        ),
        sa.Column("context", sa.LargeBinary, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double, nullable=False),
    )  # fmt: skip
    op.create_index("ix_conversations_used_at", "conversations", ["used_at"])


def task(name: str) -> sa.Column:
    key = sa.ForeignKey("tasks.id", name=name, ondelete="CASCADE")
    return sa.Column("task", sa.String(32), key, primary_key=True)


def downgrade() -> None:
    for table in ("conversations", "task_events", "task_steps", "tasks"):
        op.drop_table(table)
