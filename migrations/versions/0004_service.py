"""What the service keeps: registrations, jobs, deliveries, tokens, the audit log, workers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def repository(**options: object) -> sa.Column:
    return sa.Column(
        "repository",
        sa.Integer,
        sa.ForeignKey("repositories.id", name=options.pop("name"), ondelete="CASCADE"),
        nullable=False,
        **options,
    )


def upgrade() -> None:
    op.create_table(
        "registrations",
        repository(name="fk_registrations_repository", primary_key=True),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text, nullable=False),
        sa.Column("credential", sa.Text, nullable=False),
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("follow", sa.Text, nullable=False),
        sa.Column("moves", sa.Integer, nullable=False),
        sa.Column("poll_seconds", sa.Integer, nullable=False),
        sa.Column("polled_at", sa.Double, nullable=False),
        sa.Column("pushed_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_index("ix_registrations_place", "registrations", ["place"])
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        repository(name="fk_jobs_repository"),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("cause", sa.String(20), nullable=False),
        sa.Column("pushes", sa.Integer, nullable=False),
        sa.Column("commit", sa.String(64)),
        sa.Column("requested_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("lost", sa.Integer, nullable=False),
        sa.Column("unseen", sa.Integer, nullable=False),
        sa.Column("cancelled", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(64)),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("progress", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("report", sa.Text),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_jobs_one_waiting", "jobs", ["repository", "ref"], unique=True,
        sqlite_where=waiting, postgresql_where=waiting,
    )  # fmt: skip
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index("ix_jobs_repository", "jobs", ["repository", "ref", "id"])
    op.create_table(
        "deliveries",
        repository(name="fk_deliveries_repository", primary_key=True),
        sa.Column("forge", sa.String(20), primary_key=True),
        sa.Column("delivery", sa.String(200), primary_key=True),
        sa.Column("event", sa.String(100), nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("jobs", sa.Text, nullable=False),
    )
    op.create_index("ix_deliveries_received_at", "deliveries", ["received_at"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("scope", sa.String(10), nullable=False),
        sa.Column("repositories", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("token", sa.String(16)),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("action", sa.String(300), nullable=False),
        sa.Column("repository", sa.Text),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("host", sa.String(300), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("beats", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    for table in ("workers", "audit", "tokens", "deliveries", "jobs", "registrations"):
        op.drop_table(table)
