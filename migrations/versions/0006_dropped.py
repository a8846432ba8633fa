"""Snapshots that nothing points at any more, kept a little for those who still read them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "dropped",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("entries", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("dropped")
