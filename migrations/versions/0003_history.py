"""What commits did, and which of them led to what a ref points at."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "commits",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "histories",
        sa.Column("repository", sa.Integer, primary_key=True),
        sa.Column("ref", sa.Text, primary_key=True),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository", "ref"],
            ["refs.repository", "refs.name"],
            name="fk_histories_repository_ref",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    for table in ("histories", "commits"):
        op.drop_table(table)
