"""Repositories, refs, snapshots, blobs, facts and vectors."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "repositories",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("default_ref", sa.Text, nullable=False),
    )
    op.create_table(
        "blobs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "facts",
        sa.Column("blob", sa.String(64), primary_key=True),
        sa.Column("language", sa.String(40), primary_key=True),
        sa.Column("version", sa.String(40), primary_key=True),
        sa.Column("skip", sa.Text),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "vectors",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("chunk", sa.String(40), primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "snapshots",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("entries", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "refs",
        sa.Column(
            "repository",
            sa.Integer,
            sa.ForeignKey("repositories.id", name="fk_refs_repository", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column(
            "snapshot", sa.String(64), sa.ForeignKey("snapshots.id", name="fk_refs_snapshot"), nullable=False
        ),
        sa.Column("commit", sa.String(64)),
        sa.Column("dirty", sa.Integer, nullable=False),
        sa.Column("tree", sa.String(64), nullable=False),
        sa.Column("skips", sa.LargeBinary, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("indexed_at", sa.String(40), nullable=False),
    )
    op.create_index("ix_refs_snapshot", "refs", ["snapshot"])


def downgrade() -> None:
    for table in ("refs", "snapshots", "vectors", "facts", "blobs", "repositories"):
        op.drop_table(table)
